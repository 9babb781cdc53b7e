package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newReportCommand(a *app) *cobra.Command {
	var o pipeline.ReportOptions
	cmd := &cobra.Command{
		Use:   "report RUN...",
		Short: "Write the report of one run or several: HTML, Markdown, CSV, JSON and LaTeX",
		Example: `  bierbench report quick
  bierbench report quick second-try --out DIR`,
		Args:              arguments(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, files, err := w.Report(cmd.Context(), args, o)
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
	cmd.Flags().BoolVar(&o.NoPictures, "no-pictures", false, "without thumbnails of the data sets' images")
	return cmd
}
