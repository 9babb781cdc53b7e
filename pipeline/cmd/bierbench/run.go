package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// suiteFlags are the flags that choose and change the cells of a suite.
type suiteFlags struct {
	only, id  string
	set       []string
	sameBuild bool
	named     bool // the command has a run, which the flag --run names
}

// add adds all of the flags.
func (f *suiteFlags) add(cmd *cobra.Command) {
	f.addChoice(cmd)
	f.named = true
	cmd.Flags().StringVar(&f.id, "run", "", "`ID` of the run (default: the suite's name)")
	cmd.Flags().BoolVar(&f.sameBuild, "same-build", false, "cells made by another build of bierbench are stale")
}

// addChoice adds the flags that choose and change cells.
func (f *suiteFlags) addChoice(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.only, "only", "", "only the cells whose path, or one of its folders, matches `GLOB`")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "override `OPTION=VALUE` in every block of the suite; may be repeated")
}

// plan returns the options of a plan.
func (f *suiteFlags) plan() plan.Options {
	return plan.Options{Run: f.id, Only: f.only, SameBuild: f.sameBuild}
}

// load reads the suite that is named on the command line and applies the overrides. It also returns
// the workspace.
func (f *suiteFlags) load(a *app, args []string) (*workspace.Workspace, *suite.Suite, error) {
	name := "quick"
	if len(args) == 1 {
		name = args[0]
	}
	s, err := suite.Load(name)
	if err != nil {
		return nil, nil, usageError{err}
	}
	for _, assignment := range f.set {
		if err = s.Set(assignment); err != nil {
			return nil, nil, usageError{err}
		}
	}
	if f.only != "" {
		if err = plan.CheckGlob(f.only); err != nil {
			return nil, nil, usageError{fmt.Errorf("--only: %w", err)}
		}
	}
	if f.id != "" {
		if err = runs.CheckID(f.id); err != nil {
			return nil, nil, usageError{fmt.Errorf("--run: %w", err)}
		}
	} else if f.id = s.Name; f.named {
		if err = runs.CheckID(f.id); err != nil {
			return nil, nil, usageError{fmt.Errorf("suite %s: %w; --run ID gives the run another name", s.Name, err)}
		}
	}
	w, err := a.workspace()
	return w, s, err
}

// suiteHelp says what a suite on the command line may be.
func suiteHelp() string {
	const width = 84
	text, line := "\n", "SUITE is a YAML file or built in; the default is quick. Built in are"
	for i, name := range suite.Builtin() {
		if i > 0 {
			line += ","
		}
		if len(line)+len(name) >= width {
			text, line = text+line+"\n", name
		} else {
			line += " " + name
		}
	}
	return text + line + "."
}

func newRunCommand(a *app) *cobra.Command {
	var f suiteFlags
	var o pipeline.RunOptions
	cmd := &cobra.Command{
		Use:   "run [SUITE]",
		Short: "Train and evaluate every cell of a suite that is not done",
		Long: `run does the cells of a suite that are not done or have become stale, and nothing
else: running again continues. A failed cell does not stop the others; later runs
leave it alone unless they have --retry-failed. Several processes may run one suite
in one workspace: they share the cells.
` + suiteHelp(),
		Example: `  bierbench run quick
  bierbench run quick --only 'bier-512' --set 'seeds=[0,1,2]'
  bierbench run my.yaml --run second-try
  bierbench run my.yaml --retry-failed`,
		Args:      wantArgs(0, 1, "a suite"),
		ValidArgs: suite.Builtin(),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, s, err := f.load(a, args)
			if err != nil {
				return err
			}
			o.ID, o.Only, o.SameBuild = f.id, f.only, f.sameBuild
			r, err := pipeline.Run(cmd.Context(), w, s, o)
			if err != nil {
				return err
			}
			err = a.print(r, func(out io.Writer) error {
				printRun(out, r)
				if r.Done+r.Elsewhere+r.Before > 0 { // a report is of what is done
					fmt.Fprintf(out, "next: %s\n", w.CommandLine("report", r.Run))
				}
				return nil
			})
			if err != nil {
				return err
			}
			return failedCellsError(r)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&o.FailFast, "fail-fast", false, "stop at the first failed cell")
	cmd.Flags().BoolVar(&o.RetryFailed, "retry-failed", false, "also do the cells that failed before")
	cmd.Flags().BoolVar(&o.TensorBoard, "tensorboard", false, "write event files into each cell's folder tensorboard/ while it trains")
	cmd.Flags().DurationVar(&o.Checkpoint, "checkpoint", pipeline.DefaultCheckpoint, "`TIME` between checkpoints of a training")
	return cmd
}

// recallText returns R@1 of a cell by its first protocol, in percent. It says how the model was
// chosen, where it is not the last.
func recallText(cell runs.Cell) string {
	if len(cell.Evaluations) == 0 {
		return ""
	}
	e := cell.Evaluations[0]
	value, _ := e.Value("R@1")
	line := fmt.Sprintf("%s R@1 %s%s", e.Protocol, runs.Percent(value), collapsedMark(e, "R@1"))
	if chosen := runs.SelectionLabel(cell.Selection); chosen != "" {
		line += " [" + chosen + "]"
	}
	return line
}

// printRun prints how many cells are done, and which failed.
func printRun(out io.Writer, r *pipeline.RunResult) {
	if r.Before == r.Cells {
		all := fmt.Sprintf("all %s are", counted(r.Cells, "cell"))
		if r.Cells == 1 {
			all = "its cell is"
		}
		fmt.Fprintf(out, "run %s: %s done already, nothing to do\n", r.Run, all)
	} else {
		elsewhere := ""
		if r.Elsewhere > 0 {
			elsewhere = fmt.Sprintf(", %d by other processes", r.Elsewhere)
		}
		fmt.Fprintf(out, "run %s: %d of %s done (%d before%s), %d failed, %.0f s\n",
			r.Run, r.Done+r.Elsewhere+r.Before, counted(r.Cells, "cell"), r.Before, elsewhere, len(r.Failed), r.Seconds)
	}
	again := false
	for _, f := range r.Failed {
		when := ""
		if f.Before {
			when, again = " before", true
		}
		fmt.Fprintf(out, "  failed%s %s: %s\n", when, f.Cell, f.Error)
		for _, line := range f.Log {
			fmt.Fprintf(out, "    %s\n", line)
		}
	}
	if again {
		fmt.Fprintln(out, "cells that failed before were left alone; --retry-failed does them again")
	}
}

// failedCellsError returns the error of a run with failed cells.
func failedCellsError(r *pipeline.RunResult) error {
	if len(r.Failed) == 0 {
		return nil
	}
	return reportedError{errors.New("some cells failed")}
}
