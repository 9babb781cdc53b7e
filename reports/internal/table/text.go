package table

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// Text writes the table for a terminal: aligned columns, a rule under the headings, footnotes
// below. Characters that a terminal would obey or not show are written as escapes.
func (t *Table) Text(w io.Writer) error {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "%s\n", EscapeControl(t.Title))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "%s\n", EscapeControl(n))
	}
	cells, widths := t.layOut()
	for i, line := range cells {
		row := make([]string, len(line))
		for j, s := range line {
			space := strings.Repeat(" ", widths[j]-uniseg.StringWidth(s))
			if t.Columns[j].Align == Right {
				row[j] = space + s
			} else {
				row[j] = s + space
			}
		}
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(strings.Join(row, "  "), " "))
		if i == 0 {
			total := 2 * (len(widths) - 1)
			for _, n := range widths {
				total += n
			}
			fmt.Fprintf(&b, "%s\n", strings.Repeat("─", max(total, 0)))
		}
	}
	for i, note := range t.Footnotes {
		fmt.Fprintf(&b, "%s %s\n", superscript(i+1), EscapeControl(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// layOut returns the headings and rows as text, [1 + rows][columns], and the columns' widths. In a
// column of numbers, spreads and marks stand to the right of the numbers, so that the numbers stay
// in line.
func (t *Table) layOut() (lines [][]string, widths []int) {
	lines = make([][]string, len(t.Rows)+1)
	widths = make([]int, len(t.Columns))
	for j, c := range t.Columns {
		spread, marks := 0, 0
		for _, r := range t.Rows {
			spread = max(spread, uniseg.StringWidth(spreadText(r.Entries[j])))
			marks = max(marks, uniseg.StringWidth(r.Entries[j].marks()))
		}
		lines[0] = append(lines[0], EscapeControl(c.heading()))
		for i, r := range t.Rows {
			e := r.Entries[j]
			s := EscapeControl(e.Text)
			if c.Align == Right {
				s += padRight(spreadText(e), spread) + padRight(e.marks(), marks)
			} else {
				s += e.marks()
			}
			lines[i+1] = append(lines[i+1], s)
		}
		for _, line := range lines {
			widths[j] = max(widths[j], uniseg.StringWidth(line[j]))
		}
	}
	return lines, widths
}

// spreadText returns the text to the right of an entry's number: " ± 1.20".
func spreadText(e Entry) string {
	if e.Spread == "" {
		return ""
	}
	return " ± " + e.Spread
}

// padRight fills s with spaces up to a display width.
func padRight(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-uniseg.StringWidth(s)))
}

// EscapeControl returns s with control, format and other invisible characters written as Go
// escapes, so that text from data cannot steer a terminal.
func EscapeControl(s string) string {
	clean := func(r rune) bool { return r != unicode.ReplacementChar && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
