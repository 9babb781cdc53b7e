package reports

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bierbench/reports/internal/chart"
	"bierbench/reports/internal/table"
)

//go:embed *.gohtml style.css script.js
var assets embed.FS

// pageShell is the frame that all pages share: their style and script, both inside the page.
type pageShell struct {
	Head   string // title of the window
	Policy string // Content-Security-Policy: this page's own style and script, nothing else
	Style  template.CSS
	Script template.JS
}

// newPageShell returns the frame of a page. The policy names the script by its digest, so that no
// other script could run even if text from data got out.
func newPageShell(title string) (pageShell, error) {
	style, err := assets.ReadFile("style.css")
	if err != nil {
		return pageShell{}, err
	}
	script, err := assets.ReadFile("script.js")
	if err != nil {
		return pageShell{}, err
	}
	sum := sha256.Sum256(script)
	return pageShell{
		Head: title,
		Policy: "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(sum[:]) + "'",
		Style:  template.CSS(string(style) + chart.Style(pageColor)), //nolint:gosec // a file of this package and its colours
		Script: template.JS(script),                                  //nolint:gosec // a file of this package
	}, nil
}

// pageColor names a colour of charts by the page's variable, which has another value in the dark.
func pageColor(name string) string { return "var(--" + name + ")" }

// templates parses the pages' templates.
func templates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"marks": func(id string, e table.Entry) []footnoteMark { return markLinks(e, id) },
		"sort":  sortKey,
		"class": cellClass,
		"right": func(a table.Align) bool { return a == table.Right },
		"time":  timeText,
		"plus1": func(i int) int { return i + 1 },
	}).ParseFS(assets, "*.gohtml")
}

// tableView is a table in a page.
type tableView struct {
	*table.Table
	ID string
}

// tableViews gives tables their ids in a page. Nil tables are left out.
func tableViews(prefix string, tables ...*table.Table) []tableView {
	var list []tableView
	for _, t := range tables {
		if t != nil {
			list = append(list, tableView{Table: t, ID: fmt.Sprintf("%s-%d", prefix, len(list)+1)})
		}
	}
	return list
}

// footnoteMark is the mark of a footnote and its link.
type footnoteMark struct {
	Number int
	Link   string
}

// markLinks returns the marks of an entry, ascending, with their links.
func markLinks(e table.Entry, tableID string) []footnoteMark {
	list := make([]footnoteMark, len(e.Marks))
	for i, m := range slices.Sorted(slices.Values(e.Marks)) {
		list[i] = footnoteMark{Number: m, Link: fmt.Sprintf("#%s-note-%d", tableID, m)}
	}
	return list
}

// longText is the length in characters from which a cell's text may wrap.
const longText = 28

// cellClass returns the style class of a table cell.
func cellClass(c table.Column, e table.Entry) string {
	switch {
	case c.Align == table.Right:
		return "number"
	case utf8.RuneCountInString(e.Text) > longText:
		return "long"
	}
	return ""
}

// sortKey returns the text by which the page's script sorts an entry. Numbers sort as numbers,
// absent values last.
func sortKey(e table.Entry) string {
	switch v := e.Value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int:
		return strconv.Itoa(v)
	case string:
		return v
	}
	return e.Text
}

// reportPage is the data of report.gohtml.
type reportPage struct {
	pageShell
	*Report
	Done, Planned int
	Missing       string // counts of the cells without a result
	Against       string // what the methods are compared with
	Rule          string // of a verdict
	Datasets      []string
	Methods       []string
	Failed        []tableView
	Headlines     []tableView
	Anatomy       []tableView
	Costs         []tableView
	Plan          []tableView
	Receipts      []tableView
	Settings      []tableView
	Environment   []tableView
	Spread        []tableView // of seeds: the noise
	Worths        []tableView // of vectors of which less is kept
	Configs       []distinctConfig
	Charts        reportCharts
	Drawn         []chartKind // of the ensembles, in this page
	Beside        []chartKind // likewise, only in files
	Examples      pictureView
	Others        publishedView // what others have published
}

// HTML writes the report as one page that needs nothing else.
func (r *Report) HTML(w io.Writer) error {
	s, err := newPageShell(r.Title + " · bierbench report")
	if err != nil {
		return err
	}
	t, err := templates()
	if err != nil {
		return err
	}
	shared, differing := r.settingsTables()
	p := reportPage{
		pageShell: s, Report: r,
		Failed:      tableViews("failed", r.failures()),
		Headlines:   tableViews("results", r.headlines(whole)...),
		Anatomy:     tableViews("anatomy", r.anatomy()),
		Costs:       tableViews("costs", r.costs()),
		Plan:        tableViews("plan", r.planned()),
		Receipts:    tableViews("receipts", r.receipts()),
		Settings:    tableViews("settings", differing, shared),
		Environment: tableViews("environment", r.environments()),
		Spread:      tableViews("noise", r.Noise.tables()...),
		Worths:      tableViews("worth", r.Worth.tables()...),
		Configs:     r.configurations(),
		Charts:      r.charts(),
		Others:      r.Published.view(),
	}
	p.Drawn, p.Beside = p.Charts.split()
	for _, run := range r.Runs {
		p.Done += run.Done
		p.Planned += run.Planned
	}
	p.Missing, p.Against, p.Rule = r.missing(), r.Base, strings.Join(verdictRule(), " ")
	if r.ownBases(r.Results) {
		p.Against = "its base"
	}
	for _, g := range r.Groups {
		p.Datasets = appendNew(p.Datasets, g.Group.Dataset)
		p.Methods = appendNew(p.Methods, g.Group.Method)
	}
	write := func(w io.Writer) error { return t.ExecuteTemplate(w, "report.gohtml", p) }
	room, err := r.examples.roomIn(write)
	if err != nil {
		return err
	}
	p.Examples = r.examples.within(room)
	return write(w)
}
