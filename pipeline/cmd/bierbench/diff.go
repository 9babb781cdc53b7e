package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/reports"
	"bierbench/runs"
)

func newDiffCommand(a *app) *cobra.Command {
	var o pipeline.DiffOptions
	o.Compare = runs.DefaultCompareOptions()
	var fail bool
	format := "text"
	cmd := &cobra.Command{
		Use:   "diff A [B] [--base METHOD]",
		Short: "Compare two runs, or the methods inside one, query by query",
		Long: `diff compares groups of cells that differ in nothing but the seed: the same group in
two runs, or every method of one run with its base: the method that the suite names
for it, baseline where it names none, or METHOD for all. Deltas come with a 95%
interval over test classes and seeds; verdicts are corrected over the whole table
(Holm). It also writes reports/diff-<a>-<b>/.`,
		Example: `  bierbench diff quick second-try
  bierbench diff quick
  bierbench diff quick --base baseline
  bierbench diff quick second-try --fail --format json`,
		Args:              arguments(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.A = args[0]
			switch {
			case len(args) == 2 && o.Base != "":
				return usageError{errors.New("diff: two runs and --base: want one of them")}
			case len(args) == 2:
				o.B = args[1]
			}
			render := map[string]func(*runs.Diff, io.Writer) error{
				"text": reports.DiffText, "md": reports.DiffMarkdown, "html": reports.DiffHTML, "json": reports.DiffJSON,
			}
			if a.json {
				format = "json"
			}
			if render[format] == nil {
				return usageError{fmt.Errorf("--format %q: want text, md, html or json", format)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			o.Write = true
			d, files, err := w.Diff(cmd.Context(), o)
			if err != nil {
				return err
			}
			a.printed = true
			if err := render[format](d, a.stdout); err != nil {
				return err
			}
			for _, f := range files {
				w.Log.Info("written", "file", f)
			}
			if fail && slices.ContainsFunc(d.Rows, func(c runs.Comparison) bool { return c.Verdict == runs.Worse }) {
				return errRegression
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Base, "base", "", "compare all methods of one run with `METHOD`")
	f.StringVar(&format, "format", format, "text, md, html or json")
	f.BoolVar(&fail, "fail", false, "exit with code 3 when a row is worse")
	f.StringSliceVar(&o.Compare.Metrics, "metrics", o.Compare.Metrics, "metrics to compare, or all")
	f.IntVar(&o.Compare.Resamples, "resamples", o.Compare.Resamples, "bootstrap resamples")
	return cmd
}
