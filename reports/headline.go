package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// detail is how much of the results a table shows.
type detail int

const (
	brief detail = iota // R@1 and MAP@R: for a terminal
	paper               // R@K and MAP@R, no costs: for print
	whole               // and correlations and costs
)

// shows reports whether a table of this detail has a metric.
func (d detail) shows(metric string) bool {
	_, isRecall := recallK(metric)
	return metric == recallAt1 || metric == mapAtR || (d != brief && isRecall)
}

// headlines returns one results table for each protocol.
func (r *Report) headlines(d detail) []*table.Table {
	var tables []*table.Table
	for _, p := range r.protocols() {
		tables = append(tables, r.headline(p, d))
	}
	return tables
}

// protocols returns the protocols in the results' order.
func (r *Report) protocols() []string {
	var list []string
	for _, x := range r.Results {
		list = appendNew(list, x.Protocol)
	}
	return list
}

// onProtocol returns the results on a protocol.
func (r *Report) onProtocol(protocol string) []Result {
	var list []Result
	for _, x := range r.Results {
		if x.Protocol == protocol {
			list = append(list, x)
		}
	}
	return list
}

// headline returns the results on a protocol, one row for each group: its metrics with their
// intervals, the comparison with the base and the costs.
func (r *Report) headline(protocol string, d detail) *table.Table {
	results := r.onProtocol(protocol)
	t := &table.Table{Title: protocol, Notes: r.protocolNotes(results)}
	t.Columns = []table.Column{
		table.TextColumn("method", "Method"), table.TextColumn("backbone", "Backbone"),
		table.NumberColumn("embedding_size", "Size", ""),
	}
	names := slices.DeleteFunc(metricNames(results), func(n string) bool { return !d.shows(n) })
	severalVariants := varies(results, func(x Result) string { return x.Group.Variant })
	severalRuns := varies(results, func(x Result) string { return x.Run })
	if severalVariants {
		t.Columns = append(t.Columns, table.TextColumn("variant", "Variant"))
	}
	if severalRuns {
		t.Columns = append(t.Columns, table.TextColumn("run", "Run"))
	}
	t.Columns = append(t.Columns, table.NumberColumn("seeds", "Seeds", ""))
	lead := min(1, len(names)) // R@1, then how it compares, then the rest
	for _, n := range names[:lead] {
		t.Columns = append(t.Columns, table.NumberColumn(n, n, "%"))
	}
	learners := d == whole && slices.ContainsFunc(results, func(x Result) bool { return r.group(x).Learners != nil })
	compared, severalBases := r.compared(results), r.ownBases(results)
	if compared {
		t.Columns = append(t.Columns, table.NumberColumn("delta R@1", "ΔR@1", "pt"), table.NumberColumn("interval", "95% int.", "pt"))
		if severalBases {
			t.Columns = append(t.Columns, table.TextColumn("base", "Base"), table.TextColumn("verdict", "vs base"))
		} else {
			t.Columns = append(t.Columns, table.TextColumn("verdict", "vs "+r.Base))
		}
	}
	for _, n := range names[lead:] {
		t.Columns = append(t.Columns, table.NumberColumn(n, n, "%"))
	}
	if learners {
		t.Columns = append(t.Columns, table.NumberColumn("correlation_learners", "Corr. learners", ""))
	}
	if d == whole {
		t.Columns = append(t.Columns, table.NumberColumn("correlation_dimensions", "Corr. dims", ""))
	}
	if d != paper {
		t.Columns = append(t.Columns, table.NumberColumn("seconds", "Cell", "s"))
	}
	span := largestReach(results)
	for _, x := range results {
		g := r.group(x)
		row := []table.Entry{methodEntry(t, x), table.Words(x.Group.Backbone + " " + x.Group.Mode), table.Count(x.Group.Size)}
		if severalVariants {
			row = append(row, table.Words(x.Group.Variant))
		}
		if severalRuns {
			row = append(row, table.Words(x.Run))
		}
		row = append(row, seedsEntry(t, x, g))
		for _, n := range names[:lead] {
			row = append(row, metricEntry(t, x, n))
		}
		if compared {
			versus := versusEntries(t, r, x, span)
			if severalBases {
				versus = slices.Insert(versus, len(versus)-1, baseEntry(x))
			}
			row = append(row, versus...)
		}
		for _, n := range names[lead:] {
			row = append(row, metricEntry(t, x, n))
		}
		if learners {
			row = append(row, correlationEntry(g.Learners))
		}
		if d == whole {
			row = append(row, correlationEntry(g.Dimensions))
		}
		if d != paper {
			row = append(row, stageEntry(g, "total"))
		}
		t.Add(x.Group, row...)
	}
	return t
}

// protocolNotes says what all results on a protocol have in common.
func (r *Report) protocolNotes(results []Result) []string {
	first := results[0]
	what := first.Group.Dataset + ", " + first.Group.Variant
	if varies(results, func(x Result) string { return x.Group.Variant }) {
		what = first.Group.Dataset
	}
	size := fmt.Sprintf("%s: %s, gallery of %s", what, countedQueries(first.Queries), counted(first.Gallery, "image"))
	if first.Excluded > 0 {
		size += fmt.Sprintf("; %d more without a positive are left out", first.Excluded)
	}
	notes := []string{size + "."}
	return append(notes, protocolNotes(first.Protocol)...)
}

// compared reports whether any result has a comparison with a base.
func (r *Report) compared(results []Result) bool {
	return slices.ContainsFunc(results, func(x Result) bool {
		m, ok := x.metric(recallAt1)
		return ok && m.Versus != nil
	})
}

// ownBases reports whether any result is compared with a base other than the report's.
func (r *Report) ownBases(results []Result) bool {
	return slices.ContainsFunc(results, func(x Result) bool {
		m, ok := x.metric(recallAt1)
		return ok && m.Versus != nil && m.Versus.A.Method != r.Base
	})
}

// baseEntry returns the method that a result is compared with.
func baseEntry(x Result) table.Entry {
	m, _ := x.metric(recallAt1)
	if m.Versus == nil {
		return table.Absent()
	}
	return table.Words(m.Versus.A.Method)
}

// methodEntry returns the label of a result's row. It says, with a footnote, where the numbers are
// not those of the last step.
func methodEntry(t *table.Table, x Result) table.Entry {
	e := table.Words(x.Group.Method)
	if x.At == runs.AtLast {
		return e
	}
	e = table.Words(x.Group.Method + " (" + x.At + ")")
	note := x.Chosen
	if x.At == runs.AtPeek {
		note += ": the best of several evaluations on the test images, an optimistic number that is compared with nothing"
	}
	e.Marks = append(e.Marks, t.Footnote(note))
	return e
}

// seedsEntry returns the number of a result's seeds, with a mark where some are missing.
func seedsEntry(t *table.Table, x Result, g Group) table.Entry {
	e := table.Count(len(x.Seeds))
	switch {
	case len(x.Seeds) != 1:
	case (distinctConfig{fields: flatten(g.Config)}).untrained():
		e.Marks = append(e.Marks, t.Footnote("untrained: there is no seed to vary"))
	default:
		e.Marks = append(e.Marks, t.Footnote("one seed: there is no interval and no verdict"))
	}
	if len(g.Planned) > len(x.Seeds) {
		e.Text += "/" + strconv.Itoa(len(g.Planned))
		e.Marks = append(e.Marks, t.Footnote("not every planned cell is done; see the list of cells without a result"))
	}
	return e
}

// metricEntry returns a metric's mean and interval, bold where it is better than its base's.
func metricEntry(t *table.Table, x Result, name string) table.Entry {
	m, ok := x.metric(name)
	if !ok {
		return table.Absent()
	}
	e := table.MeanPercent(m.Summary)
	if m.Collapsed {
		e.Marks = append(e.Marks, t.Footnote(collapsedNote))
		return e
	}
	e.Bold = m.Versus != nil && m.Versus.Verdict == runs.Better && m.Versus.Reason == ""
	return e
}

// versusEntries returns the comparison of a result with its base on R@1. span is largestReach.
func versusEntries(t *table.Table, r *Report, x Result, span float64) []table.Entry {
	m, _ := x.metric(recallAt1)
	c := m.Versus
	switch {
	case c == nil && x.Group.Method == r.Base:
		return []table.Entry{table.Absent(), table.Absent(), table.Words("base")}
	case c == nil:
		return []table.Entry{table.Absent(), table.Absent(), table.Absent()}
	case c.Reason != "":
		e := table.Words("not compared")
		e.Marks = []int{t.Footnote("not compared with " + c.A.Method + ": " + c.Reason)}
		return []table.Entry{table.Absent(), table.Absent(), e}
	}
	delta, bounds, verdict := table.Points(c.Delta), table.Interval(c.Low, c.High), verdictEntry(*c)
	if !m.Collapsed && c.Verdict != "" {
		bounds.Plot = &table.Whisker{Low: c.Low, Middle: c.Delta, High: c.High, Span: span, Verdict: c.Verdict}
	} else { // the other side may be the collapsed one
		bounds = table.Absent()
		verdict = collapsedEntry()
		verdict.Marks = []int{t.Footnote(collapsedNote)}
	}
	delta.Bold = verdict.Bold
	for _, run := range r.Runs {
		if run.ID != x.Run {
			continue
		}
		for _, note := range comparisonNotes(*c, run.Footnotes) {
			// The settings that differ are a section of their own, and collapsed rows are marked
			// already.
			if !strings.HasPrefix(note, "configuration:") && !strings.HasPrefix(note, "collapsed") {
				verdict.Marks = append(verdict.Marks, t.Footnote(note))
			}
		}
	}
	return []table.Entry{delta, bounds, verdict}
}

// comparisonNotes returns the footnotes of a comparison.
func comparisonNotes(c runs.Comparison, footnotes []string) []string {
	var list []string
	for _, i := range c.Notes {
		if i >= 0 && i < len(footnotes) {
			list = append(list, footnotes[i])
		}
	}
	return list
}

// collapsedNote explains a collapsed metric.
const collapsedNote = "collapsed: ties decide this metric by more than 0.1 point; the pessimistic number is shown, and there is no verdict"

// collapsedEntry stands in the place of the verdict on a collapsed metric.
func collapsedEntry() table.Entry { return table.Words("collapsed") }

// verdictEntry returns the words of a comparison's verdict. Only better is bold.
func verdictEntry(c runs.Comparison) table.Entry {
	e := table.Words(c.Verdict)
	e.Bold = c.Verdict == runs.Better
	return e
}

// largestReach returns the largest distance from 0 that the results' intervals reach.
func largestReach(results []Result) float64 {
	reach := 0.0
	for _, x := range results {
		if m, ok := x.metric(recallAt1); ok && m.Versus != nil && m.Versus.Verdict != "" {
			reach = max(reach, -m.Versus.Low, m.Versus.High)
		}
	}
	return reach
}

// correlationEntry returns the mean of a correlation over seeds.
func correlationEntry(s *runs.Summary) table.Entry {
	if s == nil {
		return table.Absent()
	}
	return table.Correlation(s.Mean)
}

// stageEntry returns the mean seconds of a stage.
func stageEntry(g Group, name string) table.Entry {
	s, ok := g.Timing[name]
	if !ok {
		return table.Absent()
	}
	return table.Seconds(s)
}

// metricNames returns the metrics of results in the order of tables.
func metricNames(results []Result) []string {
	var names []string
	for _, x := range results {
		for _, m := range x.Metrics {
			names = appendNew(names, m.Name)
		}
	}
	slices.SortFunc(names, compareMetrics)
	return names
}

// varies reports whether the results differ in a property.
func varies(results []Result, of func(Result) string) bool {
	return slices.ContainsFunc(results, func(x Result) bool { return of(x) != of(results[0]) })
}
