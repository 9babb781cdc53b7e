package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/runs"
)

func newShowCommand(a *app) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "show RUN[/CELL]",
		Short: "Show the cells of a run, or one cell's record",
		Long: `show prints the cells of a run and their states, or all that one cell's record
says. With --follow it prints each change of a run that another process works at:
the states of cells and, once a second, the latest step of those that train. It
ends when no planned cell is left.`,
		Example: `  bierbench show quick
  bierbench show quick --follow
  bierbench show quick/cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0`,
		Args:              wantArgs(1, 1, "a run, or one of its cells"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			id, cell, one := strings.Cut(args[0], "/")
			if follow {
				return a.follow(cmd.Context(), w, id, cell)
			}
			r, err := w.Runs().Open(id)
			if err != nil {
				return err
			}
			cells, err := r.Cells()
			if err != nil {
				return err
			}
			if cells == nil {
				cells = []runs.Cell{}
			}
			if !one {
				return a.print(cells, func(out io.Writer) error { return printCells(out, cells) })
			}
			c, err := pipeline.CellNamed(w, r, cells, cell)
			if err != nil {
				return fmt.Errorf("run %s: %w", id, err)
			}
			return a.print(c, func(out io.Writer) error { return printCell(out, c) })
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "print changes until no planned cell is left")
	return cmd
}

// printCells prints a line for each cell.
func printCells(out io.Writer, cells []runs.Cell) error {
	return alignColumns(out, func(out io.Writer) {
		for _, c := range cells {
			last := recallText(c)
			if c.Status == runs.Failed {
				last = c.Error
			}
			fmt.Fprintf(out, "%s\t%s\t%s\n", c.Status, c.Path(), last)
		}
	})
}

// printCell prints the record of a cell.
func printCell(out io.Writer, c runs.Cell) error {
	var config bytes.Buffer // the record is indented
	if err := json.Compact(&config, c.Config); err != nil {
		return fmt.Errorf("cell %s: config: %w", c.Path(), err)
	}
	return alignColumns(out, func(out io.Writer) {
		fmt.Fprintf(out, "cell\t%s\nstatus\t%s\nstarted\t%s\n", c.Path(), c.Status, c.Started.Format("2006-01-02 15:04:05 MST"))
		if c.Error != "" {
			fmt.Fprintf(out, "error\t%s\n", c.Error)
		}
		if s := c.Selection; s != nil {
			fmt.Fprintf(out, "model\t%s, by %s of %s of %s\n", runs.SelectionLabel(s), s.Metric,
				counted(s.Images, "image"), counted(s.Classes, "class"))
			for _, l := range s.Looks {
				fmt.Fprintf(out, "  step %d\tR@1 %.2f%%, MAP@R %.2f%%\n", l.Step, 100*l.Metrics["R@1"], 100*l.Metrics["MAP@R"])
			}
		}
		for _, e := range c.Evaluations {
			fmt.Fprintf(out, "%s\t%s, %s, %d excluded%s\n", e.Protocol, counted(e.Queries, "query"),
				counted(e.Gallery, "gallery image"), e.Excluded, stateOf(e))
			for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
				fmt.Fprintf(out, "  %s\t%.2f%%\n", name, 100*e.Metrics[name])
			}
			for i, l := range e.Learners {
				fmt.Fprintf(out, "  learner %d (%d)\tR@1 %.2f%%, cumulative %.2f%%\n", i+1, l.Size, 100*l.R1, 100*l.Cumulative)
			}
		}
		if c.Correlation != nil {
			if c.Correlation.Learners != nil {
				fmt.Fprintf(out, "correlation of learners\t%.4f\n", *c.Correlation.Learners)
			}
			fmt.Fprintf(out, "correlation of dimensions\t%.4f\n", c.Correlation.Dimensions)
		}
		for _, name := range slices.Sorted(maps.Keys(c.Timing)) {
			fmt.Fprintf(out, "%s\t%.2f s\n", name, c.Timing[name])
		}
		for _, name := range slices.Sorted(maps.Keys(c.Throughput)) {
			fmt.Fprintf(out, "%s\t%.4g\n", name, c.Throughput[name])
		}
		fmt.Fprintf(out, "config\t%s\n", config.String())
		e := c.Environment
		fmt.Fprintf(out, "environment\t%s, gomlx %s, %s on %s (%s), commit %s\n", e.Go, e.GoMLX, e.Backend, e.Device, e.CPU, e.Commit)
	})
}

// stateOf returns a mark for an evaluation of a model that is not the last.
func stateOf(e runs.Evaluation) string {
	if e.At == runs.AtLast {
		return ""
	}
	return " [" + e.At + "]"
}
