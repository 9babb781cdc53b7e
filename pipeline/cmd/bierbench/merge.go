package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

func newMergeCommand(a *app) *cobra.Command {
	var o pipeline.MergeOptions
	cmd := &cobra.Command{
		Use:   "merge RUN DIR...",
		Short: "Bring finished cells of other workspaces into a run",
		Long: `merge copies the finished cells of a run from machines that share no file system. DIR
is another workspace, or its folder runs/RUN, wherever it was copied to.

A cell is taken whole, with its model, and only where it is what the plan of the run
asks for: configuration, data set and pretrained weights are compared by their
digests, the seal of the record and the SHA-256 of every file are checked, and with
--same-build the build. The plan is that of the run's suite here, else of the suite in
the first DIR, on the data sets of this workspace. What is refused is listed with its
reason, and the exit code is then 1.

A cell that is here with the same embeddings and queries is left alone. With others it
is a conflict, and an error; --replace takes the one of DIR. Unfinished cells stay
where they are. Data sets that are not prepared here are an error unless --only leaves
their cells out. A merge that was interrupted or killed goes on where it was.`,
		Example: `  bierbench merge quick /mnt/usb/other-workspace
  bierbench merge quick node1/runs/quick node2/runs/quick --same-build`,
		Args:              wantArgs(2, -1, "a run and the folders to take cells from"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := plan.CheckGlob(o.Only); err != nil {
				return usageError{fmt.Errorf("--only: %w", err)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Merge(cmd.Context(), w, args[0], args[1:], o)
			if err != nil {
				return err
			}
			if err = a.print(r, func(out io.Writer) error { return printMerge(out, w, r) }); err != nil {
				return err
			}
			if len(r.Refused)+len(r.Conflicts) > 0 {
				return reportedError{errors.New("some cells were not taken")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Only, "only", "", "only the cells whose path, or one of its folders, matches `GLOB`")
	cmd.Flags().BoolVar(&o.SameBuild, "same-build", false, "refuse cells made by another build of bierbench")
	cmd.Flags().BoolVar(&o.Replace, "replace", false, "take a cell of DIR where another result of it is here")
	return cmd
}

// printMerge prints what was taken, and what was not with its reason.
func printMerge(out io.Writer, w *workspace.Workspace, r *pipeline.MergeResult) error {
	fmt.Fprintf(out, "run %s: %s merged, %d here already, %d unfinished, %d refused, %d in conflict\n",
		r.Run, counted(len(r.Merged), "cell"), len(r.Equal), len(r.Unfinished), len(r.Refused), len(r.Conflicts))
	for _, part := range []struct {
		word  string
		cells []pipeline.MergedCell
	}{{"unfinished", r.Unfinished}, {"refused", r.Refused}, {"conflict", r.Conflicts}} {
		for _, c := range part.cells {
			fmt.Fprintf(out, "  %s %s in %s: %s\n", part.word, c.Cell, c.Dir, c.Reason)
		}
	}
	if len(r.Conflicts) > 0 {
		fmt.Fprintln(out, "the results that are here stay; --replace takes the others")
	}
	next := w.CommandLine("report", r.Run)
	if r.Missing > 0 {
		fmt.Fprintf(out, "%s of the plan not done yet\n", counted(r.Missing, "cell"))
		next = w.CommandLine("run", filepath.Join(r.Dir, "suite.yaml"), "--run", r.Run)
	}
	_, err := fmt.Fprintf(out, "next: %s\n", next)
	return err
}
