package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
)

func newFeaturesCommand(a *app) *cobra.Command {
	var f suiteFlags
	cmd := &cobra.Command{
		Use:   "features [SUITE]",
		Short: "Compute the features that a suite reads, or import features made elsewhere",
		Long: `features does what the first frozen cell of a backbone and data set would do: it
takes every image through the backbone once and keeps what comes out. submit has a
task do this before cells that would wait for each other.

"features import" stores features that were made elsewhere; list shows them.
` + suiteHelp(),
		Example: `  bierbench features quick --only 'cub.*'
  bierbench features import dinov2 --dataset cub --features cub.npy --ids cub-ids.npy`,
		Args:      wantArgs(0, 1, "a suite"),
		ValidArgs: suite.Builtin(),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, s, err := f.load(a, args)
			if err != nil {
				return err
			}
			p, err := plan.New(cmd.Context(), w, s, f.plan())
			if err != nil {
				return err
			}
			for _, c := range p.Cells {
				if err := pipeline.ExtractFeatures(cmd.Context(), w, c); err != nil {
					return err
				}
			}
			return a.print(map[string]int{"cells": len(p.Cells)}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "the features of %s are cached\n", counted(len(p.Cells), "cell"))
				return err
			})
		},
	}
	f.add(cmd)
	cmd.AddCommand(newImportFeaturesCommand(a))
	return cmd
}
