package reports

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// NoiseReport is the noise of runs and the number of seeds that a difference needs; it is also
// noise.json.
type NoiseReport struct {
	Schema    int              `json:"schema"`
	TableRows int              `json:"table_rows"` // of the table in which differences are to be found
	Noise     []runs.SeedNoise `json:"noise"`
}

// NewNoiseReport returns the report of rows that were measured with the options.
func NewNoiseReport(rows []runs.SeedNoise, o runs.NoiseOptions) *NoiseReport {
	return &NoiseReport{Schema: Schema, TableRows: o.Rows, Noise: rows}
}

// tables returns the tables of the noise: the spread over seeds, A/A, and the seeds needed; none
// without rows.
func (n *NoiseReport) tables() []*table.Table {
	if n == nil || len(n.Noise) == 0 {
		return nil
	}
	tables := []*table.Table{n.spreads()}
	for _, t := range []*table.Table{n.same(), n.needed()} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// names returns the columns that tell rows apart and the function that fills them. Columns with one
// value in all rows are left out.
func (n *NoiseReport) names() ([]table.Column, func(runs.SeedNoise) []table.Entry) {
	type name struct {
		column table.Column
		of     func(runs.SeedNoise) string
	}
	names := []name{
		{table.TextColumn("protocol", "Protocol"), func(r runs.SeedNoise) string { return r.Protocol }},
		{table.TextColumn("backbone", "Backbone"), func(r runs.SeedNoise) string { return r.Group.Backbone + " " + r.Group.Mode }},
	}
	for _, x := range []name{
		{table.TextColumn("variant", "Variant"), func(r runs.SeedNoise) string { return r.Group.Dataset + "." + r.Group.Variant }},
		{table.TextColumn("at", "Model"), func(r runs.SeedNoise) string { return r.At }},
		{table.TextColumn("metric", "Metric"), func(r runs.SeedNoise) string { return r.Metric }},
		{table.TextColumn("run", "Run"), func(r runs.SeedNoise) string { return r.Run }},
	} {
		// A data set's variant is in its protocol already, unless two share it.
		differ := slices.ContainsFunc(n.Noise, func(r runs.SeedNoise) bool {
			return slices.ContainsFunc(n.Noise, func(s runs.SeedNoise) bool { return s.Protocol == r.Protocol && x.of(s) != x.of(r) })
		})
		if differ {
			names = append(names, x)
		}
	}
	var columns []table.Column
	for _, x := range names {
		columns = append(columns, x.column)
	}
	return columns, func(r runs.SeedNoise) []table.Entry {
		var entries []table.Entry
		for _, x := range names {
			entries = append(entries, table.Words(x.of(r)))
		}
		return entries
	}
}

// metrics names the metrics that were measured, and the method where there is a single one.
func (n *NoiseReport) metrics() string {
	var metrics, methods []string
	for _, r := range n.Noise {
		metrics = appendNew(metrics, r.Metric)
		methods = appendNew(methods, r.Group.Method)
	}
	s := strings.Join(metrics, ", ")
	if len(methods) == 1 && methods[0] != "" {
		s += " of " + methods[0]
	}
	return s
}

// spreads shows the standard deviation over seeds.
func (n *NoiseReport) spreads() *table.Table {
	t := &table.Table{Title: "Noise of seeds and test classes, " + n.metrics()}
	t.Notes = []string{
		"SD: standard deviation of one seed's result, pooled over configurations (a method at a size), with its 95% " +
			"interval; range: of single configurations.",
		"SD of Δ: of the difference between two means of one and the same configuration, each over as many other seeds as it has here. " +
			"Classes: the standard deviation of the difference between a method and its base by which test classes there " +
			"happen to be; seeds do not lessen it.",
	}
	columns, names := n.names()
	t.Columns = append(columns,
		table.NumberColumn("configurations", "Config.", ""), table.TextColumn("seeds", "Seeds"),
		table.NumberColumn("sd", "SD", "pt"), table.TextColumn("interval", "95% int. pt"),
		table.TextColumn("range", "Range pt"), table.NumberColumn("difference_sd", "SD of Δ", "pt"),
		table.NumberColumn("class_sd", "Classes", "pt"))
	for _, r := range n.Noise {
		used := table.Count(r.Configurations)
		used.Marks = unusedMarks(t, r)
		row := append(names(r), used)
		if r.Reason != "" {
			e := table.Absent()
			e.Marks = []int{t.Footnote(r.Reason)}
			t.Add(r.Group, append(row, e, table.Absent(), table.Absent(), table.Absent(), table.Absent(), table.Absent())...)
			continue
		}
		seeds := table.Words(strconv.Itoa(r.Most))
		if r.Fewest < r.Most {
			seeds = table.Words(fmt.Sprintf("%d–%d", r.Fewest, r.Most))
		}
		classes := table.Percent(r.ClassSD)
		switch {
		case r.Pairs == 0:
			classes = table.Absent()
			classes.Marks = []int{t.Footnote("a single configuration whose seeds differ: there is no other to compare it with")}
		case r.ClassSD == 0:
			classes.Marks = []int{t.Footnote("the effect of classes cannot be told from that of seeds on them")}
		case r.Classes < 10:
			classes.Marks = []int{t.Footnote("few test classes: rough")}
		}
		bounds := table.Words("[" + runs.Percent(r.Low) + ", " + runs.Percent(r.High) + "]")
		t.Add(r.Group, append(row, seeds, table.Percent(r.SD), bounds,
			table.Words(runs.Percent(r.Smallest)+"–"+runs.Percent(r.Largest)),
			table.Percent(r.SD*math.Sqrt(2/float64(r.Most))), classes)...)
	}
	return t
}

// mostNamed is the number of configurations that a footnote names.
const mostNamed = 3

// unusedMarks returns the marks of the footnotes about configurations that are missing from a row.
func unusedMarks(t *table.Table, r runs.SeedNoise) []int {
	var marks []int
	if r.Single > 0 && r.Configurations > 0 {
		marks = append(marks, t.Footnote(counted(r.Single, "configuration")+" with one seed, which says nothing"))
	}
	if r.Alike > 0 && r.Configurations > 0 {
		marks = append(marks, t.Footnote("without "+counted(r.Alike, "configuration")+" whose seeds all have the same values"))
	}
	if len(r.LeftOut) > 0 {
		named := strings.Join(r.LeftOut[:min(mostNamed, len(r.LeftOut))], "; ")
		if more := len(r.LeftOut) - mostNamed; more > 0 {
			named += fmt.Sprintf("; and %d more", more)
		}
		marks = append(marks, t.Footnote("left out: "+named))
	}
	return marks
}

// same shows A/A: configurations compared with themselves at other seeds.
func (n *NoiseReport) same() *table.Table {
	t := &table.Table{Title: "The same configuration against itself (A/A), " + n.metrics()}
	t.Notes = []string{"The seeds of each configuration are split, in every possible way, into two sets of the size given, and the sets are compared. " +
		"Different counts what diff would call better or worse: each is a false alarm. " +
		"Each comparison is a table of its own, so up to 5% are to be expected."}
	columns, names := n.names()
	t.Columns = append(columns,
		table.NumberColumn("seeds", "Seeds", ""), table.NumberColumn("splits", "Splits", ""),
		table.NumberColumn("sd", "SD of Δ", "pt"), table.NumberColumn("within95", "95% within", "pt"),
		table.NumberColumn("largest", "Largest", "pt"), table.NumberColumn("verdicts", "Different", ""),
		table.NumberColumn("share", "Share", "%"))
	for _, r := range n.Noise {
		for _, s := range r.Splits {
			seeds, splits := table.Count(s.Seeds), table.Count(s.Splits)
			if s.Seeds == 1 {
				seeds.Marks = []int{t.Footnote("one seed on a side gets no verdict")}
			}
			if !s.All {
				splits.Marks = []int{t.Footnote("drawn among all that there are")}
			}
			different, share := table.Count(s.Verdicts), table.Percent(float64(s.Verdicts)/float64(s.Splits))
			if s.Seeds == 1 {
				different, share = table.Absent(), table.Absent()
			}
			t.Add(r.Group, append(names(r), seeds, splits, table.Percent(s.SD), table.Percent(s.Within95), table.Percent(s.Largest),
				different, share)...)
		}
	}
	return t
}

// needed shows the number of seeds that a difference needs.
func (n *NoiseReport) needed() *table.Table {
	t := &table.Table{Title: "Seeds on each side that a difference needs, " + n.metrics()}
	where := "a table of its own"
	if n.TableRows > 1 {
		where = fmt.Sprintf("a table of %s rows, by Holm's correction at its strictest", table.Thousands(n.TableRows))
	}
	t.Notes = []string{"With so many seeds diff calls a difference of the given points better in 80% of " +
		"experiments, as a row in " + where +
		" (all numbers up to 10 are tried, then 12, 15, 20, 25, 30, 40, 50, 60, 80, 100). Found: the difference " +
		"that is found in 80% of experiments with the number of seeds that the configurations have here."}
	columns, names := n.names()
	t.Columns = columns
	var differences []float64
	for _, r := range n.Noise {
		for _, d := range r.Needed {
			differences = appendNew(differences, d.Difference)
		}
	}
	slices.Sort(differences)
	for _, d := range differences {
		name := strconv.FormatFloat(math.Round(d*1e6)/1e4, 'f', -1, 64)
		t.Columns = append(t.Columns, table.NumberColumn(name+" points", name, "pt"))
	}
	t.Columns = append(t.Columns, table.NumberColumn("found", "Found", "pt"))
	for _, r := range n.Noise {
		if len(r.Needed) == 0 {
			continue
		}
		row := names(r)
		for _, d := range differences {
			e := table.Absent()
			if i := slices.IndexFunc(r.Needed, func(need runs.Need) bool { return need.Difference == d }); i >= 0 {
				e = needEntry(t, r.Needed[i])
			}
			row = append(row, e)
		}
		found := table.Absent()
		if r.Found > 0 {
			found = table.Percent(r.Found)
		}
		if r.Pairs == 0 {
			found.Marks = []int{t.Footnote("there is no other configuration: classes are taken to suit both sides alike, so " +
				"this is the least that is needed")}
		}
		t.Add(r.Group, append(row, found)...)
	}
	return t
}

// needEntry returns the entry of a number of seeds.
func needEntry(t *table.Table, n runs.Need) table.Entry {
	if n.Seeds > 0 {
		return table.Count(n.Seeds)
	}
	text := fmt.Sprintf(">%d", runs.MostSeeds)
	return table.Entry{Value: text, Text: text, Marks: []int{t.Footnote(fmt.Sprintf(
		"more than %d: where test classes make more noise than seeds do, no number of seeds is enough", runs.MostSeeds))}}
}

// Text writes the tables for a terminal.
func (n *NoiseReport) Text(w io.Writer) error {
	if len(n.Noise) == 0 {
		_, err := fmt.Fprintln(w, "No cell is done yet: there is nothing to show.")
		return err
	}
	return writeSeparated(w, n.tables(), (*table.Table).Text)
}

// writeSeparated writes tables with an empty line between them.
func writeSeparated(w io.Writer, tables []*table.Table, write func(*table.Table, io.Writer) error) error {
	for i, t := range tables {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := write(t, w); err != nil {
			return err
		}
	}
	return nil
}

// measureNoise measures the noise of a run for its report. It returns nothing where no finished
// cell has the metrics.
func measureNoise(ctx context.Context, r *runs.Run, o Options) ([]runs.SeedNoise, error) {
	o.Noise.Base = o.Base
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	// One without the metric has no noise of it.
	has := func(c runs.Cell) bool {
		return c.Status == runs.Done && slices.ContainsFunc(c.Evaluations, func(e runs.Evaluation) bool {
			return !slices.ContainsFunc(o.Noise.Metrics, func(m string) bool { _, ok := e.Metrics[m]; return !ok })
		})
	}
	if !slices.ContainsFunc(cells, has) {
		return nil, nil
	}
	return runs.MeasureNoise(ctx, r, o.Noise)
}

// addNoise adds the noise of a run.
func (r *Report) addNoise(rows []runs.SeedNoise, o runs.NoiseOptions) {
	if len(rows) == 0 {
		return
	}
	if r.Noise == nil {
		r.Noise = NewNoiseReport(nil, o)
	}
	r.Noise.Noise = append(r.Noise.Noise, rows...)
}
