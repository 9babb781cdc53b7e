package main

import (
	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newTrendCommand(a *app) *cobra.Command {
	var metric string
	cmd := &cobra.Command{
		Use:   "trend RUN...",
		Short: "Draw a metric over runs, in the order of their creation",
		Long: `trend shows a metric of each group in every run: mean over seeds and its 95% interval,
with the run's time and the commit of bierbench. The runs are in the order of their
creation, whatever order they are named in. It also writes reports/trend-<run>.../ with
a chart. Whether a difference is real, diff says.`,
		Example: `  bierbench trend monday tuesday wednesday
  bierbench trend monday tuesday --metric MAP@R`,
		Args:              wantArgs(1, -1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			t, files, err := pipeline.Trend(cmd.Context(), w, args, metric)
			if err != nil {
				return err
			}
			for _, f := range files {
				w.Log.Info("written", "file", f)
			}
			return a.print(t, t.Text)
		},
	}
	cmd.Flags().StringVar(&metric, "metric", "R@1", "the `METRIC` to draw")
	return cmd
}
