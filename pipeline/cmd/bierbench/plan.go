package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newPlanCommand(a *app) *cobra.Command {
	var f suiteFlags
	cmd := &cobra.Command{
		Use:   "plan [SUITE]",
		Short: "List the cells of a suite and what is done already",
		Long:  "plan lists the cells that run would look at, each with its state, and trains nothing.\n" + suiteHelp(),
		Example: `  bierbench plan quick
  bierbench plan my.yaml --set steps=1000`,
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
			p, err := w.Plan(cmd.Context(), s, f.plan())
			if err != nil {
				return err
			}
			return a.print(planned(p), func(out io.Writer) error {
				err := columns(out, func(out io.Writer) {
					for _, c := range p.Cells {
						fmt.Fprintf(out, "%s\t%s\t%s\n", c.State, c.Path(), c.Why)
					}
				})
				fmt.Fprintf(out, "%d cells: %d done, %d to do, %d interrupted, %d stale, %d failed before\n", len(p.Cells), p.Count(pipeline.Done),
					p.Count(pipeline.Todo), p.Count(pipeline.Interrupted), p.Count(pipeline.Stale), p.Count(pipeline.Retry))
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

// plannedCell is one cell of plan --json.
type plannedCell struct {
	Cell  string `json:"cell"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
}

func planned(p *pipeline.Plan) []plannedCell {
	out := make([]plannedCell, len(p.Cells))
	for i, c := range p.Cells {
		out[i] = plannedCell{Cell: c.Path(), State: c.State, Why: c.Why}
	}
	return out
}
