package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/reports/internal/table"
)

// Lines is a chart of values over others.
type Lines struct {
	X, Y       string // what the axes show
	KeyX, KeyY string // names of their columns in the data
	LogX       bool
	Ticks      []float64 // of X; nil: round numbers
	Percent    bool      // Y values are fractions, shown as per cent
	Markers    bool      // few points: each is marked; else lines differ by dashes
	Series     []Series

	whole *Lines // the chart that this is a part of, whose axes it has; nil: none
}

// Series is a line. Style is its colour, marker and dashes: the same method has the same style in
// every chart.
type Series struct {
	Name      string
	Style     int
	Methods   []string // whose line it is, for filtering; nil: the method of the chart
	X, Y      []float64
	Low, High []float64 // 95% interval at each point; nil: none

	first  string // name of the first method, where several share the line
	others int    // number of the other methods
}

// Add appends a point: a mean over seeds and its 95% interval.
func (s *Series) Add(x, mean, low, high float64) {
	s.X, s.Y = append(s.X, x), append(s.Y, mean)
	s.Low, s.High = append(s.Low, low), append(s.High, high)
}

// Join adds a method whose line is the same. The name then says how many more there are.
func (s *Series) Join(method string) {
	if !slices.Contains(s.Methods, method) {
		s.Methods = append(s.Methods, method)
	}
	if s.others++; s.others == 1 {
		s.first = s.Name
	}
	s.Name = fmt.Sprintf("%s and %d more", s.first, s.others)
}

// Sort puts the points of means in ascending order of X.
func (s *Series) Sort() {
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
func (s Series) finite(i int) bool { return !math.IsNaN(s.Y[i]) && !math.IsInf(s.Y[i], 0) }

func (c Lines) draw() (d drawing, ok bool) {
	x, y, ok := c.axes()
	if !ok {
		return d, false
	}
	d.width = fullWidth
	c.drawAxes(&d, x, y)
	var keys []legendKey
	for i, s := range c.Series {
		shift := 0.0
		if c.Markers {
			shift = (float64(i) - float64(len(c.Series)-1)/2) * min(markerGap, 18/float64(len(c.Series)))
		}
		d.add(node{methods: s.Methods, parts: c.drawSeries(s, x, y, shift)})
		keys = append(keys, legendKey{name: s.Name, methods: s.Methods, symbol: func(left, middle float64) []node {
			line := lineNode("line", left, middle, left+24, middle)
			line.color, line.dashes = s.Style%seriesColors+1, dashPattern(s.Style, c.Markers)
			if !c.Markers {
				return []node{line}
			}
			return []node{line, markerNode(s.Style, left+12, middle)}
		}})
	}
	d.legend(legendTop, keys)
	return d, true
}

// axes returns the axes over all finite values; false where there is none.
func (c Lines) axes() (x, y axis, ok bool) {
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

// drawAxes draws grid lines, ticks and the names of the axes.
func (c Lines) drawAxes(d *drawing, x, y axis) {
	for _, v := range y.ticks {
		p := y.at(v)
		d.add(lineNode("grid", plotLeft, p, plotRight, p), textNode("tick", y.label(v), "end", plotLeft-6, p+4))
	}
	d.drawTicks(x, plotBottom, c.X)
	middle := textNode("label", c.Y, "middle", 12, (plotTop+plotBottom)/2)
	middle.upright = true
	d.add(middle)
}

// drawTicks draws the axis at the bottom of a plot, and its name.
func (d *drawing) drawTicks(x axis, bottom float64, shows string) {
	left, right := min(x.start, plotLeft), max(x.end, plotRight)
	d.add(lineNode("axis", left, bottom, right, bottom))
	free := math.Inf(-1)
	for _, v := range x.ticks {
		p, text := x.at(v), x.label(v)
		d.add(lineNode("axis", p, bottom, p, bottom+4))
		half := glyphWidth * float64(len(text)) / 2
		if p-half < free { // it would run into the label before
			continue
		}
		free = p + half + 5
		d.add(textNode("tick", text, "middle", p, bottom+17))
	}
	d.add(textNode("label", shows, "middle", (left+right)/2, bottom+34))
}

// drawSeries draws a line, its intervals and its markers, moved to the right by shift pixels.
func (c Lines) drawSeries(s Series, x, y axis, shift float64) []node {
	line := node{class: "line", color: s.Style%seriesColors + 1, dashes: dashPattern(s.Style, c.Markers)}
	for i := range s.X {
		if !s.finite(i) {
			continue
		}
		kind := 'L'
		if len(line.path) == 0 {
			kind = 'M'
		}
		line.path = append(line.path, pathStep{kind, x.at(s.X[i]) + shift, y.at(s.Y[i])})
	}
	if len(line.path) == 1 && !c.Markers { // a line of one point would not be seen
		return []node{markerNode(s.Style, line.path[0].x, line.path[0].y)}
	}
	line.path = thinCurve(line.path)
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
			whisker := lineNode("whisker", px, y.at(min(s.High[i], y.high)), px, y.at(max(s.Low[i], y.low)))
			whisker.color = line.color
			nodes = append(nodes, whisker)
		}
		nodes = append(nodes, node{title: s.Name + ": " + c.value(s, i), parts: []node{markerNode(s.Style, px, py)}})
	}
	return nodes
}

// value writes point i of a series.
func (c Lines) value(s Series, i int) string {
	if !c.Percent {
		if v := s.Y[i]; v != 0 && math.Abs(v) < 0.1 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return table.Significant(s.Y[i])
	}
	text := table.Percent(s.Y[i]).Text + "%"
	if s.Low != nil && s.High[i] > s.Low[i] {
		text += " (95% interval " + table.Percent(s.Low[i]).Text + " to " + table.Percent(s.High[i]).Text + ")"
	}
	return text
}

// mostDescribed is how many series a description tells one by one: more would be minutes of
// listening.
const mostDescribed = 12

// describe says what the chart shows, in one sentence for each series.
func (c Lines) describe() string {
	parts := []string{c.Y + " over " + c.X + "."}
	told := c.Series
	if len(told) > mostDescribed {
		parts = append(parts, fmt.Sprintf("%d lines, of which the first %d are described; the chart's CSV file has all.",
			len(told), mostDescribed))
		told = told[:mostDescribed]
	}
	for _, s := range told {
		n := len(s.Y)
		switch n {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("%s: %s at %.4g.", s.Name, c.value(s, 0), s.X[0]))
		default:
			first, last := c.value(s, 0), c.value(s, n-1)
			parts = append(parts, fmt.Sprintf("%s: %s at %.4g, %s at %.4g.", s.Name, first, s.X[0], last, s.X[n-1]))
		}
	}
	return strings.Join(parts, " ")
}

func (c Lines) data() *table.Table {
	t := dataTable("series", c.KeyX, c.KeyY)
	intervals := false
	for _, s := range c.Series {
		intervals = intervals || s.Low != nil
	}
	if intervals {
		t.Columns = append(t.Columns, table.TextColumn("low", ""), table.TextColumn("high", ""))
	}
	for _, s := range c.Series {
		for i := range s.X {
			row := []any{s.Name, s.X[i], nil}
			if s.finite(i) {
				row[2] = s.Y[i]
				if s.Low != nil {
					row = append(row, s.Low[i], s.High[i])
				}
			}
			t.AddValues(row...)
		}
	}
	return t
}

// mostLines is how many lines share a chart. With more, lines hide each other and a reader looks
// for colours in a legend that is longer than the chart.
const mostLines = 12

// linesOfPart is how many lines a part of a crowded chart has beside the base's: as many as there
// are colours left.
const linesOfPart = seriesColors - 1

// Split returns the chart itself, or parts of few lines where it has too many. Parts have the axes
// of the whole, and each begins with the line of the base, so that a reader can compare from part
// to part.
func (c Lines) Split(base string) []Lines {
	if len(c.Series) <= mostLines {
		return []Lines{c}
	}
	others, first := slices.Clone(c.Series), []Series{}
	if at := slices.IndexFunc(others, func(s Series) bool { return slices.Equal(s.Methods, []string{base}) }); at >= 0 {
		first = []Series{others[at]}
		others = slices.Delete(others, at, at+1)
	}
	number := (len(others) + linesOfPart - 1) / linesOfPart
	list := make([]Lines, number)
	for i := range list {
		part := c
		part.whole = &c
		part.Series = slices.Concat(first, others[i*len(others)/number:(i+1)*len(others)/number])
		list[i] = part
	}
	return list
}
