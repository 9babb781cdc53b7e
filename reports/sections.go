package reports

import (
	"fmt"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
)

// failures lists the cells without a result; nil where every cell has one.
func (r *Report) failures() *table.Table {
	if len(r.Failures) == 0 {
		return nil
	}
	t := &table.Table{Title: "Cells without a result"}
	t.Columns = []table.Column{
		table.TextColumn("cell", "Cell"), table.TextColumn("run", "Run"),
		table.TextColumn("status", "Status"), table.TextColumn("error", "Error"),
	}
	for _, f := range r.Failures {
		t.Rows = append(t.Rows, table.Row{Entries: []table.Entry{
			table.Words(f.Cell), table.Words(f.Run), table.Words(f.Status),
			table.Words(f.Error),
		}})
	}
	return t
}

// missing counts the cells without a result by their state.
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

// anatomy shows the learners of each ensemble, alone and cumulative in boosting order; nil where
// there is no ensemble.
func (r *Report) anatomy() *table.Table {
	t := &table.Table{Title: "Learners of the ensembles, R@1"}
	t.Notes = []string{"Each learner's slice alone, and it with all before it, scaled as at test time."}
	t.Columns = []table.Column{
		table.TextColumn("method", "Method"), table.TextColumn("protocol", "Protocol"), table.TextColumn("backbone", "Backbone"),
		table.TextColumn("mode", "Mode"),
		table.NumberColumn("embedding_size", "Size", ""), table.NumberColumn("learner", "Learner", ""), table.NumberColumn("width", "Width", ""),
		table.NumberColumn("R@1", "Alone", "%"), table.NumberColumn("R@1 cumulative", "Cumulative", "%"),
	}
	several := varies(r.Results, func(x Result) string { return x.Run })
	for _, x := range r.Results {
		if len(x.Learners) < 2 {
			continue
		}
		for i, l := range x.Learners {
			method := methodEntry(t, x)
			if several {
				method.Text += " (" + x.Run + ")"
			}
			t.Add(
				x.Group, method, table.Words(x.Protocol), table.Words(x.Group.Backbone), table.Words(x.Group.Mode), table.Count(x.Group.Size),
				table.Count(i+1), table.Count(l.Size), table.MeanPercent(l.R1), table.MeanPercent(l.Cumulative),
			)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// costs shows the time of each group's cells, stage by stage; nil without cells.
func (r *Report) costs() *table.Table {
	t := &table.Table{Title: "Time and throughput of a cell, mean over seeds"}
	t.Columns = r.groupColumns()
	stages, rates := r.stages(), []string{}
	for _, g := range r.Groups {
		for name := range g.Throughput {
			rates = appendNew(rates, name)
		}
	}
	slices.Sort(rates)
	for _, s := range stages {
		t.Columns = append(t.Columns, table.NumberColumn(s, s, "s"))
	}
	for _, s := range rates {
		t.Columns = append(t.Columns, table.NumberColumn(s, s, ""))
	}
	for _, g := range r.Groups {
		if len(g.Done) == 0 {
			continue
		}
		row := r.groupEntries(g)
		for _, s := range stages {
			row = append(row, stageEntry(g, s))
		}
		for _, s := range rates {
			if v, ok := g.Throughput[s]; ok {
				row = append(row, table.Entry{Value: v, Text: table.Significant(v)})
			} else {
				row = append(row, table.Absent())
			}
		}
		t.Add(g.Group, row...)
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
func (r *Report) groupColumns() []table.Column {
	columns := []table.Column{
		table.TextColumn("method", "Method"), table.TextColumn("dataset", "Data set"), table.TextColumn("variant", "Variant"),
		table.TextColumn("backbone", "Backbone"), table.TextColumn("mode", "Mode"), table.NumberColumn("embedding_size", "Size", ""),
	}
	if len(r.Runs) > 1 {
		columns = append(columns, table.TextColumn("run", "Run"))
	}
	return columns
}

// groupEntries returns the entries under groupColumns.
func (r *Report) groupEntries(g Group) []table.Entry {
	entries := []table.Entry{
		table.Words(g.Group.Method), table.Words(g.Group.Dataset), table.Words(g.Group.Variant),
		table.Words(g.Group.Backbone), table.Words(g.Group.Mode), table.Count(g.Group.Size),
	}
	if len(r.Runs) > 1 {
		entries = append(entries, table.Words(g.Run))
	}
	return entries
}

// receipts shows the images on which the numbers were measured; nil without results.
func (r *Report) receipts() *table.Table {
	t := &table.Table{Title: "Data receipts"}
	t.Notes = []string{"Digests begin with the given characters; report.json has them whole. Equal digests mean equal " +
		"images, lists and preprocessing."}
	t.Columns = []table.Column{
		table.TextColumn("protocol", "Protocol"), table.TextColumn("dataset", "Data set"), table.TextColumn("variant", "Variant"),
		table.NumberColumn("queries", "Queries", ""), table.NumberColumn("gallery", "Gallery", ""),
		table.NumberColumn("excluded", "Excluded", ""),
		table.TextColumn("test_hash", "Test images"), table.TextColumn("data_hash", "Data set digest"),
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
				t.Add(
					group, table.Words(x.Protocol), table.Words(x.Group.Dataset), table.Words(x.Group.Variant),
					table.Count(x.Queries), table.Count(x.Gallery), table.Count(x.Excluded),
					table.Entry{Value: test, Text: shortDigest(test)}, table.Entry{Value: data, Text: shortDigest(data)},
				)
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// environments shows what the cells ran on; nil without finished cells.
func (r *Report) environments() *table.Table {
	if len(r.Environments) == 0 {
		return nil
	}
	t := &table.Table{Title: "Environment"}
	t.Columns = []table.Column{table.TextColumn("what", "What")}
	rows := [][]table.Entry{
		{table.Words("cells")},
		{table.Words("bierbench")},
		{table.Words("Go")},
		{table.Words("GoMLX")},
		{table.Words("backend")},
		{table.Words("device")},
		{table.Words("plugin")},
		{table.Words("CPU")},
		{table.Words("weights")},
	}
	for i, e := range r.Environments {
		t.Columns = append(t.Columns, table.TextColumn(fmt.Sprintf("environment %d", i+1), fmt.Sprintf("Environment %d", i+1)))
		for j, v := range []table.Entry{
			table.Count(e.Cells), table.Words(e.Commit), table.Words(e.Go), table.Words(e.GoMLX), table.Words(e.Backend),
			table.Words(e.Device), table.Words(e.Plugin), table.Words(e.CPU), table.Words(e.Weights),
		} {
			rows[j] = append(rows[j], v)
		}
	}
	for _, row := range rows {
		t.Rows = append(t.Rows, table.Row{Entries: row})
	}
	return t
}

// long has every number of the report, a row for each group, protocol and metric, all as fractions:
// report.csv.
func (r *Report) long() *table.Table {
	t := &table.Table{Title: "Results"}
	for _, k := range []string{
		"run", "dataset", "variant", "backbone", "mode", "method", "embedding_size", "protocol", "at", "metric",
		"seeds", "mean", "low", "high", "sd", "pessimistic", "optimistic", "collapsed",
		"base", "delta", "delta_low", "delta_high", "p", "p_holm", "verdict", "gained", "lost", "not_compared",
		"queries", "gallery", "excluded", "correlation_learners", "correlation_dimensions", "seconds", "planned_seconds",
		"planned_memory", "peak_memory", "test_hash", "data_hash",
		"chosen", "test_looks",
	} {
		t.Columns = append(t.Columns, table.TextColumn(k, k))
	}
	value := func(v any) table.Entry { return table.Entry{Value: v} }
	for _, x := range r.Results {
		g := r.group(x)
		for _, m := range x.Metrics {
			row := []table.Entry{
				value(x.Run), value(x.Group.Dataset), value(x.Group.Variant), value(x.Group.Backbone), value(x.Group.Mode),
				value(x.Group.Method), value(x.Group.Size), value(x.Protocol), value(x.At), value(m.Name),
				value(len(x.Seeds)), value(m.Summary.Mean), value(m.Summary.Low), value(m.Summary.High), value(m.Summary.SD),
				value(m.Pessimistic), value(m.Optimistic), value(m.Collapsed),
			}
			c := m.Versus
			switch {
			case c == nil:
				row = append(row, make([]table.Entry, 10)...)
			case c.Reason != "":
				row = append(row, append(append([]table.Entry{value(c.A.Method)}, make([]table.Entry, 8)...), value(c.Reason))...)
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
			for _, s := range []table.Entry{correlationEntry(g.Learners), correlationEntry(g.Dimensions), stageEntry(g, "total")} {
				row = append(row, value(s.Value))
			}
			row = append(row, g.Forecast.perCell()...)
			row = append(row, value(strings.Join(x.TestHashes, " ")), value(strings.Join(g.DataHash, " ")))
			row = append(row, value(x.Chosen), x.testLooks())
			t.Add(x.Group, row...)
		}
	}
	return t
}
