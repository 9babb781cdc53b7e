package reports

import (
	"bytes"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// svgFile writes the chart as a file: with its own style, as in a light page,
// in plain values, because programs that are not browsers know no variables.
func (c chart) svgFile(w io.Writer) error {
	d, _ := c.plot.draw()
	colors := lightColors()
	size := decimal(d.width) + `" height="` + decimal(d.height)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="` + size + `" viewBox="0 0 ` + decimal(d.width) + " " + decimal(d.height) + `">` + "\n")
	b.WriteString("<title>" + xmlText(c.Title) + "</title>\n<desc>" + xmlText(c.plot.describe()) + "</desc>\n")
	b.WriteString("<style>\n" + chartStyle(func(name string) string { return colors[name] }) + "</style>\n")
	b.WriteString(`<rect width="` + size + `" fill="` + colors["page"] + `"/>` + "\n")
	writeNodes(&b, d.nodes)
	b.WriteString("\n</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// xmlText escapes a text and drops what no XML can hold.
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
				b.WriteString(` fill-opacity="` + decimal(float64(n.shade)/10) + `"`)
			}
			if n.dashes != nil {
				var list []string
				for _, v := range n.dashes {
					list = append(list, decimal(v))
				}
				b.WriteString(` stroke-dasharray="` + strings.Join(list, " ") + `"`)
			}
			b.WriteString(` d="` + pathData(n.path) + `"/>`)
		default:
			b.WriteString(`<text class="` + n.classes() + `" x="` + decimal(n.x) + `" y="` + decimal(n.y) + `"`)
			if n.anchor != "" && n.anchor != "start" {
				b.WriteString(` text-anchor="` + n.anchor + `"`)
			}
			if n.upright {
				b.WriteString(` transform="rotate(-90 ` + decimal(n.x) + " " + decimal(n.y) + `)"`)
			}
			b.WriteString(">" + xmlText(n.text) + "</text>")
		}
	}
}

func (n node) classes() string {
	if n.color == 0 {
		return n.class
	}
	return n.class + " s" + strconv.Itoa(n.color-1)
}

// pathData writes a path in the shortest form: each step from the last one, in
// tenths of a pixel, errors not adding up.
func pathData(path []step) string {
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
			b.WriteString(tenths(x))
			second := tenths(y)
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
			b.WriteString("h" + tenths(toX-x))
		case toX == x:
			b.WriteString("v" + tenths(toY-y))
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

// tenths writes n/10 without a needless zero.
func tenths(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	s = strings.Replace(s, "-0.", "-.", 1)
	if strings.HasPrefix(s, "0.") {
		s = s[1:]
	}
	return s
}

// decimal writes v with at most one decimal.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64)
}
