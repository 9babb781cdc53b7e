package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline/plan"
	"bierbench/pipeline/submit"
)

func newStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show the state of every cell of a run and of its task",
		Long: `status shows every cell of a run: done, failed, running, interrupted (the next run or
submission continues it) or planned, as its record and its claim say. Beside it is
the task that it was submitted with last, with the state that the engine gives it.
The default is the run that was submitted last.`,
		Example: `  bierbench status
  bierbench status quick
  bierbench status quick --json`,
		Args:              wantArgs(0, 1, "a run"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			var run string
			if len(args) == 1 {
				run = args[0]
			} else if run, err = submit.LatestRun(w); err != nil {
				return err
			}
			s, err := submit.Status(cmd.Context(), w, run)
			if err != nil {
				return err
			}
			return a.print(s, func(out io.Writer) error { return printStatus(out, s) })
		},
	}
}

// printStatus prints a line for each cell, then the totals.
func printStatus(out io.Writer, s *submit.RunStatus) error {
	err := alignColumns(out, func(out io.Writer) {
		for _, t := range s.Features {
			fmt.Fprintf(out, "features\t%.12s\t%s\t\n", t.Features, taskWords(t))
		}
		for _, c := range s.Cells {
			task := ""
			if c.Task != nil {
				task = taskWords(*c.Task)
			}
			first, _, _ := strings.Cut(c.Error, "\n")
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", c.State, c.Cell, task, first)
		}
	})
	if err != nil {
		return err
	}
	var counts []string
	for _, state := range s.States() {
		if state == plan.Broken && s.Counts[state] == 0 {
			continue
		}
		counts = append(counts, fmt.Sprintf("%d %s", s.Counts[state], state))
	}
	fmt.Fprintf(out, "run %s: %s: %s\n", s.Run, counted(len(s.Cells), "cell"), strings.Join(counts, ", "))
	for _, note := range s.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	return nil
}

// taskWords returns the state of a task as text: "slurm 12_3 PENDING (Dependency)". The state is
// "-" where the engine does not know the task any more.
func taskWords(t submit.TaskStatus) string {
	words := fmt.Sprintf("%s %s %s", t.Engine, t.ID, t.State)
	if t.State == "" {
		words += "-"
	}
	if t.Reason != "" {
		words += " (" + t.Reason + ")"
	}
	return words
}
