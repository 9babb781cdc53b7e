package reports

import (
	"fmt"
	"slices"
	"strings"
)

// failures lists the cells without a result; nil where every cell has one.
func (r *Report) failures() *Table {
	if len(r.Failures) == 0 {
		return nil
	}
	t := &Table{Title: "Cells without a result"}
	t.Columns = []Column{text("cell", "Cell"), text("run", "Run"), text("status", "Status"), text("error", "Error")}
	for _, f := range r.Failures {
		t.Rows = append(t.Rows, Row{Entries: []Entry{words(f.Cell), words(f.Run), words(f.Status), words(f.Error)}})
	}
	return t
}

// missing counts the cells without a result by what became of them.
func (r *Report) missing() string {
	var order, parts []string
	counts := map[string]int{}
	for _, f := range r.Failures {
		order = appendNew(order, f.Status)
		counts[f.Status]++
	}
	for _, status := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[status], status))
	}
	return strings.Join(parts, ", ")
}

// anatomy shows each ensemble's learners, alone and added up in boosting
// order; nil where there is none.
func (r *Report) anatomy() *Table {
	t := &Table{Title: "Learners of the ensembles, R@1"}
	t.Notes = []string{"Each learner's slice alone, and it with all before it, scaled as at test time."}
	t.Columns = []Column{
		text("method", "Method"), text("protocol", "Protocol"), text("backbone", "Backbone"), text("mode", "Mode"),
		number("embedding_size", "Size", ""), number("learner", "Learner", ""), number("width", "Width", ""),
		number("R@1", "Alone", "%"), number("R@1 cumulative", "Cumulative", "%"),
	}
	several := varies(r.Results, func(x Result) string { return x.Run })
	for _, x := range r.Results {
		if len(x.Learners) < 2 {
			continue
		}
		for i, l := range x.Learners {
			method := t.method(x)
			if several {
				method.Text += " (" + x.Run + ")"
			}
			t.add(
				x.Group, method, words(x.Protocol), words(x.Group.Backbone), words(x.Group.Mode), count(x.Group.Size),
				count(i+1), count(l.Size), percentOver(l.R1), percentOver(l.Cumulative),
			)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// costs shows what each group's cells took, stage by stage; nil without cells.
func (r *Report) costs() *Table {
	t := &Table{Title: "Time and throughput of a cell, mean over seeds"}
	t.Columns = r.groupColumns()
	stages, rates := r.stages(), []string{}
	for _, g := range r.Groups {
		for name := range g.Throughput {
			rates = appendNew(rates, name)
		}
	}
	slices.Sort(rates)
	for _, s := range stages {
		t.Columns = append(t.Columns, number(s, s, "s"))
	}
	for _, s := range rates {
		t.Columns = append(t.Columns, number(s, s, ""))
	}
	for _, g := range r.Groups {
		if len(g.Done) == 0 {
			continue
		}
		row := r.groupEntries(g)
		for _, s := range stages {
			row = append(row, stage(g, s))
		}
		for _, s := range rates {
			if v, ok := g.Throughput[s]; ok {
				row = append(row, Entry{Value: v, Text: significant(v)})
			} else {
				row = append(row, none())
			}
		}
		t.add(g.Group, row...)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// stages returns the stages that were timed, in the order in which they run.
func (r *Report) stages() []string {
	stages := []string{}
	for _, g := range r.Groups {
		for name := range g.Timing {
			stages = appendNew(stages, name)
		}
	}
	known := []string{"features", "initialise", "train", "select", "embed", "evaluate", "overhead", "total"}
	slices.SortFunc(stages, func(a, b string) int {
		if i, j := slices.Index(known, a), slices.Index(known, b); i >= 0 || j >= 0 {
			return (i+len(known)+1)%(len(known)+1) - (j+len(known)+1)%(len(known)+1)
		}
		return strings.Compare(a, b)
	})
	return stages
}

// groupColumns returns the columns that name a group.
func (r *Report) groupColumns() []Column {
	columns := []Column{
		text("method", "Method"), text("dataset", "Data set"), text("variant", "Variant"),
		text("backbone", "Backbone"), text("mode", "Mode"), number("embedding_size", "Size", ""),
	}
	if len(r.Runs) > 1 {
		columns = append(columns, text("run", "Run"))
	}
	return columns
}

// groupEntries returns the entries under groupColumns.
func (r *Report) groupEntries(g Group) []Entry {
	entries := []Entry{
		words(g.Group.Method), words(g.Group.Dataset), words(g.Group.Variant),
		words(g.Group.Backbone), words(g.Group.Mode), count(g.Group.Size),
	}
	if len(r.Runs) > 1 {
		entries = append(entries, words(g.Run))
	}
	return entries
}

// receipts says which images the numbers were measured on; nil without results.
func (r *Report) receipts() *Table {
	t := &Table{Title: "Data receipts"}
	t.Notes = []string{"Digests begin with the given characters; report.json has them whole. Equal digests mean equal images, lists and preprocessing."}
	t.Columns = []Column{
		text("protocol", "Protocol"), text("dataset", "Data set"), text("variant", "Variant"),
		number("queries", "Queries", ""), number("gallery", "Gallery", ""), number("excluded", "Excluded", ""),
		text("test_hash", "Test images"), text("data_hash", "Data set digest"),
	}
	type receipt struct{ protocol, variant, test, data string }
	seen := map[receipt]bool{}
	for _, x := range r.Results {
		for _, test := range x.TestHashes {
			for _, data := range r.group(x).DataHash {
				k := receipt{x.Protocol, x.Group.Variant, test, data}
				if seen[k] {
					continue
				}
				seen[k] = true
				group := x.Group
				group.Method, group.Backbone, group.Mode, group.Size = "", "", "", 0 // of all methods
				t.add(
					group, words(x.Protocol), words(x.Group.Dataset), words(x.Group.Variant),
					count(x.Queries), count(x.Gallery), count(x.Excluded),
					Entry{Value: test, Text: short(test)}, Entry{Value: data, Text: short(data)},
				)
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// environments says what the cells ran on; nil without done cells.
func (r *Report) environments() *Table {
	if len(r.Environments) == 0 {
		return nil
	}
	t := &Table{Title: "Environment"}
	t.Columns = []Column{text("what", "What")}
	rows := [][]Entry{
		{words("cells")},
		{words("bierbench")},
		{words("Go")},
		{words("GoMLX")},
		{words("backend")},
		{words("device")},
		{words("plugin")},
		{words("CPU")},
		{words("weights")},
	}
	for i, e := range r.Environments {
		t.Columns = append(t.Columns, text(fmt.Sprintf("environment %d", i+1), fmt.Sprintf("Environment %d", i+1)))
		for j, v := range []Entry{
			count(e.Cells), words(e.Commit), words(e.Go), words(e.GoMLX), words(e.Backend),
			words(e.Device), words(e.Plugin), words(e.CPU), words(e.Weights),
		} {
			rows[j] = append(rows[j], v)
		}
	}
	for _, row := range rows {
		t.Rows = append(t.Rows, Row{Entries: row})
	}
	return t
}

// long is every number of the report, a row a group, protocol and metric, all
// fractions: report.csv.
func (r *Report) long() *Table {
	t := &Table{Title: "Results"}
	for _, k := range []string{
		"run", "dataset", "variant", "backbone", "mode", "method", "embedding_size", "protocol", "at", "metric",
		"seeds", "mean", "low", "high", "sd", "pessimistic", "optimistic", "collapsed",
		"base", "delta", "delta_low", "delta_high", "p", "p_holm", "verdict", "gained", "lost", "not_compared",
		"queries", "gallery", "excluded", "correlation_learners", "correlation_dimensions", "seconds", "planned_seconds", "planned_memory", "peak_memory", "test_hash", "data_hash",
		"chosen", "test_looks",
	} {
		t.Columns = append(t.Columns, text(k, k))
	}
	value := func(v any) Entry { return Entry{Value: v} }
	for _, x := range r.Results {
		g := r.group(x)
		for _, m := range x.Metrics {
			row := []Entry{
				value(x.Run), value(x.Group.Dataset), value(x.Group.Variant), value(x.Group.Backbone), value(x.Group.Mode),
				value(x.Group.Method), value(x.Group.Size), value(x.Protocol), value(x.At), value(m.Name),
				value(len(x.Seeds)), value(m.Summary.Mean), value(m.Summary.Low), value(m.Summary.High), value(m.Summary.SD),
				value(m.Pessimistic), value(m.Optimistic), value(m.Collapsed),
			}
			c := m.Versus
			switch {
			case c == nil:
				row = append(row, make([]Entry, 10)...)
			case c.Reason != "":
				row = append(row, append(append([]Entry{value(c.A.Method)}, make([]Entry, 8)...), value(c.Reason))...)
			default:
				verdict := c.Verdict
				if m.Collapsed {
					verdict = ""
				}
				gained, lost := value(c.Gained), value(c.Lost)
				if len(c.Pairs) == 0 { // no seed is on both sides
					gained, lost = value(""), value("")
				}
				row = append(row, value(c.A.Method), value(c.Delta), value(c.Low), value(c.High), value(c.P), value(c.PHolm),
					value(verdict), gained, lost, value(""))
			}
			row = append(row, value(x.Queries), value(x.Gallery), value(x.Excluded))
			for _, s := range []Entry{summary(g.Learners), summary(g.Dimensions), stage(g, "total")} {
				row = append(row, value(s.Value))
			}
			row = append(row, g.Forecast.perCell()...)
			row = append(row, value(strings.Join(x.TestHashes, " ")), value(strings.Join(g.DataHash, " ")))
			row = append(row, value(x.Chosen), x.testLooks())
			t.add(x.Group, row...)
		}
	}
	return t
}
