package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newEvaluateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "evaluate RUN",
		Short:             "Compute the metrics of a run again from its stored embeddings",
		Example:           `  bierbench evaluate quick`,
		Args:              wantArgs(1, 1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			cells, err := pipeline.Evaluate(cmd.Context(), w, args[0])
			if err != nil {
				return err
			}
			return a.print(map[string]any{"run": args[0], "cells": cells}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "run %s: %s evaluated again\n", args[0], counted(cells, "cell"))
				return err
			})
		},
	}
}
