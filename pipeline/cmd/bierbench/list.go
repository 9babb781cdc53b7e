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
		Short:   "List the data sets, imported features and runs of the workspace",
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

// printImports prints imported features.
func printImports(out io.Writer, imports []pipeline.ListedImport) {
	if len(imports) > 0 {
		fmt.Fprintln(out, "features\tdata set\timages\twidth\tdigest")
	}
	for _, i := range imports {
		fmt.Fprintf(out, "%s\t%s/%s\t%d\t%d\t%.12s", i.Backbone(), i.Set, i.Variant, i.Images, i.Features.Width, i.Features.Digest)
		for _, text := range []string{i.Features.Origin, i.Features.Preprocessing} {
			if text != "" {
				fmt.Fprintf(out, "  %s", text)
			}
		}
		if i.Why != "" {
			fmt.Fprintf(out, "  (not usable: %s)", i.Why)
		}
		fmt.Fprintln(out)
	}
}

// printListing prints the data sets, the imported features and the runs.
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
		printImports(out, l.Features)
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
