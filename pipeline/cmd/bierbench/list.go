package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/workspace"
)

func newListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the data sets and runs of the workspace",
		Example: `  bierbench list`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			l, err := pipeline.List(w)
			if err != nil {
				return err
			}
			return a.print(l, func(out io.Writer) error { return printListing(out, w, l) })
		},
	}
}

// printListing prints the data sets and the runs.
func printListing(out io.Writer, w *workspace.Workspace, l *pipeline.Listing) error {
	return alignColumns(out, func(out io.Writer) {
		if len(l.Datasets) == 0 {
			fmt.Fprintf(out, "no data sets; run %q\n", w.CommandLine("ingest", "NAME", "--raw", "DIR"))
		} else {
			fmt.Fprintln(out, "data set\tvariant\timages\tdigest")
		}
		for _, d := range l.Datasets {
			fmt.Fprintf(out, "%s\t%s\t%d\t%.12s\n", d.Set, d.Variant, d.Images, d.Digest)
		}
		if len(l.Runs) == 0 {
			fmt.Fprintf(out, "no runs; run %q\n", w.CommandLine("run", "SUITE"))
		} else {
			fmt.Fprintln(out, "run\tsuite\tcreated\tcells")
		}
		for _, r := range l.Runs {
			peeked := ""
			if r.Peeked > 0 {
				peeked = fmt.Sprintf(", %d chosen by test results (peek)", r.Peeked)
			}
			if r.Broken > 0 {
				peeked += fmt.Sprintf(", %d broken", r.Broken)
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%d of %d done, %d failed%s\n", r.ID, r.Suite, r.Created.Format("2006-01-02 15:04"), r.Done,
				r.Planned, r.Failed, peeked)
		}
		for _, b := range l.Broken {
			fmt.Fprintf(out, "cannot be read: %s\n", b)
		}
	})
}
