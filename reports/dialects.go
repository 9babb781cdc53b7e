package reports

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// Rescoring has the scores of a run's stored embeddings by the rules of several evaluation
// programs. Metrics are fractions.
type Rescoring struct {
	Schema int        `json:"schema"`
	Run    string     `json:"run"`
	Ours   string     `json:"ours"` // the dialect with which the others are compared
	Rows   []Rescored `json:"rows"`
}

// Rescored is the score of a cell on one protocol by one dialect, or the reason why there is none.
type Rescored struct {
	runs.Key
	Protocol  string                `json:"protocol,omitempty"` // empty where the cell could not be read
	At        string                `json:"at,omitempty"`       // last, selected or peek
	Dialect   string                `json:"dialect,omitempty"`
	Queries   int                   `json:"queries"`  // over which the means are
	Excluded  int                   `json:"excluded"` // queries that are left out
	Metrics   map[string]float64    `json:"metrics,omitempty"`
	Bounds    map[string][2]float64 `json:"bounds,omitempty"`    // with ties against and for: [pessimistic, optimistic]
	Deltas    map[string]float64    `json:"deltas,omitempty"`    // metric minus ours, where both have it
	Collapsed []string              `json:"collapsed,omitempty"` // metrics whose bounds differ by more than 0.1 point
	Reason    string                `json:"reason,omitempty"`    // why there are no metrics
}

// NewRescoring compares rows with those of the dialect ours for the same cell and protocol. Rows
// keep their order.
func NewRescoring(run, ours string, rows []Rescored) *Rescoring {
	type place struct {
		key      runs.Key
		protocol string
	}
	base := map[place]map[string]float64{}
	for _, r := range rows {
		if r.Dialect == ours {
			base[place{r.Key, r.Protocol}] = r.Metrics
		}
	}
	s := &Rescoring{Schema: Schema, Run: run, Ours: ours, Rows: []Rescored{}}
	for _, r := range rows {
		r.Deltas, r.Collapsed = nil, nil
		for _, m := range slices.SortedFunc(maps.Keys(r.Metrics), compareMetrics) {
			if v, ok := base[place{r.Key, r.Protocol}][m]; ok && r.Dialect != ours {
				if r.Deltas == nil {
					r.Deltas = map[string]float64{}
				}
				r.Deltas[m] = r.Metrics[m] - v
			}
			if (runs.Evaluation{Bounds: r.Bounds}).Collapsed(m) {
				r.Collapsed = append(r.Collapsed, m)
			}
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}

// title names the rescoring.
func (s *Rescoring) title() string {
	return fmt.Sprintf("%s: stored embeddings by the rules of other programs", s.Run)
}

// lead says how to read the tables.
func (s *Rescoring) lead() string {
	return fmt.Sprintf("Metrics are in percent; Δ is a dialect's number minus %s's, in points. The rules: bierbench help dialects.", s.Ours)
}

// tables returns a table for each data set and protocol, then the rows without numbers, then the
// differences between dialects over several cells.
func (s *Rescoring) tables() []*table.Table {
	type section struct{ dataset, variant, protocol string }
	var order []section
	rows := map[section][]Rescored{}
	for _, r := range s.Rows {
		if r.Reason != "" {
			continue
		}
		at := section{r.Dataset, r.Variant, r.Protocol}
		order = appendNew(order, at)
		rows[at] = append(rows[at], r)
	}
	var tables []*table.Table
	for _, at := range order {
		t := s.table(rows[at])
		t.Title = at.protocol
		t.Notes = append([]string{at.dataset + "." + at.variant}, protocolNotes(at.protocol)...)
		tables = append(tables, t)
	}
	if t := s.apart(); t != nil {
		tables = append(tables, t)
	}
	for _, at := range order {
		if t := s.summary(rows[at]); t != nil {
			t.Title = at.protocol + ": difference to " + s.Ours
			tables = append(tables, t)
		}
	}
	return tables
}

// table shows cells on one protocol.
func (s *Rescoring) table(rows []Rescored) *table.Table {
	var metrics []string
	for _, r := range rows {
		for m := range r.Metrics {
			metrics = appendNew(metrics, m)
		}
	}
	slices.SortFunc(metrics, compareMetrics)
	t := &table.Table{Columns: []table.Column{
		table.TextColumn("cell", "Cell"), table.TextColumn("dialect", "Dialect"),
		table.NumberColumn("queries", "Queries", ""),
	}}
	for _, m := range metrics {
		t.Columns = append(t.Columns, table.NumberColumn(m, m, ""))
		if m == recallAt1 || m == mapAtR {
			t.Columns = append(t.Columns, table.NumberColumn("delta "+m, "Δ", ""))
		}
	}
	for _, r := range rows {
		cell := table.Words(cellBelow(r.Key))
		if r.At != "" && r.At != runs.AtLast {
			cell.Marks = []int{t.Footnote(chosenNote(r.At))}
		}
		entries := []table.Entry{cell, table.Words(r.Dialect), table.Count(r.Queries)}
		for _, m := range metrics {
			e := table.Absent()
			if v, ok := r.Metrics[m]; ok {
				e = table.Percent(v)
			}
			if slices.Contains(r.Collapsed, m) {
				e.Marks = []int{t.Footnote(tiesNote)}
			}
			entries = append(entries, e)
			if m == recallAt1 || m == mapAtR {
				e = table.Absent()
				if d, ok := r.Deltas[m]; ok {
					e = differenceEntry(d)
				}
				entries = append(entries, e)
			}
		}
		t.Add(r.Group, entries...)
	}
	return t
}

// tiesNote explains a collapsed metric. The number stays, because it is the one that the program
// prints.
const tiesNote = "collapsed: by the order of equal scores alone this number could be more than 0.1 point lower or " +
	"higher; a network that gives many images one vector looks like this"

// chosenNote says how a model other than the last one was chosen.
func chosenNote(at string) string {
	if at == runs.AtPeek {
		return "peek: the model was chosen by its results on these test images"
	}
	return at + ": the model was chosen on classes held out of the training part"
}

// cellBelow names a cell by its path below the data set.
func cellBelow(k runs.Key) string {
	return fmt.Sprintf("%s-%s/%s-%d/seed-%d", k.Backbone, k.Mode, k.Method, k.Size, k.Seed)
}

// apart lists the rows without numbers, one line for each reason; nil without such rows.
func (s *Rescoring) apart() *table.Table {
	t := &table.Table{Title: "No numbers", Columns: []table.Column{
		table.TextColumn("cell", "Cell"), table.TextColumn("protocol", "Protocol"), table.TextColumn("dialect", "Dialect"),
		table.TextColumn("reason", "Reason"),
	}}
	type line struct{ protocol, dialect, reason string }
	var order []line
	rows := map[line][]Rescored{}
	for _, r := range s.Rows {
		if r.Reason != "" {
			l := line{r.Protocol, r.Dialect, r.Reason}
			order = appendNew(order, l)
			rows[l] = append(rows[l], r)
		}
	}
	for _, l := range order {
		first := rows[l][0]
		name := first.Path()
		if more := len(rows[l]) - 1; more > 0 {
			name += fmt.Sprintf(" and %s more", table.Thousands(more))
		}
		t.Add(first.Group, table.Words(name), table.Words(cmp.Or(l.protocol, "all")), table.Words(cmp.Or(l.dialect, "all")),
			table.Words(l.reason))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// summary shows the difference between each dialect and ours over the cells of a protocol; nil
// where there is one cell.
func (s *Rescoring) summary(rows []Rescored) *table.Table {
	t := &table.Table{
		Notes: []string{"Over the cells above: mean difference in points, and the largest in either direction. 0 says that " +
			"the numbers are equal to the last bit."},
		Columns: []table.Column{
			table.TextColumn("dialect", "Dialect"), table.NumberColumn("cells", "Cells", ""),
			table.NumberColumn("mean R@1", "Mean Δ R@1", ""), table.NumberColumn("largest R@1", "Largest", ""),
			table.NumberColumn("mean MAP@R", "Mean Δ MAP@R", ""), table.NumberColumn("largest MAP@R", "Largest", ""),
			table.NumberColumn("collapsed", "Cells collapsed", ""),
		},
	}
	var dialects []string
	deltas := map[string]map[string][]float64{} // by dialect and metric
	cells, collapsed := map[string]int{}, map[string]int{}
	several := false
	for _, r := range rows {
		if r.Dialect == s.Ours {
			continue
		}
		dialects = appendNew(dialects, r.Dialect)
		if deltas[r.Dialect] == nil {
			deltas[r.Dialect] = map[string][]float64{}
		}
		for m, d := range r.Deltas {
			deltas[r.Dialect][m] = append(deltas[r.Dialect][m], d)
		}
		cells[r.Dialect]++
		several = several || cells[r.Dialect] > 1
		if len(r.Collapsed) > 0 {
			collapsed[r.Dialect]++
		}
	}
	if !several {
		return nil
	}
	for _, d := range dialects {
		entries := []table.Entry{table.Words(d), table.Count(cells[d])}
		for _, m := range []string{recallAt1, mapAtR} {
			mean, largest := meanAndLargest(deltas[d][m])
			entries = append(entries, mean, largest)
		}
		t.Add(runs.Group{}, append(entries, table.Count(collapsed[d]))...)
	}
	return t
}

// meanAndLargest shows the mean of differences and the one farthest from 0.
func meanAndLargest(differences []float64) (mean, largest table.Entry) {
	if len(differences) == 0 {
		return table.Absent(), table.Absent()
	}
	sum, far := 0.0, 0.0
	for _, d := range differences {
		sum += d
		if math.Abs(d) > math.Abs(far) {
			far = d
		}
	}
	return differenceEntry(sum / float64(len(differences))), differenceEntry(far)
}

// differenceEntry shows a difference in points, and no difference at all as 0.
func differenceEntry(d float64) table.Entry {
	if d == 0 {
		return table.Entry{Value: 0.0, Text: "0"}
	}
	return table.Points(d)
}

// Text writes the rescoring for a terminal.
func (s *Rescoring) Text(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n%s\n", table.EscapeControl(s.title()), table.EscapeControl(s.lead())); err != nil {
		return err
	}
	for _, t := range sharedFootnotes(s.tables()) {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := t.Text(w); err != nil {
			return err
		}
	}
	return nil
}

// Markdown writes the rescoring as Markdown.
func (s *Rescoring) Markdown(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "## %s\n\n%s\n\n", table.EscapeMarkdown(s.title()), table.EscapeMarkdown(s.lead())); err != nil {
		return err
	}
	for _, t := range sharedFootnotes(s.tables()) {
		if err := t.Markdown(w); err != nil {
			return err
		}
	}
	return nil
}

// JSON writes the rescoring's fields.
func (s *Rescoring) JSON(w io.Writer) error { return writeJSON(w, s) }

// CSV writes a line for each metric, and one for each row without any.
func (s *Rescoring) CSV(w io.Writer) error {
	t := &table.Table{}
	for key := range strings.FieldsSeq("cell protocol at dialect queries excluded metric value delta pessimistic " +
		"optimistic collapsed reason") {
		t.Columns = append(t.Columns, table.TextColumn(key, key))
	}
	for _, r := range s.Rows {
		line := func(metric string, value, delta, low, high, collapsed any) {
			row := []table.Entry{
				table.Words(r.Path()), table.Words(r.Protocol), table.Words(r.At), table.Words(r.Dialect),
				table.Count(r.Queries), table.Count(r.Excluded), table.Words(metric),
			}
			for _, v := range []any{value, delta, low, high, collapsed} {
				row = append(row, table.Entry{Value: v})
			}
			t.Add(r.Group, append(row, table.Words(r.Reason))...)
		}
		if r.Reason != "" {
			line("", nil, nil, nil, nil, nil)
		}
		for _, m := range slices.SortedFunc(maps.Keys(r.Metrics), compareMetrics) {
			var delta any
			if d, ok := r.Deltas[m]; ok {
				delta = d
			}
			line(m, r.Metrics[m], delta, r.Bounds[m][0], r.Bounds[m][1], slices.Contains(r.Collapsed, m))
		}
	}
	return t.CSV(w)
}
