package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/runs"
)

func newScoreCommand(a *app) *cobra.Command {
	o := pipeline.DefaultScoreOptions()
	cmd := &cobra.Command{
		Use:   "score RUN",
		Short: "Score vectors that another program made, as a cell of a run",
		Long: `score evaluates vectors of any program and writes them as a cell of RUN, which is made
where there is none: report, diff, noise, rescore, trend and export then work on it as
on a trained cell. Vectors are .npy, safetensors, Arrow, Parquet, CSV or TSV, one a row.

With --labels, a table has a row for each vector (.csv, .tsv, Parquet, Arrow; or .npy
or .txt with labels alone). Its columns are label and, where there are such, id, split
(query, gallery, test, train), is_query and is_gallery, superclass, group and seed.
Rows for training are left out. The protocol is called labels-loo+NAME, or labels-qg+NAME
where queries are not the gallery.

With --dataset and --ids, the vectors are of the test images of a prepared data set, in
the order of the ids or names in a file, and are evaluated by the data set's own
protocols. Give the --backbone and --mode of other cells to compare with them by diff.

Vectors of one training have one seed: "diff --models" compares them as they are. Score
several seeds of a method for a verdict on methods.`,
		Example: `  bierbench score mine --embeddings mynet.npy --labels labels.csv
  bierbench score quick --embeddings mynet.npy --dataset cub --ids ids.txt --backbone lite0 --mode frozen
  bierbench score mine --embeddings seed1.parquet --labels seed1.parquet --method mynet --name products --seed 1`,
		Args:              wantArgs(1, 1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Run = args[0]
			if err := o.Check(); err != nil {
				return usageError{fmt.Errorf("score: %w", err)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			result, err := pipeline.Score(cmd.Context(), w, o)
			if err != nil {
				return err
			}
			return a.print(result, func(out io.Writer) error { return printScored(out, result) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Embeddings, "embeddings", "", "`FILE` with a vector a row")
	f.StringVar(&o.Tensor, "tensor", "", "`NAME` of the tensor or column in it, where there are several")
	f.StringVar(&o.Similarity, "similarity", o.Similarity, "`NAME` of what ranks: cosine (vectors get unit length), dot or euclidean")
	f.StringVar(&o.Labels, "labels", "", "`FILE` with a row of labels for each vector")
	f.StringVar(&o.Name, "name", "", "`NAME` of the labels, in protocols and paths (default: that of their file)")
	f.IntSliceVar(&o.Recalls, "recalls", o.Recalls, "`K,...` of R@K, with --labels")
	f.StringVar(&o.Dataset, "dataset", "", "`NAME` of a prepared data set whose test images the vectors are of")
	f.StringVar(&o.IDs, "ids", "", "`FILE` with the id or name of each vector's image, with --dataset")
	f.StringVar(&o.Method, "method", "", "`LABEL` of the method (default: the name of the file of vectors)")
	f.IntVar(&o.Seed, "seed", 0, "`N` of the training, where the labels have no column of seeds")
	f.StringVar(&o.Backbone, "backbone", o.Backbone, "`NAME` of the backbone in the key of the cell")
	f.StringVar(&o.Mode, "mode", o.Mode, "`NAME` of the mode in the key of the cell: frozen, finetune or your own")
	f.BoolVar(&o.Replace, "replace", false, "replace a cell that other files made")
	c := &o.Columns
	for _, column := range []struct {
		flag string
		name *string
		what string
	}{
		{"id", &c.ID, "ids"},
		{"label", &c.Label, "classes"},
		{"split", &c.Split, "splits"},
		{"is-query", &c.IsQuery, "flags of queries"},
		{"is-gallery", &c.IsGallery, "flags of the gallery"},
		{"superclass", &c.Superclass, "super classes"},
		{"group", &c.Group, "groups, whose images a query of the group never sees"},
		{"seed", &c.Seed, "seeds, each of which becomes a cell"},
	} {
		f.StringVar(column.name, column.flag+"-column", *column.name, "`NAME` of the column with the "+column.what)
	}
	return cmd
}

// printScored prints the cells with their metrics.
func printScored(out io.Writer, r *pipeline.ScoreResult) error {
	return alignColumns(out, func(out io.Writer) {
		for _, c := range r.Cells {
			note := ""
			if c.Before {
				note = ", scored before"
			}
			if c.LeftOut > 0 {
				note += fmt.Sprintf(", %s for training left out", counted(c.LeftOut, "row"))
			}
			fmt.Fprintf(out, "%s/%s%s\n", r.Run, c.Cell, note)
			for _, e := range c.Evaluations {
				fmt.Fprintf(out, "  %s\t%s, %s, %d excluded\n", e.Protocol, counted(e.Queries, "query"), counted(e.Gallery, "gallery image"), e.Excluded)
				for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
					value, _ := e.Value(name)
					fmt.Fprintf(out, "    %s\t%s%%%s\n", name, runs.Percent(value), collapsedMark(e, name))
				}
			}
		}
	})
}
