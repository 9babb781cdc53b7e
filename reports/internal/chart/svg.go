package chart

import (
	"bytes"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteSVG writes the chart as a file with its own style, that of a light page. Its colours are
// plain values, because programs other than browsers know no variables.
func (c Chart) WriteSVG(w io.Writer) error {
	d, _ := c.Plot.draw()
	colors := LightColors()
	size := formatDecimal(d.width) + `" height="` + formatDecimal(d.height)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="` + size +
		`" viewBox="0 0 ` + formatDecimal(d.width) + " " + formatDecimal(d.height) + `">` + "\n")
	b.WriteString("<title>" + xmlText(c.Title) + "</title>\n<desc>" + xmlText(c.Plot.describe()) + "</desc>\n")
	b.WriteString("<style>\n" + Style(func(name string) string { return colors[name] }) + "</style>\n")
	b.WriteString(`<rect width="` + size + `" fill="` + colors["page"] + `"/>` + "\n")
	writeNodes(&b, d.nodes)
	b.WriteString("\n</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// xmlText escapes a text and drops the characters that XML cannot hold.
func xmlText(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == '\uFFFE' || r == '\uFFFF' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

// writeNodes writes nodes as elements of SVG.
func writeNodes(b *strings.Builder, nodes []node) {
	for _, n := range nodes {
		switch {
		case n.parts != nil:
			b.WriteString("<g")
			if len(n.methods) > 0 {
				b.WriteString(` data-method="` + strings.ReplaceAll(xmlText(strings.Join(n.methods, "\n")), "\n", "&#10;") + `"`)
			}
			b.WriteString(">")
			if n.title != "" {
				b.WriteString("<title>" + xmlText(n.title) + "</title>")
			}
			writeNodes(b, n.parts)
			b.WriteString("</g>")
		case n.path != nil:
			b.WriteString(`<path class="` + n.classes() + `"`)
			if n.shade > 0 {
				b.WriteString(` fill-opacity="` + formatDecimal(float64(n.shade)/10) + `"`)
			}
			if n.dashes != nil {
				var list []string
				for _, v := range n.dashes {
					list = append(list, formatDecimal(v))
				}
				b.WriteString(` stroke-dasharray="` + strings.Join(list, " ") + `"`)
			}
			b.WriteString(` d="` + pathData(n.path) + `"/>`)
		default:
			b.WriteString(`<text class="` + n.classes() + `" x="` + formatDecimal(n.x) + `" y="` + formatDecimal(n.y) + `"`)
			if n.anchor != "" && n.anchor != "start" {
				b.WriteString(` text-anchor="` + n.anchor + `"`)
			}
			if n.upright {
				b.WriteString(` transform="rotate(-90 ` + formatDecimal(n.x) + " " + formatDecimal(n.y) + `)"`)
			}
			b.WriteString(">" + xmlText(n.text) + "</text>")
		}
	}
}

// classes returns the node's class and that of its own colour.
func (n node) classes() string {
	if n.color == 0 {
		return n.class
	}
	return n.class + " s" + strconv.Itoa(n.color-1)
}

// pathData writes a path in the shortest form: each step relative to the one before, in tenths of a
// pixel. Rounding errors do not add up.
func pathData(path []pathStep) string {
	var b bytes.Buffer
	x, y, startX, startY := 0, 0, 0, 0 // tenths
	for i, s := range path {
		if s.kind == 'Z' {
			b.WriteByte('z')
			x, y = startX, startY
			continue
		}
		toX, toY := int(math.Round(s.x*10)), int(math.Round(s.y*10))
		pair := func(command byte, x, y int) {
			b.WriteByte(command)
			b.WriteString(formatTenths(x))
			second := formatTenths(y)
			if second[0] != '-' {
				b.WriteByte(' ')
			}
			b.WriteString(second)
		}
		switch {
		case s.kind == 'M' && i == 0:
			pair('M', toX, toY)
		case s.kind == 'M':
			pair('m', toX-x, toY-y)
		case toY == y:
			b.WriteString("h" + formatTenths(toX-x))
		case toX == x:
			b.WriteString("v" + formatTenths(toY-y))
		default:
			pair('l', toX-x, toY-y)
		}
		x, y = toX, toY
		if s.kind == 'M' {
			startX, startY = x, y
		}
	}
	return b.String()
}

// formatTenths writes n/10 without a needless zero.
func formatTenths(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	s = strings.Replace(s, "-0.", "-.", 1)
	if strings.HasPrefix(s, "0.") {
		s = s[1:]
	}
	return s
}

// formatDecimal writes v with at most one decimal.
func formatDecimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64)
}
