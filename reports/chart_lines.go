package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// lineChart is a chart of values over others.
type lineChart struct {
	X, Y       string // what the axes show
	KeyX, KeyY string // the same as columns of the data
	LogX       bool
	Ticks      []float64 // of X; nil: round numbers
	Percent    bool      // Y values are fractions, shown as percent
	Markers    bool      // few points: each is marked; else lines differ by dashes
	Series     []series

	whole *lineChart // that this is a part of, with the axes of all; nil: none
}

// series is a line. Style is its colour, marker and dashes: the same method
// has the same style in every chart.
type series struct {
	Name      string
	Style     int
	Methods   []string // whose line it is, for filtering; nil: the chart's
	X, Y      []float64
	Low, High []float64 // 95% interval at each point; nil: none

	first  string // of lines that are one: the name of the first
	others int    // and how many more there are
}

// summary appends a point with the interval of its mean over seeds.
func (s *series) summary(x float64, v runs.Summary) {
	s.X, s.Y = append(s.X, x), append(s.Y, v.Mean)
	s.Low, s.High = append(s.Low, v.Low), append(s.High, v.High)
}

// sort puts the points of summaries in ascending order of X.
func (s *series) sort() {
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.X[a], s.X[b]) })
	for _, list := range []*[]float64{&s.X, &s.Y, &s.Low, &s.High} {
		sorted := make([]float64, len(order))
		for i, from := range order {
			sorted[i] = (*list)[from]
		}
		*list = sorted
	}
}

// finite reports whether point i can be drawn.
func (s series) finite(i int) bool { return !math.IsNaN(s.Y[i]) && !math.IsInf(s.Y[i], 0) }

func (c lineChart) draw() (d drawing, ok bool) {
	x, y, ok := c.axes()
	if !ok {
		return d, false
	}
	d.width = chartWidth
	c.drawAxes(&d, x, y)
	var keys []key
	for i, s := range c.Series {
		shift := 0.0
		if c.Markers {
			shift = (float64(i) - float64(len(c.Series)-1)/2) * min(dodge, 18/float64(len(c.Series)))
		}
		d.add(node{methods: s.Methods, parts: c.drawSeries(s, x, y, shift)})
		keys = append(keys, key{name: s.Name, methods: s.Methods, symbol: func(left, middle float64) []node {
			line := segment("line", left, middle, left+24, middle)
			line.color, line.dashes = s.Style%styles+1, dashes(s.Style, c.Markers)
			if !c.Markers {
				return []node{line}
			}
			return []node{line, marker(s.Style, left+12, middle)}
		}})
	}
	d.legend(legendTop, keys)
	return d, true
}

// axes returns the axes over all finite values; false where there is none.
func (c lineChart) axes() (x, y axis, ok bool) {
	if c.whole != nil {
		return c.whole.axes()
	}
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for i := range s.X {
			if !s.finite(i) {
				continue
			}
			ok = true
			lowX, highX = min(lowX, s.X[i]), max(highX, s.X[i])
			lowY, highY = min(lowY, s.Y[i]), max(highY, s.Y[i])
			if s.Low != nil && c.Markers {
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
func (c lineChart) drawAxes(d *drawing, x, y axis) {
	for _, v := range y.ticks {
		p := y.at(v)
		d.add(segment("grid", plotLeft, p, plotRight, p), label("tick", y.label(v), "end", plotLeft-6, p+4))
	}
	d.drawTicks(x, plotBottom, c.X)
	middle := label("label", c.Y, "middle", 12, (plotTop+plotBottom)/2)
	middle.upright = true
	d.add(middle)
}

// drawTicks draws the axis at the bottom of a plot, and what it shows.
func (d *drawing) drawTicks(x axis, bottom float64, shows string) {
	left, right := min(x.start, plotLeft), max(x.end, plotRight)
	d.add(segment("axis", left, bottom, right, bottom))
	free := math.Inf(-1)
	for _, v := range x.ticks {
		p, text := x.at(v), x.label(v)
		d.add(segment("axis", p, bottom, p, bottom+4))
		half := glyphWidth * float64(len(text)) / 2
		if p-half < free { // it would run into the label before
			continue
		}
		free = p + half + 5
		d.add(label("tick", text, "middle", p, bottom+17))
	}
	d.add(label("label", shows, "middle", (left+right)/2, bottom+34))
}

// drawSeries draws a line, its intervals and its markers, moved right by shift
// pixels.
func (c lineChart) drawSeries(s series, x, y axis, shift float64) []node {
	line := node{class: "line", color: s.Style%styles + 1, dashes: dashes(s.Style, c.Markers)}
	for i := range s.X {
		if !s.finite(i) {
			continue
		}
		kind := 'L'
		if len(line.path) == 0 {
			kind = 'M'
		}
		line.path = append(line.path, step{kind, x.at(s.X[i]) + shift, y.at(s.Y[i])})
	}
	if len(line.path) == 1 && !c.Markers { // a line of one point would not be seen
		return []node{marker(s.Style, line.path[0].x, line.path[0].y)}
	}
	line.path = thin(line.path)
	nodes := []node{}
	if len(line.path) > 1 {
		nodes = append(nodes, line)
	}
	if !c.Markers {
		return nodes
	}
	for i := range s.X {
		if !s.finite(i) {
			continue
		}
		px, py := x.at(s.X[i])+shift, y.at(s.Y[i])
		if s.Low != nil && s.High[i] > s.Low[i] {
			whisker := segment("whisker", px, y.at(min(s.High[i], y.high)), px, y.at(max(s.Low[i], y.low)))
			whisker.color = line.color
			nodes = append(nodes, whisker)
		}
		nodes = append(nodes, node{title: s.Name + ": " + c.value(s, i), parts: []node{marker(s.Style, px, py)}})
	}
	return nodes
}

// value writes point i of a series.
func (c lineChart) value(s series, i int) string {
	if !c.Percent {
		if v := s.Y[i]; v != 0 && math.Abs(v) < 0.1 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return table.Significant(s.Y[i])
	}
	text := table.Hundredths(s.Y[i]) + "%"
	if s.Low != nil && s.High[i] > s.Low[i] {
		text += " (95% interval " + table.Hundredths(s.Low[i]) + " to " + table.Hundredths(s.High[i]) + ")"
	}
	return text
}

// mostDescribed is how many series a description tells one by one: more would
// be minutes of listening.
const mostDescribed = 12

// describe says in a sentence a series what the chart shows.
func (c lineChart) describe() string {
	parts := []string{c.Y + " over " + c.X + "."}
	told := c.Series
	if len(told) > mostDescribed {
		parts = append(parts, fmt.Sprintf("%d lines, of which the first %d are described; the chart's CSV file has all.", len(told), mostDescribed))
		told = told[:mostDescribed]
	}
	for _, s := range told {
		n := len(s.Y)
		switch n {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("%s: %s at %.4g.", s.Name, c.value(s, 0), s.X[0]))
		default:
			parts = append(parts, fmt.Sprintf("%s: %s at %.4g, %s at %.4g.", s.Name, c.value(s, 0), s.X[0], c.value(s, n-1), s.X[n-1]))
		}
	}
	return strings.Join(parts, " ")
}

func (c lineChart) data() *table.Table {
	t := &table.Table{Columns: []table.Column{table.TextColumn("series", ""), table.TextColumn(c.KeyX, ""), table.TextColumn(c.KeyY, "")}}
	intervals := false
	for _, s := range c.Series {
		intervals = intervals || s.Low != nil
	}
	if intervals {
		t.Columns = append(t.Columns, table.TextColumn("low", ""), table.TextColumn("high", ""))
	}
	for _, s := range c.Series {
		for i := range s.X {
			row := []table.Entry{{Value: s.Name}, {Value: s.X[i]}, {}}
			if s.finite(i) {
				row[2].Value = s.Y[i]
			}
			if intervals {
				row = append(row, table.Entry{}, table.Entry{})
				if s.Low != nil && s.finite(i) {
					row[3].Value, row[4].Value = s.Low[i], s.High[i]
				}
			}
			t.Add(runs.Group{}, row...)
		}
	}
	return t
}
