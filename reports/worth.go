package reports

import (
	"fmt"
	"io"
	"slices"

	"bierbench/reports/internal/chart"
	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// WorthReport says how well vectors retrieve when less is kept of them: what a vector is worth. It
// has no verdicts.
type WorthReport struct {
	Schema int          `json:"schema"`
	Title  string       `json:"title"`
	Groups []WorthGroup `json:"groups"` // by protocol, then in the order of their cells
}

// WorthGroup is a group on one protocol.
type WorthGroup struct {
	Run      string       `json:"run"`
	Group    runs.Group   `json:"group"`
	Protocol string       `json:"protocol"`
	At       string       `json:"at"` // last, selected or peek
	Seeds    []int        `json:"seeds"`
	Points   []WorthPoint `json:"points"` // by dimensions, ascending, then by form
}

// WorthPoint is the first dimensions of the group's vectors in one form. Metrics have no comparison.
type WorthPoint struct {
	Dimensions int      `json:"dimensions"`
	Learners   int      `json:"learners,omitempty"` // whole ones that these dimensions are; 0 where they end inside one
	Form       string   `json:"form"`               // float32, int8 or bits
	Bytes      int      `json:"bytes"`              // of a vector; as many megabytes hold a million
	Metrics    []Metric `json:"metrics"`
}

// CellWorth is a done cell and its worth.
type CellWorth struct {
	Cell  runs.Cell
	Worth runs.Worth
}

// NewWorthReport takes the means over the seeds of a run's cells.
func NewWorthReport(run runs.Record, cells []CellWorth) *WorthReport {
	w := &WorthReport{Schema: Schema, Title: run.ID + ": what a vector is worth", Groups: []WorthGroup{}}
	w.add(run.ID, run.Cells, cells)
	w.sort()
	return w
}

// add adds the cells of a run, in the order in which they were planned.
func (w *WorthReport) add(run string, planned []runs.Key, cells []CellWorth) {
	place := func(c CellWorth) int { return slices.Index(planned, c.Cell.Key) }
	cells = slices.Clone(cells)
	slices.SortStableFunc(cells, func(a, b CellWorth) int { return place(a) - place(b) })
	type id struct {
		group        runs.Group
		protocol, at string
	}
	var order []id
	seeds := map[id][]int{}
	found := map[id][]runs.WorthEvaluation{}
	for _, c := range cells {
		for _, e := range c.Worth.Evaluations {
			k := id{c.Cell.Group, e.Protocol, e.At}
			order = appendNew(order, k)
			seeds[k] = append(seeds[k], c.Cell.Seed)
			found[k] = append(found[k], e)
		}
	}
	for _, k := range order {
		g := WorthGroup{Run: run, Group: k.group, Protocol: k.protocol, At: k.at, Seeds: seeds[k]}
		for _, p := range found[k][0].Points {
			if point, ok := worthPoint(p, found[k], seeds[k]); ok {
				g.Points = append(g.Points, point)
			}
		}
		w.Groups = append(w.Groups, g)
	}
}

// worthPoint takes the means of a point over seeds; false where a seed lacks it.
func worthPoint(p runs.WorthPoint, seeds []runs.WorthEvaluation, numbers []int) (WorthPoint, bool) {
	var same []runs.Evaluation
	for _, e := range seeds {
		i := slices.IndexFunc(e.Points, func(x runs.WorthPoint) bool { return x.Dimensions == p.Dimensions && x.Form == p.Form })
		if i < 0 {
			return WorthPoint{}, false
		}
		same = append(same, runs.Evaluation{Metrics: e.Points[i].Metrics, Bounds: e.Points[i].Bounds})
	}
	out := WorthPoint{Dimensions: p.Dimensions, Learners: p.Learners, Form: p.Form, Bytes: p.Bytes}
	var names []string
	for name := range p.Metrics {
		names = append(names, name)
	}
	slices.SortFunc(names, compareMetrics)
	for _, name := range names {
		out.Metrics = append(out.Metrics, metricOf(name, same, numbers))
	}
	return out, true
}

// sort puts the groups of a protocol together.
func (w *WorthReport) sort() {
	var protocols []string
	for _, g := range w.Groups {
		protocols = appendNew(protocols, g.Protocol)
	}
	slices.SortStableFunc(w.Groups, func(a, b WorthGroup) int {
		return slices.Index(protocols, a.Protocol) - slices.Index(protocols, b.Protocol)
	})
}

// metric returns a metric of the point by name.
func (p WorthPoint) metric(name string) (Metric, bool) {
	i := slices.IndexFunc(p.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return p.Metrics[i], true
}

// worthForms are the forms in the order of columns, charts and files.
func worthForms() []string { return []string{"float32", "int8", "bits"} }

// worthNotes say how to read the tables.
func worthNotes() []string {
	return []string{
		"The first dimensions of each vector alone. Where they end inside a learner they get unit length; whole learners are scaled as at " +
			"test time.",
		"float32 takes 4 bytes a number. int8 takes 1, and 4 a vector for its scale, the largest absolute number / 127. bits are signs, " +
			"compared by Hamming distance.",
		"MB holds a million vectors, without an index. All searches are exact. R@1 is the mean over seeds ± half of its 95% interval; there " +
			"are no verdicts.",
	}
}

// tables returns a table for each protocol: a row for each group and number of dimensions.
func (w *WorthReport) tables() []*table.Table {
	if w == nil {
		return nil
	}
	var tables []*table.Table
	for from := 0; from < len(w.Groups); {
		to := from
		for to < len(w.Groups) && w.Groups[to].Protocol == w.Groups[from].Protocol {
			to++
		}
		tables = append(tables, worthTable(w.Groups[from:to]))
		from = to
	}
	if len(tables) > 0 { // said once
		tables[0].Notes = append(worthNotes(), tables[0].Notes...)
	}
	return tables
}

// worthTable shows groups on one protocol.
func worthTable(groups []WorthGroup) *table.Table {
	t := &table.Table{Title: groups[0].Protocol, Notes: protocolNotes(groups[0].Protocol)}
	differ := func(of func(WorthGroup) string) bool {
		return slices.ContainsFunc(groups, func(g WorthGroup) bool { return of(g) != of(groups[0]) })
	}
	network := func(g WorthGroup) string { return g.Group.Backbone + " " + g.Group.Mode }
	t.Columns = []table.Column{table.TextColumn("method", "Method")}
	var more []func(WorthGroup) string
	for _, c := range []struct {
		key, name string
		of        func(WorthGroup) string
	}{
		{"backbone", "Backbone", network},
		{"variant", "Variant", func(g WorthGroup) string { return g.Group.Variant }},
		{"run", "Run", func(g WorthGroup) string { return g.Run }},
	} {
		if differ(c.of) {
			t.Columns = append(t.Columns, table.TextColumn(c.key, c.name))
			more = append(more, c.of)
		}
	}
	t.Columns = append(t.Columns, table.NumberColumn("seeds", "Seeds", ""), table.NumberColumn("embedding_size", "Size", ""),
		table.NumberColumn("dimensions", "Kept", ""), table.TextColumn("learners", "Learners"))
	for _, form := range worthForms() {
		t.Columns = append(t.Columns, table.NumberColumn(form+" bytes", form, "MB"), table.NumberColumn(form+" "+recallAt1, recallAt1, "%"),
			table.NumberColumn(form+" "+mapAtR, mapAtR, "%"))
	}
	for _, g := range groups {
		whole := 0 // learners
		for _, p := range g.Points {
			whole = max(whole, p.Learners)
		}
		var sizes []int
		for _, p := range g.Points {
			sizes = appendNew(sizes, p.Dimensions)
		}
		for _, d := range sizes {
			row := []table.Entry{methodEntry(t, Result{Group: g.Group, At: g.At, Chosen: g.At})}
			for _, of := range more {
				row = append(row, table.Words(of(g)))
			}
			row = append(row, table.Count(len(g.Seeds)), table.Count(g.Group.Size), table.Count(d), table.Absent())
			for _, form := range worthForms() {
				i := slices.IndexFunc(g.Points, func(p WorthPoint) bool { return p.Dimensions == d && p.Form == form })
				if i < 0 {
					row = append(row, table.Absent(), table.Absent(), table.Absent())
					continue
				}
				p := g.Points[i]
				if p.Learners > 0 {
					row[len(more)+4] = table.Words(fmt.Sprintf("%d of %d", p.Learners, whole))
				}
				row = append(row, table.Count(p.Bytes), worthEntry(t, p, recallAt1, true), worthEntry(t, p, mapAtR, false))
			}
			t.Add(g.Group, row...)
		}
	}
	return t
}

// worthEntry shows a metric of a point, with or without its interval.
func worthEntry(t *table.Table, p WorthPoint, name string, interval bool) table.Entry {
	m, ok := p.metric(name)
	if !ok {
		return table.Absent()
	}
	e := table.Percent(m.Summary.Mean)
	if interval {
		e = table.MeanPercent(m.Summary)
	}
	if m.Collapsed {
		e.Marks = append(e.Marks, t.Footnote("collapsed: ties decide this number by more than 0.1 point; the pessimistic one is shown"))
	}
	return e
}

// Text writes the tables for a terminal.
func (w *WorthReport) Text(out io.Writer) error { return w.write(out, (*table.Table).Text) }

// Markdown writes the tables as Markdown.
func (w *WorthReport) Markdown(out io.Writer) error { return w.write(out, (*table.Table).Markdown) }

// write writes the tables one after the other.
func (w *WorthReport) write(out io.Writer, write func(*table.Table, io.Writer) error) error {
	for i, t := range w.tables() {
		if i > 0 {
			if _, err := io.WriteString(out, "\n"); err != nil {
				return err
			}
		}
		if err := write(t, out); err != nil {
			return err
		}
	}
	return nil
}

// JSON writes the fields of the report.
func (w *WorthReport) JSON(out io.Writer) error { return writeJSON(out, w) }

// worthName is the file with the rows of CSV in the folder of a report.
const worthName = "worth.csv"

// CSV writes a row for each group, protocol, part of the vectors, form and metric, as fractions.
func (w *WorthReport) CSV(out io.Writer) error {
	t := &table.Table{}
	for _, k := range []string{
		"run", "dataset", "variant", "backbone", "mode", "method", "embedding_size", "protocol", "at", "dimensions", "learners", "form",
		"bytes", "metric", "seeds", "mean", "low", "high", "sd", "pessimistic", "optimistic", "collapsed",
	} {
		t.Columns = append(t.Columns, table.TextColumn(k, k))
	}
	for _, g := range w.Groups {
		for _, p := range g.Points {
			var learners any
			if p.Learners > 0 {
				learners = p.Learners
			}
			for _, m := range p.Metrics {
				t.AddValues(g.Run, g.Group.Dataset, g.Group.Variant, g.Group.Backbone, g.Group.Mode, g.Group.Method, g.Group.Size, g.Protocol,
					g.At, p.Dimensions, learners, p.Form, p.Bytes, m.Name, len(m.Summary.Seeds), m.Summary.Mean, m.Summary.Low, m.Summary.High,
					m.Summary.SD, m.Pessimistic, m.Optimistic, m.Collapsed)
			}
		}
	}
	return t.CSV(out)
}

// worthCharts returns R@1 over the bytes of a vector, one chart for each protocol, backbone and form.
func (r *Report) worthCharts() []chart.Chart {
	if r.Worth == nil {
		return nil
	}
	l := r.lineStyles()
	var list []chart.Chart
	for _, form := range worthForms() {
		var c chartsByPlace
		for _, g := range r.Worth.Groups {
			s := chart.Series{Name: l.name(g.Group), Style: l.style(g.Group), Methods: []string{g.Group.Method}}
			if g.At != runs.AtLast {
				s.Name += " (" + g.At + ")"
			}
			plot := c.at(placeOf(g.Run, g.Group, g.Protocol), chart.Lines{
				X: "bytes of a vector (log scale), " + form, Y: recallAt1 + ", %", KeyX: "bytes", KeyY: recallAt1, LogX: true, Percent: true, Markers: true,
			})
			for _, p := range g.Points {
				if m, ok := p.metric(recallAt1); ok && p.Form == form {
					s.Add(float64(p.Bytes), m.Summary.Mean, m.Summary.Low, m.Summary.High)
					plot.Ticks = appendNew(plot.Ticks, float64(p.Bytes))
				}
			}
			if len(s.X) > 0 {
				plot.Series = append(plot.Series, s)
			}
		}
		for _, plot := range c.plots {
			slices.Sort(plot.Ticks)
		}
		list = append(list, c.charts(r, "worth-"+form, recallAt1+" over bytes, "+form)...)
	}
	return list
}
