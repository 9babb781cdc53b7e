package chart

import (
	"math"
	"unicode/utf8"
)

// drawing is a chart laid out: its nodes in the order in which they are painted, in pixels, from
// the top left.
type drawing struct {
	width, height float64
	nodes         []node
}

// node is a path, a text or, where it has parts, a group of nodes. Its class names its looks; see
// nodeLooks.
type node struct {
	class   string
	color   int // 1 more than the index of a series colour; 0: the class has its own
	shade   int // opacity of the fill in tenths; 0: full
	dashes  []float64
	path    []pathStep
	text    string
	x, y    float64 // of the text: its anchor on the baseline
	anchor  string  // of the text: start, middle or end
	upright bool    // the text reads upwards

	methods []string // of a group: whose part of the chart it is
	title   string   // of a group: shown where the pointer rests
	parts   []node
}

// pathStep is a part of a path: a move, a line, or the end of a closed outline.
type pathStep struct {
	kind rune // M, L or Z
	x, y float64
}

// The chart's sizes in pixels. It is drawn as wide as a phone so that its text is legible there.
const (
	fullWidth    = 440.0
	plotTop      = 12.0
	plotBottom   = 236.0
	plotLeft     = 52.0
	plotRight    = 428.0
	legendTop    = 288.0
	legendLine   = 18.0
	symbolWidth  = 30.0
	glyphWidth   = 6.9 // mean, of the 12 px font
	longestName  = 44  // of the legend, in characters
	markerGap    = 3.0 // pixels between the markers of two series at one X
	seriesColors = 8   // colours; beyond them, dashes and markers differ still
)

func (d *drawing) add(nodes ...node) { d.nodes = append(d.nodes, nodes...) }

// lineNode returns a straight line.
func lineNode(class string, x1, y1, x2, y2 float64) node {
	return node{class: class, path: []pathStep{{'M', x1, y1}, {'L', x2, y2}}}
}

// textNode returns a text.
func textNode(class, text, anchor string, x, y float64) node {
	return node{class: class, text: text, anchor: anchor, x: x, y: y}
}

// rectangle returns the outline of a rectangle.
func rectangle(left, top, width, height float64) []pathStep {
	return []pathStep{{'M', left, top}, {'L', left + width, top}, {'L', left + width, top + height}, {'L', left, top + height}, {kind: 'Z'}}
}

// markerNode returns one of five shapes.
func markerNode(style int, x, y float64) node {
	corners := [][][2]float64{
		{{-3.6, 0}, {-2.5, -2.5}, {0, -3.6}, {2.5, -2.5}, {3.6, 0}, {2.5, 2.5}, {0, 3.6}, {-2.5, 2.5}},
		{{-3.3, -3.3}, {3.3, -3.3}, {3.3, 3.3}, {-3.3, 3.3}},
		{{0, -4.8}, {4.3, 2.8}, {-4.3, 2.8}},
		{{0, -4.8}, {4.8, 0}, {0, 4.8}, {-4.8, 0}},
		{{0, 4.8}, {4.3, -2.8}, {-4.3, -2.8}},
	}[style%5]
	n := node{class: "marker", color: style%seriesColors + 1}
	for i, c := range corners {
		kind := 'L'
		if i == 0 {
			kind = 'M'
		}
		n.path = append(n.path, pathStep{kind, x + c[0], y + c[1]})
	}
	n.path = append(n.path, pathStep{kind: 'Z'})
	return n
}

// dashPattern returns the dashes that tell lines apart without colour: where there are no markers,
// and where there are more lines than colours.
func dashPattern(style int, markers bool) []float64 {
	patterns := [][]float64{nil, {7, 3}, {2, 3}, {9, 3, 2, 3}, {12, 4}, {5, 2, 1, 2}, {1, 2}, {8, 2, 2, 2, 2, 2}}
	if markers {
		style /= seriesColors
	}
	return patterns[style%len(patterns)]
}

// visibleMiss is the distance in pixels by which a thinned curve may miss a point that is left out.
const visibleMiss = 0.4

// thinCurve leaves out the points of a curve that lie near the line between others, as no eye can
// see them (Douglas and Peucker 1973).
func thinCurve(points []pathStep) []pathStep {
	if len(points) < 3 {
		return points
	}
	first, last := points[0], points[len(points)-1]
	dx, dy := last.x-first.x, last.y-first.y
	length := math.Hypot(dx, dy)
	far, at := 0.0, 0
	for i, p := range points[1 : len(points)-1] {
		distance := math.Hypot(p.x-first.x, p.y-first.y)
		if length > 0 {
			distance = math.Abs(dx*(p.y-first.y)-dy*(p.x-first.x)) / length
		}
		if distance > far {
			far, at = distance, i+1
		}
	}
	if far <= visibleMiss {
		return []pathStep{first, last}
	}
	return append(thinCurve(points[:at+1:at+1]), thinCurve(points[at:])[1:]...)
}

// shorten cuts a name that is longer than so many characters.
func shorten(name string, longest int) string {
	if utf8.RuneCountInString(name) > longest {
		return string([]rune(name)[:longest-1]) + "…"
	}
	return name
}

// legendKey is an entry of a legend.
type legendKey struct {
	name    string
	methods []string
	symbol  func(left, middle float64) []node
}

// width returns the room that a legend entry takes, in pixels.
func (k legendKey) width() float64 {
	return symbolWidth + glyphWidth*float64(utf8.RuneCountInString(shorten(k.name, longestName))) + 12
}

// legend draws entries below top, line by line, and makes room for them.
func (d *drawing) legend(top float64, keys []legendKey) {
	left, line := math.Inf(1), -1.0
	for _, k := range keys {
		if left+k.width() > fullWidth {
			left, line = plotLeft, line+1
		}
		y := top + legendLine*line
		d.add(node{methods: k.methods, parts: append(
			k.symbol(left, y-4), textNode("key", shorten(k.name, longestName), "start", left+symbolWidth, y))})
		left += k.width()
	}
	d.height = top + legendLine*(line+1)
}
