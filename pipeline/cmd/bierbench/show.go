package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/runs"
)

func newShowCommand(a *app) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "show RUN[/CELL]",
		Short: "Show the cells of a run, or one cell's record",
		Long: `show prints the cells of a run and their states, or all that one cell's record
says. A cell is done, failed, running, interrupted (no process works on it any more),
planned (it has not begun) or broken (its record cannot be read). With --follow it prints each change of a run that another process works at:
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
			r, broken, err := w.Runs().Reopen(id)
			if err != nil {
				return err
			}
			if broken != nil {
				w.Log.Warn("the record of the run is broken, so only cells that have begun are shown", "error", broken)
			}
			live, err := plan.LiveCells(r)
			if err != nil {
				return err
			}
			if !one {
				shown := shownCells(live)
				return a.print(shown, func(out io.Writer) error { return printCells(out, id, live) })
			}
			i := slices.IndexFunc(live, func(c plan.LiveCell) bool { return c.Path() == cell })
			switch {
			case i < 0 || live[i].Fault == nil && live[i].Record.Status == "":
				_, err := pipeline.CellNamed(w, r, recordsOf(live), cell)
				return fmt.Errorf("run %s: %w", id, err)
			case live[i].Fault != nil:
				return live[i].Fault
			}
			return a.print(shownCells(live[i : i+1])[0], func(out io.Writer) error { return printCell(out, live[i]) })
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "print changes until no planned cell is left")
	return cmd
}

// shownCell is a cell of show --json: its record, if it has one, and its state. Unlike the status in
// the record, the state says interrupted where no process is working on the cell.
type shownCell struct {
	runs.Key
	State string `json:"state"`
	Fault string `json:"fault,omitempty"` // why the record cannot be read
	*runs.Cell
}

// shownCells returns cells for show --json.
func shownCells(live []plan.LiveCell) []shownCell {
	shown := make([]shownCell, len(live))
	for i, c := range live {
		shown[i] = shownCell{Key: c.Key, State: c.State}
		switch {
		case c.Fault != nil:
			shown[i].Fault = c.Fault.Error()
		case c.Record.Status != "":
			shown[i].Cell = &live[i].Record
		}
	}
	return shown
}

// recordsOf returns the records of cells that have one.
func recordsOf(live []plan.LiveCell) []runs.Cell {
	var records []runs.Cell
	for _, c := range live {
		if c.Record.Status != "" {
			records = append(records, c.Record)
		}
	}
	return records
}

// printCells prints a line for each cell, then the totals.
func printCells(out io.Writer, run string, live []plan.LiveCell) error {
	err := alignColumns(out, func(out io.Writer) {
		for _, c := range live {
			last := recallText(c.Record)
			switch c.State {
			case plan.Failed:
				last = oneLine(c.Record.Error)
			case plan.Broken:
				last = oneLine(c.Fault.Error())
			}
			fmt.Fprintf(out, "%s\t%s\t%s\n", c.State, c.Path(), last)
		}
	})
	return errors.Join(err, printSummary(out, pipeline.Summarize(run, live)))
}

// oneLine puts the lines of a text on one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// printCell prints the record of a cell.
func printCell(out io.Writer, live plan.LiveCell) error {
	c := live.Record
	if c.Status == "" {
		_, err := fmt.Fprintf(out, "cell    %s\nstatus  %s\n", live.Path(), live.State)
		return err
	}
	var config bytes.Buffer // the record is indented
	if err := json.Compact(&config, c.Config); err != nil {
		return fmt.Errorf("cell %s: config: %w", c.Path(), err)
	}
	return alignColumns(out, func(out io.Writer) {
		fmt.Fprintf(out, "cell\t%s\nstatus\t%s\nstarted\t%s\n", c.Path(), live.State, c.Started.Format("2006-01-02 15:04:05 MST"))
		if c.Error != "" {
			fmt.Fprintf(out, "error\t%s\n", c.Error)
		}
		if s := c.Selection; s != nil {
			fmt.Fprintf(out, "model\t%s, by %s of %s of %s\n", runs.SelectionLabel(s), s.Metric,
				counted(s.Images, "image"), counted(s.Classes, "class"))
			for _, l := range s.Looks {
				fmt.Fprintf(out, "  step %d\tR@1 %s%%, MAP@R %s%%\n", l.Step, runs.Percent(l.Metrics["R@1"]), runs.Percent(l.Metrics["MAP@R"]))
			}
		}
		for _, e := range c.Evaluations {
			fmt.Fprintf(out, "%s\t%s, %s, %d excluded%s\n", e.Protocol, counted(e.Queries, "query"),
				counted(e.Gallery, "gallery image"), e.Excluded, stateOf(e))
			for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
				value, _ := e.Value(name)
				fmt.Fprintf(out, "  %s\t%s%%%s\n", name, runs.Percent(value), collapsedMark(e, name))
			}
			for i, l := range e.Learners {
				fmt.Fprintf(out, "  learner %d (%d)\tR@1 %s%%, cumulative %s%%\n", i+1, l.Size, runs.Percent(l.R1), runs.Percent(l.Cumulative))
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
		if text := e.VariablesText(); text != "" {
			fmt.Fprintf(out, "environment variables\t%s\n", text)
		}
		for _, e := range c.Earlier {
			fmt.Fprintf(out, "earlier attempt\t%s, gomlx %s, %s on %s (%s), commit %s\n", e.Go, e.GoMLX, e.Backend, e.Device, e.CPU, e.Commit)
		}
	})
}

// collapsedMark returns a mark for a metric that ties decide.
func collapsedMark(e runs.Evaluation, metric string) string {
	if e.Collapsed(metric) {
		return " [collapsed: ties decide it]"
	}
	return ""
}

// stateOf returns a mark for an evaluation of a model that is not the last.
func stateOf(e runs.Evaluation) string {
	if e.At == runs.AtLast {
		return ""
	}
	return " [" + e.At + "]"
}
