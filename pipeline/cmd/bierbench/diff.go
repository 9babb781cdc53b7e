package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/reports"
	"bierbench/runs"
)

func newDiffCommand(a *app) *cobra.Command {
	var o pipeline.DiffOptions
	o.Compare = runs.DefaultCompareOptions()
	var fail, schema bool
	var limits []string
	format := "text"
	cmd := &cobra.Command{
		Use:   "diff A [B...] [--base METHOD]",
		Short: "Compare runs with the first, or the methods inside one, query by query",
		Long: `diff compares groups of cells. The cells of a group differ in nothing but the seed.
  diff A B     compares each group of run B with the same group of run A
  diff A B C   compares each of the other runs with A
  diff A       compares every method of run A with its base: the one that the suite
               names, else baseline; --base METHOD names one for all

Deltas come with a 95% interval over test classes and seeds, and verdicts are corrected
over the whole table (Holm). A trained side with one seed gets no verdict: what another
seed would give is not known. --models compares the trained models as they are. diff also
writes reports/diff-<a>-<b>/, or reports/diff-<a>-bases/ for one run.

--fail exits with code 3 when a row fails. A row fails when its verdict is worse and its
metric fell by more than the metric's threshold, which is 0 unless --threshold gives one
in percentage points. A group with results in A and none in B fails, too: what is lost
is not better. Other rows without a verdict do not fail.`,
		Example: `  bierbench diff quick second-try
  bierbench diff quick second-try third-try
  bierbench diff quick
  bierbench diff quick --base baseline
  bierbench diff quick second-try --models
  bierbench diff quick second-try --fail --threshold R@1=0.5 --format json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if schema {
				return noArgs(cmd, args)
			}
			return wantArgs(1, -1, "a run")(cmd, args)
		},
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if schema {
				a.printed = true
				_, err := a.stdout.Write(reports.DiffSchema())
				return err
			}
			o.A, o.Others = args[0], args[1:]
			if len(o.Others) > 0 && o.Base != "" {
				return usageError{fmt.Errorf("--base is for one run, got %s", quoted(args))}
			}
			thresholds, err := parseThresholds(limits, o.Compare.Metrics)
			if err != nil {
				return usageError{err}
			}
			if len(limits) > 0 && !fail {
				return usageError{errors.New("--threshold is for --fail")}
			}
			render := map[string]func(*pipeline.Difference, io.Writer) error{
				"text": func(d *pipeline.Difference, w io.Writer) error { return reports.DiffText(d.Diff, w) },
				"md":   func(d *pipeline.Difference, w io.Writer) error { return reports.DiffMarkdown(d.Diff, w) },
				"html": func(d *pipeline.Difference, w io.Writer) error { return reports.DiffHTML(d.Diff, d.Curves, d.Flips, w) },
				"json": func(d *pipeline.Difference, w io.Writer) error { return reports.DiffJSON(d.Diff, w) },
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
			d, err := pipeline.Diff(cmd.Context(), w, o)
			if err != nil {
				return err
			}
			a.printed = true
			if err := a.printText(func(out io.Writer) error { return render[format](d, out) }); err != nil {
				return err
			}
			for _, f := range d.Files {
				w.Log.Info("written", "file", f)
			}
			if fail {
				return thresholds.check(d.Diff)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Base, "base", "", "compare all methods of one run with `METHOD`")
	f.StringVar(&format, "format", format, "`FORMAT` to print: text, md, html or json")
	f.BoolVar(&o.NoPictures, "no-pictures", false, "leave out the thumbnails of the data sets' images")
	f.BoolVar(&fail, "fail", false, "exit with code 3 when a row is worse, or a group has no result in B")
	f.StringArrayVar(&limits, "threshold", nil, "with --fail, `METRIC=POINTS`: a row that is worse by no more does not fail; repeatable")
	f.BoolVar(&schema, "schema", false, "print the JSON Schema of --format json")
	f.StringSliceVar(&o.Compare.Metrics, "metrics", o.Compare.Metrics, "`METRICS` to compare, or all")
	f.BoolVar(&o.Compare.Models, "models", false, "compare the trained models as they are, not their methods: test classes alone vary")
	return cmd
}
