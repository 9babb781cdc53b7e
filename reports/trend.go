package reports

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bierbench/reports/internal/chart"
	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// Trend is a metric over runs, by group and protocol and then in the order in which the runs were
// created; it is also trend.json.
type Trend struct {
	Schema int          `json:"schema"`
	Metric string       `json:"metric"`
	Runs   []string     `json:"runs"` // in the order of their creation
	Points []TrendPoint `json:"points"`
}

// TrendPoint is the metric of a group in a run, a fraction.
type TrendPoint struct {
	Group    runs.Group   `json:"group"`
	Protocol string       `json:"protocol"`
	At       string       `json:"at"` // last or selected
	Run      string       `json:"run"`
	Created  time.Time    `json:"created"` // of the run
	Commits  []string     `json:"commits"` // of bierbench, of the cells
	Summary  runs.Summary `json:"summary"` // over the finished seeds
}

// NewTrend reads a metric of runs, given in any order. Models that were chosen by their test
// results are left out.
func NewTrend(ctx context.Context, rs []*runs.Run, metric string) (*Trend, error) {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, func(a, b *runs.Run) int {
		return cmp.Or(a.Record.Created.Compare(b.Record.Created), strings.Compare(a.Record.ID, b.Record.ID))
	})
	t := &Trend{Schema: Schema, Metric: metric, Runs: []string{}, Points: []TrendPoint{}}
	var known []string
	var order []string // groups and protocols as they first appear
	where := func(p TrendPoint) string { return p.Group.Path() + "\x00" + p.Protocol + "\x00" + p.At }
	for _, r := range rs {
		if slices.Contains(t.Runs, r.Record.ID) {
			return nil, fmt.Errorf("trend: run %s is named twice", r.Record.ID)
		}
		t.Runs = append(t.Runs, r.Record.ID)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cells, err := r.Cells()
		if err != nil {
			return nil, fmt.Errorf("trend: %w", err)
		}
		for _, g := range runs.Groups(cells) {
			g = g.Done()
			var commits []string
			var points []TrendPoint
			for _, c := range g.Cells {
				commits = appendNew(commits, c.Environment.Commit)
				for _, e := range c.Evaluations {
					for m := range e.Metrics {
						known = appendNew(known, m)
					}
					p := TrendPoint{Group: g.Group, Protocol: e.Protocol, At: e.At, Run: r.Record.ID, Created: r.Record.Created}
					if e.At != runs.AtPeek && !slices.ContainsFunc(points, func(x TrendPoint) bool { return where(x) == where(p) }) {
						points = append(points, p)
					}
				}
			}
			for _, p := range points {
				s, ok := g.Summary(p.Protocol, p.At, metric)
				if !ok {
					continue
				}
				p.Summary, p.Commits = s, commits
				order = appendNew(order, where(p))
				t.Points = append(t.Points, p)
			}
		}
	}
	if len(known) > 0 && !slices.Contains(known, metric) {
		slices.SortFunc(known, compareMetrics)
		return nil, fmt.Errorf("trend: no evaluation has metric %q, want one of %q", metric, known)
	}
	slices.SortStableFunc(t.Points, func(a, b TrendPoint) int { return slices.Index(order, where(a)) - slices.Index(order, where(b)) })
	return t, nil
}

// title names the trend.
func (t *Trend) title() string {
	return fmt.Sprintf("%s over %s", t.Metric, counted(len(t.Runs), "run"))
}

// table has a row for each point.
func (t *Trend) table() *table.Table {
	points := &table.Table{
		Title: t.title(),
		Notes: []string{"Runs in the order of their creation; means over seeds ± half of their 95% interval. diff says " +
			"whether a difference is real."},
		Columns: []table.Column{
			table.TextColumn("group", "Group"), table.TextColumn("protocol", "Protocol"), table.TextColumn("run", "Run"),
			table.TextColumn("created", "Created"), table.TextColumn("commit", "Commit"),
			table.NumberColumn("seeds", "Seeds", ""), table.NumberColumn("mean", t.Metric, "%"),
		},
	}
	for _, p := range t.Points {
		protocol := p.Protocol
		if p.At != runs.AtLast {
			protocol += ", " + p.At
		}
		var commits []string
		for _, c := range p.Commits {
			hash, dirty, found := strings.Cut(c, "+")
			if hash = shortDigest(hash); found {
				hash += "+" + dirty
			}
			commits = append(commits, hash)
		}
		points.Add(p.Group, table.Words(p.Group.Path()), table.Words(protocol), table.Words(p.Run), table.Words(timeText(p.Created)),
			table.Words(strings.Join(commits, ", ")), table.Count(len(p.Summary.Seeds)), table.MeanPercent(p.Summary))
	}
	return points
}

// charts draws the groups of each protocol over the runs.
func (t *Trend) charts() []chart.Chart {
	var plots chartsByPlace
	for _, p := range t.Points {
		var runTicks []float64
		for i := range t.Runs {
			runTicks = append(runTicks, float64(i+1))
		}
		c := plots.at(placeOf("", p.Group, p.Protocol), chart.Lines{
			X: "run, in the order of creation", Y: t.Metric + ", %", KeyX: "run", KeyY: t.Metric, Ticks: runTicks, Percent: true, Markers: true,
		})
		name := fmt.Sprintf("%s-%d", p.Group.Method, p.Group.Size)
		if p.At != runs.AtLast {
			name += ", " + p.At
		}
		i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
		if i < 0 {
			i = len(c.Series)
			c.Series = append(c.Series, chart.Series{Name: name, Style: i, Methods: []string{p.Group.Method}})
		}
		c.Series[i].Add(float64(slices.Index(t.Runs, p.Run)+1), p.Summary.Mean, p.Summary.Low, p.Summary.High)
	}
	var list []chart.Chart
	for i, at := range plots.order {
		list = append(list, chart.Chart{
			Name: fmt.Sprintf("trend-%d", i+1), Title: fmt.Sprintf("%s, %s %s, %s", at.protocol, at.backbone, at.mode, at.variant),
			Dataset: at.dataset, Plot: *plots.plots[at],
		})
	}
	return list
}

// Text writes the trend's table for a terminal.
func (t *Trend) Text(w io.Writer) error {
	if len(t.Points) == 0 {
		_, err := fmt.Fprintln(w, "No cell is done yet: there is nothing to show.")
		return err
	}
	return t.table().Text(w)
}

// JSON writes the trend's fields: trend.json.
func (t *Trend) JSON(w io.Writer) error { return writeJSON(w, t) }

// CSV writes a row for each point.
func (t *Trend) CSV(w io.Writer) error { return t.table().CSV(w) }

// trendPage is the data of trend.gohtml.
type trendPage struct {
	pageShell
	Heading  string
	Runs     []string
	Tables   []tableView
	Charts   []chart.Chart
	Datasets []string
	Methods  []string
}

// HTML writes the trend as one page that needs nothing else.
func (t *Trend) HTML(w io.Writer) error {
	s, err := newPageShell(t.title() + " · bierbench trend")
	if err != nil {
		return err
	}
	pages, err := templates()
	if err != nil {
		return err
	}
	p := trendPage{pageShell: s, Heading: t.title(), Runs: t.Runs, Tables: tableViews("trend", t.table()), Charts: t.charts()}
	for _, x := range t.Points {
		p.Datasets = appendNew(p.Datasets, x.Group.Dataset)
		p.Methods = appendNew(p.Methods, x.Group.Method)
	}
	return pages.ExecuteTemplate(w, "trend.gohtml", p)
}

// Write writes trend.html, trend.csv, trend.json and trend.txt into a folder, as Report.Write does.
func (t *Trend) Write(dir string) ([]string, error) {
	return writeAll(dir, []document{{"trend.html", t.HTML}, {"trend.csv", t.CSV}, {"trend.json", t.JSON}, {"trend.txt", t.Text}})
}
