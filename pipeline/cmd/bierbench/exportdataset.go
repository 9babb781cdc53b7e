package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

// exportDataset writes the data set of a name as Parquet files into dir.
func exportDataset(a *app, cmd *cobra.Command, name, dir string) error {
	for _, flag := range []string{"model", "force", "tensorboard", "mlflow"} {
		if cmd.Flags().Changed(flag) {
			return usageError{fmt.Errorf("export: --parquet writes a data set, --%s what a run made: choose one", flag)}
		}
	}
	name = strings.TrimSuffix(name, "/")
	if err := checkSets([]string{name}); err != nil {
		return err
	}
	w, err := a.workspace()
	if err != nil {
		return err
	}
	r, err := pipeline.ExportDataset(cmd.Context(), w, name, dir)
	if err != nil {
		return err
	}
	return a.print(r, func(out io.Writer) error {
		for _, s := range r.Splits {
			fmt.Fprintf(out, "  %-8s %6d images, %s\n", s.Split, s.Images, counted(len(s.Files), "file")) // a table
		}
		fmt.Fprintf(out, "%s: %s, %s\n", r.Dir, counted(r.Images, "image"), humanBytes(r.Bytes))
		fmt.Fprintf(out, "next: datasets.load_dataset(%q) in Python\n", r.Dir)
		return nil
	})
}
