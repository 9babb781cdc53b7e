package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/suite"
	"bierbench/reports"
	"bierbench/runs"
)

func newNoiseCommand(a *app) *cobra.Command {
	o := runs.DefaultNoiseOptions()
	o.Base = suite.DefaultBase
	format := "text"
	var points numbers
	for _, d := range o.Differences {
		points = append(points, 100*d)
	}
	cmd := &cobra.Command{
		Use:   "noise RUN...",
		Short: "Measure what seeds do to results, and how many a difference needs",
		Long: `noise looks at results that differ in nothing but the seed. It shows
  - the standard deviation over seeds, with its interval;
  - how far apart two means over seeds of one and the same configuration are, and how
    often diff would call them different;
  - how many seeds on each side diff needs to find a difference in four of five cases,
    as foreseen from the variances of the run's own classes and seeds.
It also writes reports/noise-<run>.../.

--rows is for a difference that is one of several rows of a table, whose verdicts are
corrected for their number (Holm): such a row needs more seeds.`,
		Example: `  bierbench noise ablation
  bierbench noise ablation --method bier --metrics R@1,MAP@R
  bierbench noise ablation --differences 0.5,1 --rows 20 --format md`,
		Args:              wantArgs(1, -1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			for i, id := range args {
				if slices.Contains(args[:i], id) {
					return usageError{fmt.Errorf("noise: run %s is named twice", id)}
				}
			}
			o.Differences = o.Differences[:0]
			for i, p := range points {
				if !(p > 0 && p < 100) || i > 0 && p <= points[i-1] {
					return usageError{errors.New("--differences: want percentage points between 0 and 100, rising")}
				}
				o.Differences = append(o.Differences, p/100)
			}
			if o.Rows < 1 || o.Rows > 1000 {
				return usageError{fmt.Errorf("--rows %d: want 1 to 1,000", o.Rows)}
			}
			if a.json {
				format = "json"
			}
			render := map[string]func(*reports.NoiseReport, io.Writer) error{
				"text": (*reports.NoiseReport).Text, "md": (*reports.NoiseReport).Markdown, "html": (*reports.NoiseReport).HTML,
				"csv": (*reports.NoiseReport).CSV, "json": (*reports.NoiseReport).JSON,
			}
			if render[format] == nil {
				return usageError{fmt.Errorf("--format %q: want text, md, html, csv or json", format)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			n, files, err := pipeline.Noise(cmd.Context(), w, args, o)
			if err != nil {
				return err
			}
			a.printed = true
			if err := a.printText(func(out io.Writer) error { return render[format](n, out) }); err != nil {
				return err
			}
			for _, f := range files {
				w.Log.Info("written", "file", f)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", format, "`FORMAT` to print: text, md, html, csv or json")
	f.StringVar(&o.Method, "method", "", "measure the noise of `METHOD` only")
	f.StringSliceVar(&o.Metrics, "metrics", o.Metrics, "`METRICS` to measure")
	f.Var(&points, "differences", "differences in percentage `POINTS`; noise says how many seeds each needs")
	f.IntVar(&o.Rows, "rows", o.Rows, "number `N` of rows in the table that has the difference")
	return cmd
}
