package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/models/backbones"
	"bierbench/pipeline"
	"bierbench/pipeline/workspace"
)

func newImportFeaturesCommand(a *app) *cobra.Command {
	var o pipeline.ImportOptions
	var origin, preprocessing string
	cmd := &cobra.Command{
		Use:   "import NAME --dataset SET --features FILE [--ids FILE]",
		Short: "Store features made elsewhere as the backbone file:NAME",
		Long: `import reads a vector for every image of a prepared data set, training and test images
alike, and stores them. A suite trains heads on them with "backbone: file:NAME" and
"mode: frozen". One NAME may have features of several data sets, all of one width.

--features is a matrix with a row for each image: .npy, safetensors, Arrow, Parquet, CSV
or TSV. --ids says which image each row is of, by its number or by its name as they are
in the published lists: a .npy, a text file with one a line, or a table with a column id
or name. A Parquet or Arrow file may hold both. Every image has exactly one row.

The same again writes nothing. Other features take the place of those that are there,
and what was trained on these is stale.`,
		Example: `  bierbench features import dinov2 --dataset cub --features cub.npy --ids cub-ids.npy
  bierbench features import dinov2 --dataset cub --features cub.parquet --column embedding --origin dinov2_vitb14`,
		Args: wantArgs(1, 1, "a name for the features"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if err := backbones.CheckImportName(o.Name); err != nil {
				return usageError{err}
			}
			for _, flag := range []struct{ name, value string }{{"dataset", o.Dataset}, {"features", o.Features}} {
				if flag.value == "" {
					return usageError{fmt.Errorf("features import: want --%s", flag.name)}
				}
			}
			if cmd.Flags().Changed("origin") {
				o.Origin = &origin
			}
			if cmd.Flags().Changed("preprocessing") {
				o.Preprocessing = &preprocessing
			}
			if err := (backbones.Imported{Origin: origin, Preprocessing: preprocessing}).CheckTexts(); err != nil {
				return usageError{fmt.Errorf("--%w", err)} // which begins with the name of the flag
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.ImportFeatures(cmd.Context(), w, o)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error { return printImport(out, w, r) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dataset, "dataset", "", "prepared data `SET`, as a suite names it")
	f.StringVar(&o.Features, "features", "", "`FILE` with the vectors, a row for each image")
	f.StringVar(&o.IDs, "ids", "", "`FILE` that says which image each row is of (default: a column of --features)")
	f.StringVar(&o.Column, "column", "", "`NAME` of the tensor or column with the vectors, where their file has several")
	f.StringVar(&o.IDColumn, "id-column", "", "`NAME` of the column of the ids (default: id, or name)")
	f.StringVar(&origin, "origin", "", "`TEXT` on what made the features; it goes into every record")
	f.StringVar(&preprocessing, "preprocessing", "", "`TEXT` on what was done to the images before; it goes into every record")
	return cmd
}

// printImport says what was stored, and how it is used.
func printImport(out io.Writer, w *workspace.Workspace, r *pipeline.ImportResult) error {
	verb := "stored"
	switch {
	case !r.Fresh:
		verb = "up to date"
	case r.Replaced != "":
		verb = "replaced (" + r.Replaced + ")"
	}
	fmt.Fprintf(out, "%s, %s/%s: %s, width %d, SHA-256 %.12s, %s\n", r.Backbone(), r.Set, r.Variant, counted(r.Images, "image"),
		r.Features.Width, r.Features.Digest, verb)
	_, err := fmt.Fprintf(out, "next: a suite with \"backbone: %s\" and \"mode: frozen\", then %s\n", r.Backbone(), w.CommandLine("run", "SUITE"))
	return err
}
