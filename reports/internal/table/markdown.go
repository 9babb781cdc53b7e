package table

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the table in GitHub's dialect, with its footnotes below it.
func (t *Table) Markdown(w io.Writer) error {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "### %s\n\n", EscapeMarkdown(t.Title))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "%s\n\n", EscapeMarkdown(n))
	}
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "| %s ", EscapeMarkdown(c.heading()))
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
			s := EscapeMarkdown(e.Text)
			if e.Bold {
				s = "**" + s + "**"
			}
			s += spreadText(e)
			s += e.marks()
			fmt.Fprintf(&b, "| %s ", s)
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
	for i, note := range t.Footnotes {
		fmt.Fprintf(&b, "%s %s\n\n", superscript(i+1), EscapeMarkdown(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// EscapeMarkdown escapes s to show as text in one line of Markdown, inside or outside of a table:
// no HTML, links, emphasis, mentions or further columns.
func EscapeMarkdown(s string) string {
	s = EscapeControl(strings.Join(strings.Fields(s), " "))
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
		"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "#", `\#`,
		" @", " &#64;",
	).Replace(s)
}
