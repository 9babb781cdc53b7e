package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// LaTeX writes the table with the rules of the booktabs package.
func (t *Table) LaTeX(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\\begin{table}\n\\centering\n")
	if t.Title != "" {
		caption := t.Title
		for _, n := range t.Notes {
			caption = strings.TrimSuffix(caption, ".") + ". " + n
		}
		fmt.Fprintf(&b, "\\caption{%s}\n", escapeLaTeX(caption))
	}
	b.WriteString("\\begin{tabular}{")
	for _, c := range t.Columns {
		if c.Align == Right {
			b.WriteString("r")
		} else {
			b.WriteString("l")
		}
	}
	b.WriteString("}\n\\toprule\n")
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = escapeLaTeX(c.heading())
	}
	fmt.Fprintf(&b, "%s \\\\\n\\midrule\n", strings.Join(head, " & "))
	for _, r := range t.Rows {
		line := make([]string, len(r.Entries))
		for i, e := range r.Entries {
			s := escapeLaTeX(e.Text)
			if e.Bold {
				s = "\\textbf{" + s + "}"
			}
			s += escapeLaTeX(spreadText(e))
			for _, m := range slices.Sorted(slices.Values(e.Marks)) {
				s += fmt.Sprintf("\\textsuperscript{%d}", m)
			}
			line[i] = s
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(line, " & "))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	for i, note := range t.Footnotes {
		fmt.Fprintf(&b, "\\par\\footnotesize\\textsuperscript{%d} %s\n", i+1, escapeLaTeX(note))
	}
	b.WriteString("\\end{table}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escapeLaTeX escapes s to print as text. Control characters become spaces.
func escapeLaTeX(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer(
		`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`,
		"%", `\%`, "_", `\_`, "^", `\textasciicircum{}`, "~", `\textasciitilde{}`,
		"<", `\textless{}`, ">", `\textgreater{}`, "|", `\textbar{}`, `"`, `\textquotedbl{}`,
		"[", "{[}", "]", "{]}",
		"±", `$\pm$`, "Δ", `$\Delta$`, "−", "$-$", "–", "--", "×", `$\times$`, "≥", `$\geq$`,
	).Replace(s)
}
