package reports

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"unicode/utf8"
)

// The charts are drawn here and not by a library because a report is one file
// that opens from disk, in dark and light, on paper and in a screen reader:
// go-echarts needs a megabyte of script in each page and draws on a canvas that
// no reader can read; gonum/plot writes SVG, but with fixed colours and fonts
// and without titles, and brings a font stack along. What is needed is lines,
// ticks and a legend: this file.

// chart is a line chart.
type chart struct {
	ID, Title string
	X, Y      string // what the axes show
	LogX      bool
	Ticks     []float64 // of X; nil: round numbers
	Percent   bool      // Y values are fractions, shown as percent
	Markers   bool      // few points: each is marked; else lines differ by dashes
	Series    []series
	dataset   string // for filtering
}

// Dataset returns the name of the data set that the chart is about.
func (c chart) Dataset() string { return c.dataset }

// series is a line. Style is its colour, marker and dashes: the same method
// has the same style in every chart.
type series struct {
	Name      string
	Style     int
	X, Y      []float64
	Low, High []float64 // 95% interval at each point; nil: none
}

// The chart's sizes in pixels. It is drawn as wide as a phone so that its text
// is legible there.
const (
	chartWidth  = 440.0
	plotTop     = 12.0
	plotBottom  = 236.0
	plotLeft    = 52.0
	plotRight   = 428.0
	legendTop   = 288.0
	legendLine  = 18.0
	symbolWidth = 30.0
	glyphWidth  = 6.9 // mean, of the 12 px font
	longestName = 44  // of the legend, in characters
	dodge       = 3.0 // pixels between the markers of two series at one X
	styles      = 8   // colours; beyond them, dashes and markers differ still
)

// SVG draws the chart as an element of a page; style.css has its colours.
func (c chart) SVG() template.HTML {
	x, y, ok := c.axes()
	if !ok {
		return "<p>There is no value to draw.</p>"
	}
	var b strings.Builder
	lines := c.legendLines()
	height := legendTop + legendLine*float64(len(lines))
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-labelledby="%s-t %s-d">`, chartWidth, height, c.ID, c.ID)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, c.ID, html.EscapeString(c.Title), c.ID, html.EscapeString(c.description()))
	c.drawAxes(&b, x, y)
	for i, s := range c.Series {
		shift := 0.0
		if c.Markers {
			shift = (float64(i) - float64(len(c.Series)-1)/2) * min(dodge, 18/float64(len(c.Series)))
		}
		c.drawSeries(&b, s, x, y, shift)
	}
	for i, line := range lines {
		left := plotLeft
		for _, s := range line {
			drawKey(&b, s, left, legendTop+legendLine*float64(i), c.Markers)
			left += keyWidth(s)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}

// axes returns the axes over all finite values; false where there is none.
func (c chart) axes() (x, y axis, ok bool) {
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for i := range s.X {
			if math.IsNaN(s.Y[i]) || math.IsInf(s.Y[i], 0) {
				continue
			}
			ok = true
			lowX, highX = min(lowX, s.X[i]), max(highX, s.X[i])
			lowY, highY = min(lowY, s.Y[i]), max(highY, s.Y[i])
			if s.Low != nil {
				lowY, highY = min(lowY, s.Low[i]), max(highY, s.High[i])
			}
		}
	}
	if !ok {
		return x, y, false
	}
	scale := 1.0
	if c.Percent {
		scale = 100
		lowY, highY = max(lowY, 0), min(highY, 1)
	}
	y = roundAxis(lowY, highY, scale, 5)
	y.start, y.end = plotBottom, plotTop
	if c.Ticks != nil {
		x = axis{low: lowX, high: highX, ticks: c.Ticks, scaleForText: 1}
	} else {
		x = roundAxis(min(lowX, 0), highX, 1, 5)
	}
	x.log = c.LogX && lowX > 0
	x.start, x.end = plotLeft, plotRight
	if c.Markers { // keep the outer markers off the frame
		x.start, x.end = plotLeft+14, plotRight-14
	}
	return x, y, true
}

// drawAxes draws grid lines, ticks and what the axes show.
func (c chart) drawAxes(b *strings.Builder, x, y axis) {
	for _, v := range y.ticks {
		p := y.at(v)
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, plotLeft, plotRight, p, p)
		fmt.Fprintf(b, `<text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`, plotLeft-6, p+4, y.label(v))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/>`, plotLeft, plotRight, plotBottom, plotBottom)
	free := math.Inf(-1)
	for _, v := range x.ticks {
		p, label := x.at(v), x.label(v)
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, p, p, plotBottom, plotBottom+4)
		half := glyphWidth * float64(len(label)) / 2
		if p-half < free { // it would run into the label before
			continue
		}
		free = p + half + 5
		fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%s</text>`, p, plotBottom+17, label)
	}
	fmt.Fprintf(b, `<text class="label" x="%g" y="%g" text-anchor="middle">%s</text>`, (plotLeft+plotRight)/2, plotBottom+34, html.EscapeString(c.X))
	middle := (plotTop + plotBottom) / 2
	fmt.Fprintf(b, `<text class="label" x="12" y="%g" text-anchor="middle" transform="rotate(-90 12 %g)">%s</text>`, middle, middle, html.EscapeString(c.Y))
}

// drawSeries draws a line, its intervals and its markers, moved right by shift
// pixels.
func (c chart) drawSeries(b *strings.Builder, s series, x, y axis, shift float64) {
	class := fmt.Sprintf("s%d", s.Style%styles)
	var d strings.Builder
	for i := range s.X {
		if math.IsNaN(s.Y[i]) || math.IsInf(s.Y[i], 0) {
			continue
		}
		command := "L"
		if d.Len() == 0 {
			command = "M"
		}
		fmt.Fprintf(&d, "%s%.1f %.1f", command, x.at(s.X[i])+shift, y.at(s.Y[i]))
	}
	fmt.Fprintf(b, `<path class="line %s" d="%s"%s/>`, class, d.String(), dashes(s.Style, c.Markers))
	if !c.Markers {
		return
	}
	for i := range s.X {
		px, py := x.at(s.X[i])+shift, y.at(s.Y[i])
		if s.Low != nil && s.High[i] > s.Low[i] {
			top, bottom := y.at(min(s.High[i], y.high)), y.at(max(s.Low[i], y.low))
			fmt.Fprintf(b, `<path class="whisker %s" d="M%.1f %.1fV%.1f"/>`, class, px, top, bottom)
		}
		fmt.Fprintf(b, `<g><title>%s: %s</title>`, html.EscapeString(s.Name), c.value(s, i))
		drawMarker(b, s.Style, px, py)
		b.WriteString("</g>")
	}
}

// value writes point i of a series.
func (c chart) value(s series, i int) string {
	if !c.Percent {
		return significant(s.Y[i])
	}
	text := hundredths(s.Y[i]) + "%"
	if s.Low != nil && s.High[i] > s.Low[i] {
		text += " (95% interval " + hundredths(s.Low[i]) + " to " + hundredths(s.High[i]) + ")"
	}
	return text
}

// description says in a sentence a series what the chart shows.
func (c chart) description() string {
	parts := []string{c.Y + " over " + c.X + "."}
	for _, s := range c.Series {
		n := len(s.Y)
		if n == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %s at %g, %s at %g.", s.Name, c.value(s, 0), s.X[0], c.value(s, n-1), s.X[n-1]))
	}
	return strings.Join(parts, " ")
}

// legendLines breaks the legend into lines that fit the chart.
func (c chart) legendLines() [][]series {
	var lines [][]series
	left := math.Inf(1)
	for _, s := range c.Series {
		if left+keyWidth(s) > chartWidth {
			lines, left = append(lines, nil), plotLeft
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], s)
		left += keyWidth(s)
	}
	return lines
}

// keyWidth returns the room of a legend entry.
func keyWidth(s series) float64 {
	return symbolWidth + glyphWidth*float64(utf8.RuneCountInString(shorten(s.Name))) + 12
}

// shorten cuts a long name.
func shorten(name string) string {
	if runes := []rune(name); len(runes) > longestName {
		return string(runes[:longestName-1]) + "…"
	}
	return name
}

// drawKey draws a legend entry.
func drawKey(b *strings.Builder, s series, left, middle float64, markers bool) {
	fmt.Fprintf(b, `<path class="line s%d" d="M%g %gh24"%s/>`, s.Style%styles, left, middle-4, dashes(s.Style, markers))
	if markers {
		drawMarker(b, s.Style, left+12, middle-4)
	}
	fmt.Fprintf(b, `<text class="key" x="%g" y="%g">%s</text>`, left+symbolWidth, middle, html.EscapeString(shorten(s.Name)))
}

// dashes tells lines apart without colour: by dashes where there are no
// markers, and beyond the colours.
func dashes(style int, markers bool) string {
	patterns := []string{"", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2", "1 2", "8 2 2 2 2 2"}
	i := style % len(patterns)
	if markers {
		i = style / styles % len(patterns)
	}
	if patterns[i] == "" {
		return ""
	}
	return ` stroke-dasharray="` + patterns[i] + `"`
}

// drawMarker draws one of five shapes.
func drawMarker(b *strings.Builder, style int, x, y float64) {
	class := fmt.Sprintf("marker s%d", style%styles)
	path := func(d string) { fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1f%s"/>`, class, x, y, d) }
	switch style % 5 {
	case 0:
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="3.6"/>`, class, x, y)
	case 1:
		path("m-3.3 -3.3h6.6v6.6h-6.6z")
	case 2:
		path("m0 -4.8l4.3 7.6h-8.6z")
	case 3:
		path("m0 -4.8l4.8 4.8l-4.8 4.8l-4.8 -4.8z")
	case 4:
		path("m0 4.8l4.3 -7.6h-8.6z")
	}
}
