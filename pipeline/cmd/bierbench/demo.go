package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newDemoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Do everything once on small generated data sets: set-up, ingest, training, report",
		Long: `demo installs what is missing, writes miniature raw data sets in the five published
layouts, ingests them, trains baseline, BIER and A-BIER on each with two seeds,
evaluates them, and writes a report. Running it again does only what is left to do.`,
		Example: `  bierbench demo
  bierbench -C DIR demo`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Demo(cmd.Context(), w)
			if err != nil {
				return err
			}
			if err = a.print(r, func(out io.Writer) error { return printDemo(out, r) }); err != nil {
				return err
			}
			return failedCellsError(r.Run)
		},
	}
}

// printDemo prints the tables of the report, then the run.
func printDemo(out io.Writer, r *pipeline.DemoResult) error {
	if err := r.Report.Text(out); err != nil {
		return err
	}
	printRun(out, r.Run)
	for _, f := range r.Files {
		if filepath.Ext(f) == ".html" {
			fmt.Fprintf(out, "report: %s\n", f)
		}
	}
	return nil
}
