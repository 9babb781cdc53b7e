package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/models/losses"
)

// helpWidth is the largest width of a line in a help topic.
const helpWidth = 88

// newLossesTopic returns the help topic about losses: a command that does nothing.
func newLossesTopic() *cobra.Command {
	return &cobra.Command{Use: "losses", Short: "The metric losses, their constants, and what boosting reweights", Long: lossesHelp()}
}

// lossesHelp describes every loss, from the table that training uses.
func lossesHelp() string {
	var b strings.Builder
	b.WriteString(`A suite's "loss: NAME" chooses one, "constants: {NAME: VALUE}" sets its constants.
"boosting: gradient" boosts any of them; "eta" and "additive" those that are sums over
pairs or triplets.`)
	for _, l := range losses.All() {
		fmt.Fprintf(&b, "\n\n%s\n", l.Name)
		put := func(word, text string) {
			lines := wrapWords(text, helpWidth-14)
			fmt.Fprintf(&b, "\n  %-12s%s", word, strings.Join(lines, "\n"+strings.Repeat(" ", 14)))
		}
		put("source", l.Source)
		put("reweighted", l.Reweighted)
		rules := "eta, additive, gradient"
		if !l.SumsTerms() {
			rules = "gradient"
		}
		put("boosting", rules)
		for i, c := range l.Constants {
			word := ""
			if i == 0 {
				word = "constants"
			}
			put(word, fmt.Sprintf("%s %.4g: %s", c.Name, c.Default, c.Does))
		}
	}
	return b.String()
}

// wrapWords breaks a text between words into lines of at most width bytes. A longer word has a line
// of its own.
func wrapWords(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
