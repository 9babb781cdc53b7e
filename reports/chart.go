package reports

import (
	"html"
	"html/template"
	"strings"

	"bierbench/reports/internal/table"
)

// The charts are drawn here and not by a library because a report is one file
// that opens from disk, in dark and light, on paper and in a screen reader, and
// whose charts people also put into papers: go-echarts needs a megabyte of
// script in each page and draws on a canvas that no reader can read; gonum/plot
// writes SVG and PNG, but with fixed colours and fonts, without titles, and
// without parts that a filter could hide, at 30 KB a chart where 250 ensembles
// share one page. So a chart is laid out once, as a short list of paths and
// texts, and that list is written as SVG with the page's style, as SVG with a
// style of its own, and as pixels by gg.

// chart is a chart of a report: in the page, and as files beside it.
type chart struct {
	Name    string // of its files, without extension, and of its ids in the page
	Title   string
	Dataset string // that it is about, for filtering
	Method  string // likewise; empty where it shows several
	plot    plot
}

// plot is what a chart shows.
type plot interface {
	draw() (d drawing, ok bool) // false where there is no finite value
	describe() string           // in sentences, for who cannot see it
	data() *table.Table         // what is drawn, unrounded and not thinned
}

// SVG draws the chart as an element of a page, whose style has its colours.
func (c chart) SVG() template.HTML {
	d, ok := c.plot.draw()
	if !ok {
		return "<p>There is no value to draw.</p>"
	}
	var b strings.Builder
	id := html.EscapeString(c.Name)
	b.WriteString(`<svg class="chart" viewBox="0 0 ` + decimal(d.width) + " " + decimal(d.height) + `" role="img" aria-labelledby="` + id + `-t ` + id + `-d">`)
	b.WriteString(`<title id="` + id + `-t">` + html.EscapeString(c.Title) + `</title><desc id="` + id + `-d">` + html.EscapeString(c.plot.describe()) + `</desc>`)
	writeNodes(&b, d.nodes)
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}
