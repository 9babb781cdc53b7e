package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// DiffText writes a diff for a terminal: a table for each protocol, then the rows that could not be
// compared, then the footnotes.
func DiffText(d *runs.Diff, w io.Writer) error {
	for _, line := range slices.Concat([]string{diffTitle(d)}, diffLead(d), []string{diffSummary(d)}) {
		if _, err := io.WriteString(w, table.EscapeControl(line)+"\n"); err != nil {
			return err
		}
	}
	for _, t := range sharedFootnotes(diffTables(d, true)) {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := t.Text(w); err != nil {
			return err
		}
	}
	return configText(d, w)
}

// DiffMarkdown writes a diff as Markdown.
func DiffMarkdown(d *runs.Diff, w io.Writer) error {
	if _, err := fmt.Fprintf(w, "## %s\n\n%s\n\n%s\n\n", table.EscapeMarkdown(diffTitle(d)), table.EscapeMarkdown(strings.Join(diffLead(d), " ")),
		table.EscapeMarkdown(diffSummary(d))); err != nil {
		return err
	}
	for _, t := range sharedFootnotes(diffTables(d, true)) {
		if err := t.Markdown(w); err != nil {
			return err
		}
	}
	return configMarkdown(d, w)
}

// DiffJSON writes a diff as JSON: the fields of runs.Diff, values as fractions.
func DiffJSON(d *runs.Diff, w io.Writer) error { return writeJSON(w, d) }

// diffTitle names a diff.
func diffTitle(d *runs.Diff) string {
	switch {
	case d.Base != "" && ownBases(d):
		return fmt.Sprintf("%s: %s against the bases of the suite", d.A, compared(d))
	case d.Base != "":
		return fmt.Sprintf("%s: %s against %s", d.A, compared(d), d.Base)
	}
	if d.Models {
		return fmt.Sprintf("%s against %s: trained models", d.B, d.A)
	}
	return fmt.Sprintf("%s against %s", d.B, d.A)
}

// compared says what the rows of a diff inside one run compare.
func compared(d *runs.Diff) string {
	if d.Models {
		return "trained models"
	}
	return "methods"
}

// diffLead says how to read a diff, a line each.
func diffLead(d *runs.Diff) []string {
	a, b := "run "+d.A, "run "+d.B
	switch {
	case d.Base != "" && ownBases(d):
		a, b = d.Base+", or the group after vs", "the method of the row"
	case d.Base != "":
		a, b = d.Base, "the method of the row"
	case len(d.Others) > 0:
		b = "the run of the row"
	}
	lead := []string{fmt.Sprintf("A is %s, B is %s; Δ is B − A.", a, b)}
	if d.Models {
		lead = append(lead, "The trained models are compared as they are, so their test classes alone vary:",
			"a verdict says which models are better, not which method.")
	}
	return append(append(lead, verdictRule()...), "Finds is the true difference that the row would find in four of five cases.")
}

// verdictRule says what a verdict is, and how often a table without a difference gets one.
func verdictRule() []string {
	return []string{
		"Better or worse: p, corrected for all rows of the table (Holm), is below 0.05. ~: no difference was shown.",
		"Of simulated tables without a difference, with 2 to 10 seeds, about one in twenty at most had a better or worse row.",
	}
}

// ownBases reports whether any row of a diff has a base other than the diff's.
func ownBases(d *runs.Diff) bool {
	return slices.ContainsFunc(d.Rows, func(c runs.Comparison) bool { return ownBase(d, c.A) })
}

// ownBase reports whether a is a method other than the base of a diff of methods.
func ownBase(d *runs.Diff, a runs.Group) bool { return d.Base != "" && a.Method != d.Base }

// diffSummary says how many rows have each verdict.
func diffSummary(d *runs.Diff) string {
	var parts []string
	for _, c := range countVerdicts(d) {
		parts = append(parts, fmt.Sprintf("%d %s", c.Count, c.Name))
	}
	return strings.Join(parts, ", ") + "."
}

// verdictCount is the number of rows of a diff that have a verdict.
type verdictCount struct {
	Name  string
	Count int
}

// countVerdicts counts the rows by verdict.
func countVerdicts(d *runs.Diff) []verdictCount {
	counts := []verdictCount{{Name: "better"}, {Name: "worse"}, {Name: "no difference shown (~)"}, {Name: "without a verdict"}}
	for _, c := range d.Rows {
		i := slices.Index([]string{runs.Better, runs.Worse, runs.Noise}, c.Verdict)
		if i < 0 || c.Reason != "" || c.ClassesOnly && !d.Models { // a side with one seed is not judged
			i = len(counts) - 1
		}
		counts[i].Count++
	}
	return counts
}

// diffTables returns a table for each data set and protocol, then the rows that could not be
// compared. Narrow tables, for a terminal, leave out the pairs of seeds and p
// without correction.
func diffTables(d *runs.Diff, narrow bool) []*table.Table {
	type section struct{ dataset, variant, protocol, at, atA string }
	var order []section
	rows := map[section][]runs.Comparison{}
	var apart []runs.Comparison
	for _, c := range d.Rows {
		if c.Reason != "" {
			apart = append(apart, c)
			continue
		}
		s := section{c.B.Dataset, c.B.Variant, c.Protocol, c.At, cmp.Or(c.AtA, c.At)}
		order = appendNew(order, s)
		rows[s] = append(rows[s], c)
	}
	var tables []*table.Table
	for _, s := range order {
		byRun(d, rows[s])
		t := diffTable(d, rows[s], narrow)
		t.Title = s.protocol
		where := s.dataset + "." + s.variant
		switch {
		case s.at != s.atA:
			where += ", A " + s.atA + ", B " + s.at
		case s.at != runs.AtLast:
			where += ", " + s.at
		}
		t.Notes = append([]string{where}, protocolNotes(s.protocol)...)
		tables = append(tables, t)
	}
	if !narrow {
		if t := pairsTable(d); t != nil {
			tables = append(tables, t)
		}
	}
	if t := apartTable(d, apart); t != nil {
		tables = append(tables, t)
	}
	return tables
}

// diffTable returns the comparisons of one protocol. A narrow one has no p without correction.
func diffTable(d *runs.Diff, rows []runs.Comparison, narrow bool) *table.Table {
	t := &table.Table{Columns: []table.Column{
		table.TextColumn("group", "Group"), table.TextColumn("metric", "Metric"), table.NumberColumn("a", "A", "%"),
		table.NumberColumn("b", "B", "%"),
		table.NumberColumn("delta", "Δ", "pt"), table.NumberColumn("interval", "95% int.", "pt"),
		table.NumberColumn("detectable", "Finds", "pt"), table.NumberColumn("p", "p", ""),
		table.NumberColumn("p_holm", "p Holm", ""),
		table.TextColumn("verdict", "Verdict"), table.NumberColumn("gained_lost", "Gained/lost", ""),
	}}
	if narrow {
		t.Columns = slices.DeleteFunc(t.Columns, func(c table.Column) bool { return c.Key == "p" })
	}
	if len(d.Others) > 0 {
		t.Columns = slices.Insert(t.Columns, 2, table.TextColumn("run", "B is"))
	}
	span := 0.0
	for _, c := range rows {
		if c.Verdict != "" {
			span = max(span, -c.Low, c.High)
		}
	}
	for _, c := range rows {
		bounds := table.Interval(c.Low, c.High)
		if c.Verdict != "" {
			bounds.Plot = &table.Whisker{Low: c.Low, Middle: c.Delta, High: c.High, Span: span, Verdict: c.Verdict}
		}
		delta, v, p, corrected := table.Points(c.Delta), verdictEntry(c), table.Probability(c.P), table.Probability(c.PHolm)
		delta.Bold = v.Bold
		if c.Verdict == "" { // it was not tested
			bounds, v, p, corrected = table.Absent(), collapsedEntry(), table.Absent(), table.Absent()
		}
		for _, note := range comparisonNotes(c, d.Footnotes) {
			v.Marks = append(v.Marks, t.Footnote(note))
		}
		finds := table.Absent()
		if c.Detectable > 0 {
			finds = table.Percent(c.Detectable)
		}
		queries := table.Absent()
		if _, ok := recallK(c.Metric); ok && c.Verdict != "" && len(c.Pairs) > 0 { // else no seed is on both sides
			queries = table.Words(table.Thousands(c.Gained) + "/" + table.Thousands(c.Lost))
		}
		entries := []table.Entry{table.Words(rowName(d, c)), table.Words(c.Metric)}
		if len(d.Others) > 0 {
			entries = append(entries, table.Words(c.RunB))
		}
		entries = append(entries, table.Percent(c.MeanA), table.Percent(c.MeanB), delta, bounds, finds)
		if !narrow {
			entries = append(entries, p)
		}
		t.Add(c.B, append(entries, corrected, v, queries)...)
	}
	return t
}

// byRun puts the rows that compare several runs on one metric of a group below each other.
func byRun(d *runs.Diff, rows []runs.Comparison) {
	if len(d.Others) == 0 {
		return
	}
	type line struct {
		b      runs.Group
		metric string
	}
	var order []line
	for _, c := range rows {
		order = appendNew(order, line{c.B, c.Metric})
	}
	place := func(c runs.Comparison) int { return slices.Index(order, line{c.B, c.Metric}) }
	slices.SortStableFunc(rows, func(x, y runs.Comparison) int { return place(x) - place(y) })
}

// rowName names the groups of a comparison below their data set. It is one name where they differ
// in the method alone and A is the diff's base.
func rowName(d *runs.Diff, c runs.Comparison) string {
	name := func(g runs.Group) string { return fmt.Sprintf("%s-%s/%s-%d", g.Backbone, g.Mode, g.Method, g.Size) }
	a := c.A
	a.Method = c.B.Method
	if a == c.B && !ownBase(d, c.A) {
		return name(c.B)
	}
	return name(c.B) + " vs " + name(c.A)
}

// pairsTable shows the groups at each seed that both have; nil without such seeds.
func pairsTable(d *runs.Diff) *table.Table {
	t := &table.Table{
		Title: "Pairs of equal seeds",
		Notes: []string{"For information, not the verdict: queries that only B or only A hits at a seed, and McNemar's exact test on them."},
		Columns: []table.Column{
			table.TextColumn("group", "Group"), table.TextColumn("protocol", "Protocol"), table.TextColumn("metric", "Metric"),
			table.NumberColumn("seed", "Seed", ""),
			table.NumberColumn("gained", "Gained", ""), table.NumberColumn("lost", "Lost", ""), table.NumberColumn("p", "McNemar p", ""),
		},
	}
	for _, c := range d.Rows {
		for _, p := range c.Pairs {
			name := rowName(d, c)
			if c.RunB != "" {
				name += " of run " + c.RunB
			}
			t.Add(c.B, table.Words(name), table.Words(c.Protocol), table.Words(c.Metric), table.Entry{Value: p.Seed, Text: fmt.Sprint(p.Seed)},
				table.Count(p.Gained), table.Count(p.Lost), table.Probability(p.P))
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// apartTable lists the rows that could not be compared, with all metrics of a group in one row; nil
// without such rows.
func apartTable(d *runs.Diff, rows []runs.Comparison) *table.Table {
	t := &table.Table{Title: "Cannot be compared", Columns: []table.Column{
		table.TextColumn("group", "Group"),
		table.TextColumn("protocol", "Protocol"), table.TextColumn("metrics", "Metrics"), table.TextColumn("reason", "Reason"),
	}}
	type line struct {
		a, b                  runs.Group
		run, protocol, reason string
	}
	var order []line
	metrics := map[line][]string{}
	for _, c := range rows {
		l := line{c.A, c.B, c.RunB, c.Protocol, c.Reason}
		order = appendNew(order, l)
		metrics[l] = appendNew(metrics[l], c.Metric)
	}
	for _, l := range order {
		g := l.b
		if g == (runs.Group{}) { // only A has it
			g = l.a
		}
		list := slices.DeleteFunc(metrics[l], func(m string) bool { return m == "" })
		slices.SortFunc(list, compareMetrics)
		name := g.Path()
		if ownBase(d, l.a) {
			name += " vs " + l.a.Method
		}
		if l.run != "" {
			name += " of run " + l.run
		}
		t.Add(g, table.Words(name), table.Words(cmp.Or(l.protocol, "all")), table.Words(cmp.Or(strings.Join(list, " "), "all")),
			table.Words(l.reason))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// sharedFootnotes gives the footnotes of all tables one numbering and moves them below the last
// table, so that each is said once.
func sharedFootnotes(tables []*table.Table) []*table.Table {
	if len(tables) == 0 {
		return nil
	}
	var all table.Table
	for _, t := range tables {
		for i := range t.Rows {
			for j := range t.Rows[i].Entries {
				e := &t.Rows[i].Entries[j]
				for k, m := range e.Marks {
					e.Marks[k] = all.Footnote(t.Footnotes[m-1])
				}
			}
		}
		t.Footnotes = nil
	}
	tables[len(tables)-1].Footnotes = all.Footnotes
	return tables
}
