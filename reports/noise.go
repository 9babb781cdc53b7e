package reports

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/runs"
)

// NoiseReport is the noise of runs and how many seeds a difference needs; noise.json.
type NoiseReport struct {
	Schema    int              `json:"schema"`
	TableRows int              `json:"table_rows"` // of the table in which differences are to be found
	Noise     []runs.SeedNoise `json:"noise"`
}

// NewNoiseReport returns the report of rows that were measured with options.
func NewNoiseReport(rows []runs.SeedNoise, o runs.NoiseOptions) *NoiseReport {
	return &NoiseReport{Schema: Schema, TableRows: o.Rows, Noise: rows}
}

// tables returns the tables of the noise: what seeds do, A/A, and the seeds
// needed; none without rows.
func (n *NoiseReport) tables() []*Table {
	if n == nil || len(n.Noise) == 0 {
		return nil
	}
	tables := []*Table{n.spreads()}
	for _, t := range []*Table{n.same(), n.needed()} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// names returns the columns that say what a row is about, and the entries under
// them. What is the same in all rows is left out.
func (n *NoiseReport) names() ([]Column, func(runs.SeedNoise) []Entry) {
	type name struct {
		column Column
		of     func(runs.SeedNoise) string
	}
	names := []name{
		{text("protocol", "Protocol"), func(r runs.SeedNoise) string { return r.Protocol }},
		{text("backbone", "Backbone"), func(r runs.SeedNoise) string { return r.Group.Backbone + " " + r.Group.Mode }},
	}
	for _, x := range []name{
		{text("variant", "Variant"), func(r runs.SeedNoise) string { return r.Group.Dataset + "." + r.Group.Variant }},
		{text("at", "Model"), func(r runs.SeedNoise) string { return r.At }},
		{text("metric", "Metric"), func(r runs.SeedNoise) string { return r.Metric }},
		{text("run", "Run"), func(r runs.SeedNoise) string { return r.Run }},
	} {
		// A data set's variant is in its protocol already, unless two share it.
		differ := slices.ContainsFunc(n.Noise, func(r runs.SeedNoise) bool {
			return slices.ContainsFunc(n.Noise, func(s runs.SeedNoise) bool { return s.Protocol == r.Protocol && x.of(s) != x.of(r) })
		})
		if differ {
			names = append(names, x)
		}
	}
	var columns []Column
	for _, x := range names {
		columns = append(columns, x.column)
	}
	return columns, func(r runs.SeedNoise) []Entry {
		var entries []Entry
		for _, x := range names {
			entries = append(entries, words(x.of(r)))
		}
		return entries
	}
}

// metrics names the metrics that were measured, and the method if it is one.
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
func (n *NoiseReport) spreads() *Table {
	t := &Table{Title: "Noise of seeds and test classes, " + n.metrics()}
	t.Notes = []string{
		"SD: standard deviation of one seed's result, pooled over configurations (a method at a size), with its 95% interval; range: of single configurations.",
		"SD of Δ: of the difference between two means of one and the same configuration, each over as many other seeds as it has here. " +
			"Classes: the standard deviation of the difference between a method and its base by which test classes there happen to be; seeds do not lessen it.",
	}
	columns, names := n.names()
	t.Columns = append(columns,
		number("configurations", "Config.", ""), text("seeds", "Seeds"), number("sd", "SD", "pt"), text("interval", "95% int. pt"),
		text("range", "Range pt"), number("difference_sd", "SD of Δ", "pt"), number("class_sd", "Classes", "pt"))
	for _, r := range n.Noise {
		used := count(r.Configurations)
		used.Marks = t.unused(r)
		row := append(names(r), used)
		if r.Reason != "" {
			e := none()
			e.Marks = []int{t.foot(r.Reason)}
			t.add(r.Group, append(row, e, none(), none(), none(), none(), none())...)
			continue
		}
		seeds := words(strconv.Itoa(r.Most))
		if r.Fewest < r.Most {
			seeds = words(fmt.Sprintf("%d–%d", r.Fewest, r.Most))
		}
		classes := percent(r.ClassSD)
		switch {
		case r.Pairs == 0:
			classes = none()
			classes.Marks = []int{t.foot("a single configuration whose seeds differ: there is no other to compare it with")}
		case r.ClassSD == 0:
			classes.Marks = []int{t.foot("what classes do is not to be told from what seeds do to them")}
		case r.Classes < 10:
			classes.Marks = []int{t.foot("few test classes: rough")}
		}
		bounds := words("[" + hundredths(r.Low) + ", " + hundredths(r.High) + "]")
		t.add(r.Group, append(row, seeds, percent(r.SD), bounds, words(hundredths(r.Smallest)+"–"+hundredths(r.Largest)),
			percent(r.SD*math.Sqrt(2/float64(r.Most))), classes)...)
	}
	return t
}

// mostNamed is how many configurations a footnote names.
const mostNamed = 3

// unused returns the marks that say which configurations are not in a row.
func (t *Table) unused(r runs.SeedNoise) []int {
	var marks []int
	if r.Single > 0 && r.Configurations > 0 {
		marks = append(marks, t.foot(counted(r.Single, "configuration")+" with one seed, which says nothing"))
	}
	if r.Alike > 0 && r.Configurations > 0 {
		marks = append(marks, t.foot("without "+counted(r.Alike, "configuration")+" whose seeds all have the same values"))
	}
	if len(r.LeftOut) > 0 {
		named := strings.Join(r.LeftOut[:min(mostNamed, len(r.LeftOut))], "; ")
		if more := len(r.LeftOut) - mostNamed; more > 0 {
			named += fmt.Sprintf("; and %d more", more)
		}
		marks = append(marks, t.foot("left out: "+named))
	}
	return marks
}

// same shows A/A: configurations against themselves with other seeds.
func (n *NoiseReport) same() *Table {
	t := &Table{Title: "The same configuration against itself (A/A), " + n.metrics()}
	t.Notes = []string{"The seeds of each configuration, split into two sets of so many in every way and compared. Different: what diff would call better or worse, false alarms all; " +
		"each comparison is a table of its own, so 5% are to be expected."}
	columns, names := n.names()
	t.Columns = append(columns,
		number("seeds", "Seeds", ""), number("splits", "Splits", ""), number("sd", "SD of Δ", "pt"), number("within95", "95% within", "pt"),
		number("largest", "Largest", "pt"), number("verdicts", "Different", ""), number("share", "Share", "%"))
	for _, r := range n.Noise {
		for _, s := range r.Splits {
			seeds, splits := count(s.Seeds), count(s.Splits)
			if s.Seeds == 1 {
				seeds.Marks = []int{t.foot("with one seed on a side a comparison cannot know what seeds do; diff says so beside the row")}
			}
			if !s.All {
				splits.Marks = []int{t.foot("drawn among all that there are")}
			}
			t.add(r.Group, append(names(r), seeds, splits, percent(s.SD), percent(s.Within95), percent(s.Largest), count(s.Verdicts),
				percent(float64(s.Verdicts)/float64(s.Splits)))...)
		}
	}
	return t
}

// needed shows how many seeds a difference needs.
func (n *NoiseReport) needed() *Table {
	t := &Table{Title: "Seeds on each side that a difference needs, " + n.metrics()}
	where := "a table of its own"
	if n.TableRows > 1 {
		where = fmt.Sprintf("a table of %s rows, by Holm's correction at its strictest", thousands(n.TableRows))
	}
	t.Notes = []string{"With so many seeds diff calls a difference of the given points better in 80% of simulated experiments, as a row in " + where +
		" (all numbers up to 10 are tried, then 12, 15, 20, 25, 30, 40, 50, 60, 80, 100). Found: the difference that as many seeds as the configurations have here find that often."}
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
		t.Columns = append(t.Columns, number(name+" points", name, "pt"))
	}
	t.Columns = append(t.Columns, number("found", "Found", "pt"))
	for _, r := range n.Noise {
		if len(r.Needed) == 0 {
			continue
		}
		row := names(r)
		for _, d := range differences {
			e := none()
			if i := slices.IndexFunc(r.Needed, func(need runs.Need) bool { return need.Difference == d }); i >= 0 {
				e = t.need(r.Needed[i])
			}
			row = append(row, e)
		}
		found := none()
		if r.Found > 0 {
			found = percent(r.Found)
		}
		if r.Pairs == 0 {
			found.Marks = []int{t.foot("there is no other configuration: classes are taken to suit both sides alike, so this is the least that is needed")}
		}
		t.add(r.Group, append(row, found)...)
	}
	return t
}

// need returns the entry of a number of seeds.
func (t *Table) need(n runs.Need) Entry {
	if n.Seeds > 0 {
		return count(n.Seeds)
	}
	text := fmt.Sprintf(">%d", runs.MostSeeds)
	return Entry{Value: text, Text: text, Marks: []int{t.foot(fmt.Sprintf(
		"more than %d: where test classes make more noise than seeds do, no number of seeds is enough", runs.MostSeeds))}}
}

// Text writes the tables for a terminal.
func (n *NoiseReport) Text(w io.Writer) error {
	if len(n.Noise) == 0 {
		_, err := fmt.Fprintln(w, "No cell is done yet: there is nothing to show.")
		return err
	}
	return separated(w, n.tables(), (*Table).Text)
}

// separated writes tables with an empty line between them.
func separated(w io.Writer, tables []*Table, write func(*Table, io.Writer) error) error {
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

// measureNoise measures the noise of a run for its report. What cannot be
// measured is left to the run's comparison to tell.
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
