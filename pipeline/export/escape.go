package export

import (
	"strconv"
	"strings"
	"unicode"
)

// EscapeMarkdown escapes s to show as text in a cell of a Markdown table: no HTML, links, emphasis,
// mentions or further columns. Characters that a terminal would obey become Go escapes.
func EscapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if r != unicode.ReplacementChar && unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
		"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "#", `\#`,
		" @", " &#64;",
	).Replace(b.String())
}
