package chart

import (
	"html"
	"html/template"
	"io"
	"strings"

	"bierbench/reports/internal/table"
)

// Chart is a chart of a report, in the page and as files beside it.
type Chart struct {
	Name    string // of its files, without extension, and of its ids in a page
	Title   string
	Dataset string // for filtering
	Method  string // for filtering; empty where it shows several
	Plot    Plot
}

// Plot is the content of a chart.
type Plot interface {
	draw() (d drawing, ok bool) // false where there is no finite value
	describe() string           // in sentences, for readers who cannot see it
	data() *table.Table         // what is drawn, unrounded and not thinned
}

// Empty reports whether the chart has no finite value to draw.
func (c Chart) Empty() bool {
	_, ok := c.Plot.draw()
	return !ok
}

// CSV writes what the chart shows, unrounded and whole.
func (c Chart) CSV(w io.Writer) error { return c.Plot.data().CSV(w) }

// dataTable returns an empty table with columns of these keys.
func dataTable(keys ...string) *table.Table {
	t := &table.Table{}
	for _, key := range keys {
		t.Columns = append(t.Columns, table.TextColumn(key, ""))
	}
	return t
}

// SVG draws the chart as an element of a page, whose style gives its colours.
func (c Chart) SVG() template.HTML {
	d, ok := c.Plot.draw()
	if !ok {
		return "<p>There is no value to draw.</p>"
	}
	var b strings.Builder
	id := html.EscapeString(c.Name)
	b.WriteString(`<svg class="chart" viewBox="0 0 ` + formatDecimal(d.width) + " " + formatDecimal(d.height) + `"`)
	b.WriteString(` role="img" aria-labelledby="` + id + `-t ` + id + `-d">`)
	b.WriteString(`<title id="` + id + `-t">` + html.EscapeString(c.Title) + `</title>`)
	b.WriteString(`<desc id="` + id + `-d">` + html.EscapeString(c.Plot.describe()) + `</desc>`)
	writeNodes(&b, d.nodes)
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}
