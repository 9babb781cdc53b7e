package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/models/retrieval"
	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/reports"
)

func newRescoreCommand(a *app) *cobra.Command {
	var names []string
	format := "text"
	cmd := &cobra.Command{
		Use:   "rescore RUN[/CELL]",
		Short: "Score stored embeddings by the rules of other evaluation programs",
		Long: `rescore computes from the stored embeddings of cells what other evaluation programs
would print as R@1, R@K and MAP@R, so that a number in a paper can be matched, and the
difference to bierbench's own number in points. CELL is a path, or a glob over paths or
one of their folder names. Nothing is written. "bierbench help dialects" has the rules.

A number is marked as collapsed when the order of equal scores alone could move it by
more than 0.1 point.`,
		Example: `  bierbench rescore quick
  bierbench rescore quick/cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0
  bierbench rescore 'quick/bier-*' --dialect proxy-anchor --dialect ms-loss --format md`,
		Args:              wantArgs(1, 1, "a run, or cells of one"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			render := map[string]func(*reports.Rescoring, io.Writer) error{
				"text": (*reports.Rescoring).Text,
				"md":   (*reports.Rescoring).Markdown,
				"csv":  (*reports.Rescoring).CSV,
				"json": (*reports.Rescoring).JSON,
			}
			if render[format] == nil {
				return usageError{fmt.Errorf("--format %q: want text, md, csv or json", format)}
			}
			id, cell, _ := strings.Cut(strings.TrimSuffix(args[0], "/"), "/")
			o := pipeline.RescoreOptions{Cell: cell}
			for _, name := range names {
				d, err := retrieval.DialectNamed(name)
				if err != nil {
					return usageError{fmt.Errorf("--%w", err)}
				}
				o.Dialects = append(o.Dialects, d)
			}
			if err := plan.CheckGlob(cell); err != nil {
				return usageError{fmt.Errorf("rescore: %w", err)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Rescore(cmd.Context(), w, id, o)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error { return render[format](r, out) })
		},
	}
	cmd.Flags().StringSliceVar(&names, "dialect", nil, "`NAME` of a dialect to score by besides bierbench's own; repeatable (default: all)")
	cmd.Flags().StringVar(&format, "format", format, "`FORMAT` to print: text, md, csv or json")
	return cmd
}

// newDialectsTopic returns the help topic about dialects: a command that does nothing.
func newDialectsTopic() *cobra.Command {
	return &cobra.Command{
		Use: "dialects", Short: "What other evaluation programs call R@1 and MAP@R, and where they differ",
		Long: dialectsHelp(),
	}
}

// dialectsHelp describes every dialect, from the table that scoring uses.
func dialectsHelp() string {
	var b strings.Builder
	b.WriteString(`"bierbench rescore RUN" scores stored embeddings by these rules. R@K is a mean of hits
among the first K, MAP@R is (1/R) sum over i <= R of precision(i) rel(i). All searches
are exact.`)
	for _, d := range retrieval.Dialects() {
		fmt.Fprintf(&b, "\n\n%s\n", d.Name)
		put := func(word, text string) {
			lines := wrapWords(text, helpWidth-16)
			fmt.Fprintf(&b, "\n  %-14s%s", word, strings.Join(lines, "\n"+strings.Repeat(" ", 16)))
		}
		put("source", d.Source)
		put("vectors", d.Vectors)
		put("the query", d.Self)
		put("ties", d.Ties)
		put("no positive", d.Alone)
		put("mean over", d.Divisor)
		put("differs", d.Differs)
	}
	return b.String()
}
