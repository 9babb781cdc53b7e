package reports

import (
	"fmt"
	"io"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// longestConfigs is the number of lines of differing configurations that a terminal gets.
const longestConfigs = 40

// configAbout says which rows have a difference, each pair of groups once.
func configAbout(d *runs.Diff, x runs.ConfigDifference) string {
	var names []string
	for _, i := range x.Rows {
		c := d.Rows[i]
		name := c.B.Dataset + ": " + rowName(d, c)
		if c.RunB != "" {
			name += " of run " + c.RunB
		}
		names = appendNew(names, name)
	}
	const most = 4
	if left := len(names) - most; left > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", left))
	}
	return strings.Join(names, ", ")
}

// configText writes the differing configurations below a terminal's tables.
func configText(d *runs.Diff, w io.Writer) error {
	var b strings.Builder
	room := longestConfigs
	for i, x := range d.Configurations {
		lines := strings.Split(strings.TrimSuffix(x.Unified, "\n"), "\n")
		if i > 0 && len(lines) > room {
			fmt.Fprintf(&b, "\nLeft out: %s; the other formats have all.\n", counted(len(d.Configurations)-i, "difference"))
			break
		}
		left := 0
		if len(lines) > room {
			lines, left = lines[:room], len(lines)-room
		}
		room -= len(lines)
		fmt.Fprintf(&b, "\nConfiguration of %s\n", table.EscapeControl(configAbout(d, x)))
		for _, line := range lines {
			b.WriteString(table.EscapeControl(line) + "\n")
		}
		if left > 0 {
			fmt.Fprintf(&b, "(%s left out; the other formats have all)\n", counted(left, "line"))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// configMarkdown writes the differing configurations as blocks of a diff.
func configMarkdown(d *runs.Diff, w io.Writer) error {
	if len(d.Configurations) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("### Configuration\n\n")
	for _, x := range d.Configurations {
		var lines []string
		for line := range strings.Lines(x.Unified) {
			lines = append(lines, table.EscapeControl(strings.TrimSuffix(line, "\n")))
		}
		text := strings.Join(lines, "\n")
		fence := "```" // longer than any in the text, which could end it
		for strings.Contains(text, fence) {
			fence += "`"
		}
		fmt.Fprintf(&b, "%s\n\n%sdiff\n%s\n%s\n\n", table.EscapeMarkdown(configAbout(d, x)), fence, text, fence)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// configView is a difference of configurations in a page.
type configView struct {
	About string
	Lines []configLine
}

// configLine is a line of a unified diff. Kind is added, removed, place or empty.
type configLine struct{ Kind, Text string }

// configViews returns the differing configurations of a page.
func configViews(d *runs.Diff) []configView {
	var views []configView
	for _, x := range d.Configurations {
		v := configView{About: configAbout(d, x)}
		for line := range strings.Lines(x.Unified) {
			line = strings.TrimSuffix(line, "\n")
			kind := ""
			switch {
			case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
				continue // A and B are known
			case strings.HasPrefix(line, "@@"):
				kind = "place"
			case strings.HasPrefix(line, "+"):
				kind = "added"
			case strings.HasPrefix(line, "-"):
				kind = "removed"
			}
			v.Lines = append(v.Lines, configLine{kind, line})
		}
		views = append(views, v)
	}
	return views
}

// classTables returns, for each compared row that has them, the classes whose rate of hits changed
// most.
func classTables(d *runs.Diff) []*table.Table {
	var tables []*table.Table
	for _, c := range d.Rows {
		if c.Classes == nil || len(c.Classes.Largest) == 0 {
			continue
		}
		t := &table.Table{
			Title: c.Protocol + ", " + rowName(d, c),
			Columns: []table.Column{
				table.NumberColumn("class", "Class", ""), table.NumberColumn("queries", "Queries", ""),
				table.NumberColumn("a", "A", "%"), table.NumberColumn("b", "B", "%"),
				table.NumberColumn("delta", "Δ", "pt"), table.NumberColumn("gained", "Gained", ""), table.NumberColumn("lost", "Lost", ""),
			},
		}
		x := c.Classes
		t.Notes = []string{fmt.Sprintf("%s is better in %s of %s test classes, worse in %s, equal in %s. Shown are the "+
			"largest changes: %s of the %s that changed.",
			c.Metric, table.Thousands(x.Better), table.Thousands(x.Better+x.Worse+x.Equal), table.Thousands(x.Worse), table.Thousands(x.Equal),
			table.Thousands(len(x.Largest)), table.Thousands(x.Better+x.Worse))}
		if c.RunB != "" {
			t.Title += ", run " + c.RunB
		}
		flips := func(n int) table.Entry {
			if len(c.Pairs) == 0 {
				return table.Absent()
			}
			return table.Count(n)
		}
		for _, k := range x.Largest {
			t.Add(c.B, table.Entry{Value: k.Class, Text: fmt.Sprint(k.Class)}, table.Count(k.Queries), table.Percent(k.A),
				table.Percent(k.B), table.Points(k.Delta), flips(k.Gained), flips(k.Lost))
		}
		tables = append(tables, t)
	}
	return tables
}
