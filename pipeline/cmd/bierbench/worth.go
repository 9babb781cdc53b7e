package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/reports"
)

func newWorthCommand(a *app) *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "worth RUN[/CELL]",
		Short: "Measure retrieval with smaller vectors: fewer dimensions, int8, bits",
		Long: `worth measures how well the stored embeddings of cells retrieve when less is kept of
them: the first 64, 128, 256, ... dimensions, the first learners of an ensemble, and
the whole vector, each as float32, as int8 and as bits. Nothing is trained, and all
searches are exact. CELL is a path, or a glob over paths or one of their folder names.

  float32   4 bytes a number
  int8      round(127 v / max|v|), a byte each, and 4 bytes a vector for its scale
  bits      whether a number is above 0; vectors are compared by Hamming distance

No form is calibrated: each vector is compressed by its own numbers alone. Where the
first dimensions end inside a learner they get unit length; whole learners keep the
lengths that they have at test time. Equal scores, which bits have many of, are ordered
by id; a number is marked as collapsed when their order alone could move it by more
than 0.1 point.

The numbers are kept beside the record of each cell, and the next report shows them. A
cell that has them is not computed again. There are no verdicts.`,
		Example: `  bierbench worth quick
  bierbench worth 'quick/bier-*' --format csv
  bierbench report quick`,
		Args:              wantArgs(1, 1, "a run, or cells of one"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			render := map[string]func(*reports.WorthReport, io.Writer) error{
				"text": (*reports.WorthReport).Text,
				"md":   (*reports.WorthReport).Markdown,
				"csv":  (*reports.WorthReport).CSV,
				"json": (*reports.WorthReport).JSON,
			}
			if render[format] == nil {
				return usageError{fmt.Errorf("--format %q: want text, md, csv or json", format)}
			}
			id, cell, _ := strings.Cut(strings.TrimSuffix(args[0], "/"), "/")
			if err := plan.CheckGlob(cell); err != nil {
				return usageError{fmt.Errorf("worth: %w", err)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Worth(cmd.Context(), w, id, cell)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error { return render[format](r, out) })
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "`FORMAT` to print: text, md, csv or json")
	return cmd
}
