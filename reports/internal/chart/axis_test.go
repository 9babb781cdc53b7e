package chart

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestRoundAxis(t *testing.T) {
	for _, c := range []struct {
		name             string
		low, high, scale float64
		want             []string
	}{
		{"percent", 0.512, 0.784, 100, []string{"50", "60", "70", "80"}},
		{"tenths of a percent", 0.8011, 0.8052, 100, []string{"80.1", "80.2", "80.3", "80.4", "80.5", "80.6"}},
		{"steps of a curve whose last point is a mean", 0, 398.5, 1, []string{"0", "100", "200", "300", "400"}},
		{"small losses", 0.0013, 0.0049, 1, []string{"0.001", "0.002", "0.003", "0.004", "0.005"}},
		{"around zero", -0.02, 0.03, 1, []string{"-0.02", "-0.01", "0.00", "0.01", "0.02", "0.03"}},
		{"one value", 0.5, 0.5, 1, []string{"0.44", "0.46", "0.48", "0.50", "0.52", "0.54", "0.56"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := roundAxis(c.low, c.high, c.scale, 5)
			var got []string
			for _, v := range a.ticks {
				got = append(got, a.label(v))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("ticks %q, want %q", got, c.want)
			}
			if a.low > c.low || a.high < c.high {
				t.Errorf("axis [%g, %g] does not hold [%g, %g]", a.low, a.high, c.low, c.high)
			}
		})
	}
}

// A chart without a finite value says so instead of drawing NaN.
func TestChartOfNothing(t *testing.T) {
	for name, c := range map[string]Lines{
		"no series":    {},
		"not a number": {Series: []Series{{X: []float64{1}, Y: []float64{math.NaN()}}}},
	} {
		if got := string(Chart{Plot: c}.SVG()); strings.Contains(got, "<svg") {
			t.Errorf("%s: %s", name, got)
		}
	}
	s := Series{Name: "</svg><script>", X: []float64{1, 2}, Y: []float64{math.Inf(1), 0.5}}
	c := Chart{Title: "<b>", Plot: Lines{Markers: true, Series: []Series{s}}}
	got := string(c.SVG())
	infinite := strings.Contains(got, "Inf") && !strings.Contains(got, "+Inf at 1")
	if strings.Contains(got, "NaN") || infinite || strings.Contains(got, "<script>") {
		t.Errorf("chart: %s", got)
	}
}
