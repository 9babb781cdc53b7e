package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newReportCommand(a *app) *cobra.Command {
	var o pipeline.ReportOptions
	var points float64
	cmd := &cobra.Command{
		Use:   "report RUN...",
		Short: "Write the report of one run or several: HTML, Markdown, CSV, JSON and LaTeX",
		Long: `report writes the tables, charts and pages of runs. A block of its own shows what is
published on the same data sets, from a table that bierbench comes with.

--tolerance POINTS says of a result whether it reproduces a published number: whether
its mean over seeds is at most so many percentage points above or below that number.
The number must be of the same protocol, method, backbone and embedding size, and the
result's backbone must have been trained. The mean's 95% interval over seeds is shown
and does not change the verdict; where it reaches over the border, a footnote says so.
Results on parts of a data set (+subset) and on lists of their own get no verdict, and
the reason is shown.`,
		Example: `  bierbench report quick
  bierbench report quick second-try --out DIR
  bierbench report paper-cub --tolerance 1`,
		Args:              wantArgs(1, -1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("tolerance") {
				if !(points >= 0 && points <= 100) {
					return usageError{fmt.Errorf("--tolerance %g: want percentage points from 0 to 100", points)}
				}
				fraction := points / 100
				o.Tolerance = &fraction
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, files, err := pipeline.Report(cmd.Context(), w, args, o)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"files": files}, func(out io.Writer) error {
				if err := r.Text(out); err != nil {
					return err
				}
				for _, f := range files {
					fmt.Fprintln(out, f)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&o.Dir, "out", "", "write to `DIR` (default: reports/<run>)")
	cmd.Flags().Float64Var(&points, "tolerance", 0,
		"give verdicts on published results; ours may be so many percentage `POINTS` away from them")
	cmd.Flags().BoolVar(&o.NoPictures, "no-pictures", false, "leave out the thumbnails of the data sets' images")
	return cmd
}
