package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline/cost"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/runs"
)

func newPlanCommand(a *app) *cobra.Command {
	var f suiteFlags
	var probe bool
	cmd := &cobra.Command{
		Use:   "plan [SUITE]",
		Short: "List the cells of a suite, what is done already and what the rest takes",
		Long: `plan lists the cells that run would look at, each with its state, and the time,
memory and disk that it still needs. Times come from what cells took on this
machine. A "?" stands for work of a kind that was never done here: --probe does a
little of it (20 steps, 64 images or one search) and keeps the time. plan trains no
cell.

Memory is that of the process. For a training end to end it is known only after a
cell or a probe was done. Features that many cells read are computed once; their
cost is shown at the first of these cells.
` + suiteHelp(),
		Example: `  bierbench plan quick
  bierbench plan quick --probe
  bierbench plan my.yaml --set steps=1000`,
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
			if probe {
				if _, err := cost.Probe(cmd.Context(), w, p); err != nil {
					return err
				}
			}
			if err := cost.Estimate(w, p); err != nil {
				return err
			}
			t := cost.Sum(w, p)
			return a.print(newPlannedSuite(p, t), func(out io.Writer) error { return printPlan(out, p, t, probe) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&probe, "probe", false, "measure the kinds of work that were never done on this machine")
	return cmd
}

// printPlan prints a line for each cell, then the totals.
func printPlan(out io.Writer, p *plan.Plan, t cost.Total, probed bool) error {
	var table strings.Builder
	err := alignColumns(&table, func(out io.Writer) {
		fmt.Fprintf(out, "state\tcell\ttime\tmemory\tdisk\t\n")
		for _, c := range p.Cells {
			if c.State == plan.Done {
				fmt.Fprintf(out, "%s\t%s\t\t\t\t%s\n", c.State, c.Path(), c.Why)
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n",
				c.State, c.Path(), costTime(c.Cost), costBytes(c.Cost.Memory), costBytes(c.Cost.Disk), c.Why)
		}
	})
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(out, "%s: %d done, %d to do, %d interrupted, %d stale, %d failed before", counted(len(p.Cells), "cell"),
		p.Count(plan.Done), p.Count(plan.Todo), p.Count(plan.Interrupted), p.Count(plan.Stale), p.Count(plan.Failed))
	if n := p.Count(plan.Running); n > 0 {
		fmt.Fprintf(out, ", %d running", n)
	}
	fmt.Fprintln(out)
	if t.Cells == 0 {
		return err
	}
	total := humanSeconds(t.Seconds)
	switch {
	case t.Unknown == t.Cells:
		total = "not known"
	case t.Unknown > 0:
		total = fmt.Sprintf("%s and %s of unknown time", total, counted(t.Unknown, "cell"))
	}
	free := "not known"
	if t.Free >= 0 {
		free = humanBytes(t.Free)
	}
	fmt.Fprintf(out, "time %s, memory %s, disk %s (%s while it runs), free %s\n",
		total, costBytes(t.Memory), humanBytes(t.Disk), humanBytes(t.Peak), free)
	if !t.Fits() {
		fmt.Fprintf(out, "warning: the disk is too small: %s needed, %s free\n", humanBytes(t.Peak), free)
	}
	if t.Unknown > 0 && !probed {
		fmt.Fprintln(out, "?: never done on this machine; --probe measures a little of each kind")
	}
	return err
}

// costTime returns a cell's time as text. A time that comes from a probe is marked.
func costTime(c runs.Cost) string {
	switch c.Basis {
	case "":
		return "?"
	case "probe":
		return humanSeconds(c.Seconds) + " (probe)"
	}
	return humanSeconds(c.Seconds)
}

// costBytes returns a size as text, "?" where it is not known.
func costBytes(n int64) string {
	if n == 0 {
		return "?"
	}
	return humanBytes(n)
}

// plannedSuite is the output of plan --json: sizes in bytes, times in seconds.
type plannedSuite struct {
	Run   string        `json:"run"`
	Suite string        `json:"suite"`
	Cells []plannedCell `json:"cells"`
	Total cost.Total    `json:"total"`
	Fits  bool          `json:"fits"` // the disk has room
}

// plannedCell is a cell of plan --json.
type plannedCell struct {
	Cell  string     `json:"cell"`
	State string     `json:"state"`
	Why   string     `json:"why,omitempty"`
	Cost  *runs.Cost `json:"cost,omitempty"` // none for a done cell; seconds are 0 where basis is empty
}

// newPlannedSuite returns a plan for plan --json.
func newPlannedSuite(p *plan.Plan, t cost.Total) plannedSuite {
	out := plannedSuite{Run: p.Run, Suite: p.Suite.Name, Cells: make([]plannedCell, len(p.Cells)), Total: t, Fits: t.Fits()}
	for i, c := range p.Cells {
		out.Cells[i] = plannedCell{Cell: c.Path(), State: c.State, Why: c.Why}
		if c.State != plan.Done {
			out.Cells[i].Cost = &p.Cells[i].Cost
		}
	}
	return out
}
