package chart

import (
	"math"
	"strings"
	"testing"
)

// A name of data is text in the picture and inert in the data of every chart.
func TestChartEscapes(t *testing.T) {
	const evilMethod, formula = `<script>alert(1)</script>`, "=1+1"
	p := 0.5
	for name, plot := range map[string]Plot{
		"lines": Lines{Series: []Series{
			{Name: evilMethod, Methods: []string{evilMethod}, X: []float64{1}, Y: []float64{2}},
			{Name: formula, X: []float64{1}, Y: []float64{2}},
		}},
		"bars":   Bars{Parts: []string{formula}, Bars: []Bar{{Name: evilMethod, Method: evilMethod, Values: []float64{1}}}},
		"matrix": Matrix{Names: []string{evilMethod, formula}, Values: [][]*float64{{&p, nil}, {nil, &p}}, Text: true},
	} {
		var picture, data strings.Builder
		c := Chart{Name: "x", Title: evilMethod + "\x1b", Plot: plot}
		if err := c.WriteSVG(&picture); err != nil {
			t.Fatal(err)
		}
		if err := c.CSV(&data); err != nil {
			t.Fatal(err)
		}
		got := picture.String()
		if strings.Contains(got, "<script") || strings.Contains(got, "\x1b") || !strings.Contains(got, "&lt;script&gt;") {
			t.Errorf("%s: the name is not text in %s", name, got)
		}
		if !strings.Contains(data.String(), "'"+formula) {
			t.Errorf("%s: a spreadsheet would evaluate %s", name, data.String())
		}
	}
}

// One point, one seed and values that are not numbers are drawn as far as they go, and no path has
// a coordinate that is not a number.
func TestChartDegenerate(t *testing.T) {
	nan, one := math.NaN(), 1.0
	for name, c := range map[string]struct {
		plot  Plot
		drawn bool
	}{
		"one point": {Lines{Series: []Series{{X: []float64{1}, Y: []float64{0.5}}}}, true},
		"one seed": {Lines{Percent: true, Markers: true, Series: []Series{
			{X: []float64{1}, Y: []float64{0.5}, Low: []float64{0.5}, High: []float64{0.5}},
		}}, true},
		"a gap":           {Lines{Series: []Series{{X: []float64{1, 2, 3}, Y: []float64{0.5, nan, 0.25}}}}, true},
		"all zero":        {Lines{Series: []Series{{X: []float64{1, 2}, Y: []float64{0, 0}}}}, true},
		"no number":       {Lines{Series: []Series{{X: []float64{1}, Y: []float64{nan}}}}, false},
		"no bar":          {Bars{Parts: []string{"a"}, Bars: []Bar{{Values: []float64{nan}}}}, false},
		"part of a bar":   {Bars{Parts: []string{"a", "b"}, Bars: []Bar{{Values: []float64{nan, 2}}}}, true},
		"empty matrix":    {Matrix{Names: []string{"a"}, Values: [][]*float64{{nil}}}, false},
		"matrix of one":   {Matrix{Names: []string{"a"}, Values: [][]*float64{{&one}}}, true},
		"no weights":      {Strips{Steps: []float64{1}, Positive: [][][]float64{{{0, 0}}}, Negative: [][][]float64{{{0, 0}}}}, false},
		"weights at once": {Strips{Steps: []float64{1}, Positive: [][][]float64{{{0, 1}}}, Negative: [][][]float64{{{0, 0}}}}, true},
	} {
		d, ok := c.plot.draw()
		if ok != c.drawn {
			t.Errorf("%s: drawn %v, want %v", name, ok, c.drawn)
		}
		var b strings.Builder
		writeNodes(&b, d.nodes)
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "922337") { // a NaN made an integer
			t.Errorf("%s: %s", name, b.String())
		}
	}
}

// A thinned curve misses no point by more than what is visible.
func TestThin(t *testing.T) {
	var curve []pathStep
	for i := range 200 {
		curve = append(curve, pathStep{'L', float64(i), 100 * math.Exp(-float64(i)/50)})
	}
	short := thinCurve(curve)
	if len(short) > 30 || short[0] != curve[0] || short[len(short)-1] != curve[199] {
		t.Errorf("%d points of 200", len(short))
	}
	at := 0
	for _, p := range curve {
		for at+1 < len(short)-1 && short[at+1].x <= p.x {
			at++
		}
		a, b := short[at], short[at+1]
		if y := a.y + (b.y-a.y)*(p.x-a.x)/(b.x-a.x); math.Abs(y-p.y) > 3*visibleMiss { // downwards, a steep line is further than across
			t.Errorf("at %g the thinned curve is at %g, the whole one at %g", p.x, y, p.y)
		}
	}
}
