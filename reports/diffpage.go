package reports

import (
	"io"
	"strings"

	"bierbench/reports/internal/chart"
	"bierbench/runs"
)

// diffPage is the data of diff.gohtml.
type diffPage struct {
	pageShell
	Heading  string
	Lead     string
	Tables   []tableView
	Counts   []verdictCount
	Datasets []string
	Methods  []string
	Classes  []tableView
	Configs  []configView
	Recall   []chart.Chart
	Training []chart.Chart
	Left     int // pairs that have no chart
	Flips    pictureView
}

// DiffHTML writes a diff as one page that needs nothing else. Without curves the page has no
// charts, without flips no pictures; either may be nil.
func DiffHTML(d *runs.Diff, curves *DiffCurves, flips *DiffFlips, w io.Writer) error {
	s, err := newPageShell(diffTitle(d) + " · bierbench diff")
	if err != nil {
		return err
	}
	t, err := templates()
	if err != nil {
		return err
	}
	p := diffPage{
		pageShell: s, Heading: diffTitle(d), Lead: strings.Join(diffLead(d), " "),
		Tables: tableViews("diff", diffTables(d, false)...), Counts: countVerdicts(d),
		Classes: tableViews("classes", classTables(d)...), Configs: configViews(d),
	}
	if curves != nil {
		p.Recall, p.Training, p.Left = curves.recall, curves.training, curves.Left
	}
	for _, c := range d.Rows {
		p.Datasets = appendNew(p.Datasets, c.B.Dataset)
		p.Methods = appendNew(p.Methods, c.B.Method)
	}
	write := func(w io.Writer) error { return t.ExecuteTemplate(w, "diff.gohtml", p) }
	if flips != nil {
		room, err := flips.album.roomIn(write)
		if err != nil {
			return err
		}
		p.Flips = flips.album.within(room)
	}
	return write(w)
}

// WriteDiff writes diff.html, diff.md, diff.txt and diff.json into a folder, as Report.Write does.
func WriteDiff(d *runs.Diff, curves *DiffCurves, flips *DiffFlips, dir string) ([]string, error) {
	as := func(f func(*runs.Diff, io.Writer) error) func(io.Writer) error {
		return func(w io.Writer) error { return f(d, w) }
	}
	return writeAll(dir, []document{
		{"diff.html", func(w io.Writer) error { return DiffHTML(d, curves, flips, w) }},
		{"diff.md", as(DiffMarkdown)},
		{"diff.txt", as(DiffText)},
		{"diff.json", as(DiffJSON)},
	})
}
