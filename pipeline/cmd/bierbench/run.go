package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/runs"
)

// suiteFlags are what plan and run share.
type suiteFlags struct {
	only, id string
	set      []string
}

func (f *suiteFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.only, "only", "", "only the cells whose path, or one of its folders, matches `GLOB`")
	cmd.Flags().StringVar(&f.id, "run", "", "`ID` of the run (default: the suite's name)")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "override `key=value` in every block of the suite; may be repeated")
}

// load reads the suite named on the command line and applies the overrides.
func (f *suiteFlags) load(args []string) (*pipeline.Suite, error) {
	name := "quick"
	if len(args) == 1 {
		name = args[0]
	}
	s, err := pipeline.LoadSuite(name)
	if err != nil {
		return nil, usageError{err}
	}
	for _, assignment := range f.set {
		if err := s.Set(assignment); err != nil {
			return nil, usageError{err}
		}
	}
	if f.id == "" {
		f.id = s.Name
	}
	return s, nil
}

func suiteHelp() string {
	return "SUITE is built in (" + strings.Join(pipeline.BuiltinSuites(), ", ") + ") or a YAML file; the default is quick."
}

func newRunCommand(a *app) *cobra.Command {
	var f suiteFlags
	var failFast bool
	cmd := &cobra.Command{
		Use:   "run [SUITE]",
		Short: "Train and evaluate every cell of a suite that is not done",
		Long: `run does the cells of a suite that are not done or have become stale, and nothing
else: running again continues. One failed cell does not stop the rest.
` + suiteHelp(),
		Example: `  bierbench run quick
  bierbench run quick --only 'bier-512' --set seeds=[0,1,2]
  bierbench run my.yaml --run second-try`,
		Args:      arguments(cobra.MaximumNArgs(1)),
		ValidArgs: pipeline.BuiltinSuites(),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.load(args)
			if err != nil {
				return err
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := w.Run(cmd.Context(), s, pipeline.RunOptions{ID: f.id, Only: f.only, FailFast: failFast})
			if err != nil {
				return err
			}
			if err := a.print(r, func(out io.Writer) error { return printRun(out, r) }); err != nil {
				return err
			}
			return failedCells(r)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&failFast, "fail-fast", false, "stop at the first failed cell")
	return cmd
}

// recalls is R@1 in percent on the first protocol of a cell.
func recalls(cell runs.Cell) string {
	if len(cell.Evaluations) == 0 {
		return ""
	}
	e := cell.Evaluations[0]
	return fmt.Sprintf("%s R@1 %.2f", e.Protocol, 100*e.Metrics["R@1"])
}

func printRun(out io.Writer, r *pipeline.RunResult) error {
	if r.Done+len(r.Failed) == 0 {
		fmt.Fprintf(out, "run %s: all %d cells are done already, nothing to do\n", r.Run, r.Cells)
	} else {
		fmt.Fprintf(out, "run %s: %d of %d cells done (%d before), %d failed, %.0f s\n", r.Run, r.Done+r.Before, r.Cells, r.Before, len(r.Failed), r.Seconds)
	}
	for _, f := range r.Failed {
		fmt.Fprintf(out, "  failed %s: %s\n", f.Cell, f.Error)
	}
	fmt.Fprintf(out, "next: bierbench report %s\n", r.Run)
	return nil
}

// failedCells is the error of a run with failed cells.
func failedCells(r *pipeline.RunResult) error {
	if len(r.Failed) == 0 {
		return nil
	}
	return reportedError{errors.New("some cells failed")}
}
