package chart

import (
	"fmt"
	"strings"
)

// look says how nodes of a class are painted. Colours are names of the page's variables; "series"
// is the node's own.
type look struct {
	class, stroke, fill string
	width               float64 // of the stroke, pixels
	opacity             float64
}

// nodeLooks returns the looks of all classes.
func nodeLooks() []look {
	return []look{
		{"grid", "rule", "", 1, 1},
		{"axis", "soft", "", 1, 1},
		{"line", "series", "", 2, 1},
		{"whisker", "series", "", 1.25, 0.7},
		{"marker", "page", "series", 1, 1},
		{"bar", "page", "series", 0.5, 1},
		{"cell", "", "c0", 0, 1},
		{"tick", "", "soft", 0, 1},
		{"label", "", "soft", 0, 1},
		{"key", "", "ink", 0, 1},
	}
}

// LightColors returns the colours of charts in files, by name. They are those of a light page.
func LightColors() map[string]string {
	return map[string]string{
		"page": "#ffffff", "ink": "#1b1f24", "soft": "#57606a", "rule": "#d0d7de",
		"c0": "#0068b0", "c1": "#c24400", "c2": "#00795a", "c3": "#9c4a80",
		"c4": "#8a6100", "c5": "#4b4b52", "c6": "#2f3ea8", "c7": "#a3143f",
	}
}

// Style returns the style sheet of charts. color says how a colour is written.
func Style(color func(name string) string) string {
	var b strings.Builder
	b.WriteString(".chart { font: 12px system-ui, -apple-system, \"Segoe UI\", Roboto, Arial, sans-serif; }\n.chart path { fill: none; }\n")
	paint := func(selector, property, name string) {
		if name == "series" {
			for i := range seriesColors {
				fmt.Fprintf(&b, ".chart .%s.s%d { %s: %s; }\n", selector, i, property, color(fmt.Sprintf("c%d", i)))
			}
		} else if name != "" {
			fmt.Fprintf(&b, ".chart .%s { %s: %s; }\n", selector, property, color(name))
		}
	}
	for _, l := range nodeLooks() {
		paint(l.class, "stroke", l.stroke)
		paint(l.class, "fill", l.fill)
		if l.stroke != "" {
			fmt.Fprintf(&b, ".chart .%s { stroke-width: %g; stroke-linejoin: round; opacity: %g; }\n", l.class, l.width, l.opacity)
		}
	}
	return b.String()
}
