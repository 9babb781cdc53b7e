package reports

import (
	"fmt"
	"io"
	"strings"
)

// Markdown draws the table in GitHub's dialect, footnotes below it.
func (t *Table) Markdown(w io.Writer) error {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "### %s\n\n", markdown(t.Title))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "%s\n\n", markdown(n))
	}
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "| %s ", markdown(c.heading()))
	}
	b.WriteString("|\n")
	for _, c := range t.Columns {
		if c.Align == Right {
			b.WriteString("| ---: ")
		} else {
			b.WriteString("| --- ")
		}
	}
	b.WriteString("|\n")
	for _, r := range t.Rows {
		for _, e := range r.Entries {
			s := markdown(e.Text)
			if e.Bold {
				s = "**" + s + "**"
			}
			s += hang(e)
			s += e.marks()
			fmt.Fprintf(&b, "| %s ", s)
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
	for i, note := range t.Footnotes {
		fmt.Fprintf(&b, "%s %s\n\n", superscript(i+1), markdown(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown escapes s to show as text in one line of Markdown, inside a table
// or out of it: no HTML, links, emphasis, mentions or further columns.
func markdown(s string) string {
	s = plain(strings.Join(strings.Fields(s), " "))
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
		"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "#", `\#`,
		" @", " &#64;",
	).Replace(s)
}
