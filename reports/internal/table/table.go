package table

import (
	"slices"
	"strings"

	"bierbench/runs"
)

// Align is the side of its column at which an entry stands.
type Align int

// The alignments: words left, numbers right.
const (
	Left Align = iota
	Right
)

// Table is a table before it is written. The first column names the row.
type Table struct {
	Title     string
	Notes     []string // what a reader must know before the numbers, one sentence each
	Columns   []Column
	Rows      []Row
	Footnotes []string // mark n of an entry is Footnotes[n-1]
}

// Column is a heading. Key is the name in CSV and JSON, where values have the unit of the records
// (fractions, seconds); Name and Unit are for people.
type Column struct {
	Key   string
	Name  string
	Unit  string
	Align Align
}

// heading returns the column's name for people, with its unit.
func (c Column) heading() string {
	if c.Unit == "" {
		return c.Name
	}
	return c.Name + " " + c.Unit
}

// key returns the column's name for programs.
func (c Column) key() string {
	if c.Key == "" {
		return c.Name
	}
	return c.Key
}

// Row is one line. Group is the group that the row is about, by which a page filters; it is zero
// where the row is about none.
type Row struct {
	Group   runs.Group
	Entries []Entry
}

// Entry is one value of a table, for programs and for people.
type Entry struct {
	Value  any    // string, int, float64 (a fraction, seconds, ...) or nil: for CSV, JSON and sorting
	Text   string // the value for people, in the column's unit
	Spread string // half the width of the value's 95% interval, in the same unit; empty without one
	Bold   bool
	Marks  []int    // footnotes, from 1
	Plot   *Whisker // the value drawn as an interval; HTML only
}

// Footnote returns the mark of a footnote, from 1. It adds the footnote if it is not there yet.
func (t *Table) Footnote(text string) int {
	if i := slices.Index(t.Footnotes, text); i >= 0 {
		return i + 1
	}
	t.Footnotes = append(t.Footnotes, text)
	return len(t.Footnotes)
}

// Add appends a row.
func (t *Table) Add(g runs.Group, entries ...Entry) {
	t.Rows = append(t.Rows, Row{Group: g, Entries: entries})
}

// AddValues appends a row that only programs read and that is about no group. Columns beyond the
// last value stay empty.
func (t *Table) AddValues(values ...any) {
	row := make([]Entry, len(t.Columns))
	for i, v := range values {
		row[i] = Entry{Value: v}
	}
	t.Add(runs.Group{}, row...)
}

// TextColumn returns a left-aligned column.
func TextColumn(key, name string) Column { return Column{Key: key, Name: name} }

// NumberColumn returns a right-aligned column.
func NumberColumn(key, name, unit string) Column {
	return Column{Key: key, Name: name, Unit: unit, Align: Right}
}

// marks returns the superscript digits of an entry's marks, ascending, each after a space: " ¹ ¹²".
func (e Entry) marks() string {
	var b strings.Builder
	for _, m := range slices.Sorted(slices.Values(e.Marks)) {
		b.WriteString(" " + superscript(m))
	}
	return b.String()
}

// superscript writes n >= 0 in superscript digits.
func superscript(n int) string {
	digits := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	if n < 10 {
		return string(digits[n])
	}
	return superscript(n/10) + string(digits[n%10])
}
