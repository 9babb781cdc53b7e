package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/suite"
)

func newVerifyResumeCommand(a *app) *cobra.Command {
	var f suiteFlags
	var o pipeline.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify-resume [SUITE]",
		Short: "Prove on this machine that a killed run ends as an uninterrupted one",
		Long: `verify-resume does one cell without interruption, then again while its process is
killed (SIGKILL) at random moments of features, training, evaluation and writing, and
started anew each time. It compares metrics, the trained model, embeddings and queries
bit by bit, in a folder of its own that it removes. Of the cells that --only matches it
takes the first.
` + suiteHelp(),
		Example: `  bierbench verify-resume quick
  bierbench verify-resume my.yaml --only 'abier-*' --kills 20`,
		Args:      wantArgs(0, 1, "a suite"),
		ValidArgs: suite.Builtin(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Kills < 1 {
				return usageError{fmt.Errorf("--kills %d: want at least 1", o.Kills)}
			}
			w, s, err := f.load(a, args)
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			o.Only, o.Program = f.only, append([]string{program}, a.backendArguments()...)
			o.OnKill = func(k pipeline.Kill) {
				if !a.quiet && !a.json {
					fmt.Fprintf(a.stderr, "kill %d after %.2f s, in %s\n", k.Number, k.After, k.Stage)
				}
			}
			r, err := pipeline.VerifyResume(cmd.Context(), w, s, o)
			if err != nil {
				return err
			}
			if err := a.print(r, func(out io.Writer) error { return printVerifyResume(out, r) }); err != nil {
				return err
			}
			if !r.Equal {
				return reportedError{errors.New("a killed run ended differently")}
			}
			return nil
		},
	}
	f.addChoice(cmd)
	cmd.Flags().IntVar(&o.Kills, "kills", 5, "`N` times the process is killed")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 0, "`SEED` of the random moments")
	return cmd
}

// backendArguments returns the global flags that decide what a cell computes on.
func (a *app) backendArguments() []string {
	args := []string{"--devices", fmt.Sprint(a.devices)}
	if a.backend != "" {
		args = append(args, "--backend", a.backend)
	}
	if a.gpuMemory > 0 {
		args = append(args, "--gpu-memory", fmt.Sprint(a.gpuMemory))
	}
	return args
}

// printVerifyResume prints the kills and what differs.
func printVerifyResume(out io.Writer, r *pipeline.VerifyResult) error {
	var stages []string
	for _, name := range slices.Sorted(maps.Keys(r.Stages)) {
		stages = append(stages, fmt.Sprintf("%d in %s", r.Stages[name], name))
	}
	fmt.Fprintf(out, "%s: %s (%s), continued to the end %s, %.0f s\n",
		r.Cell, counted(len(r.Kills), "kill"), strings.Join(stages, ", "), counted(r.Runs, "time"), r.Seconds)
	if r.Equal {
		fmt.Fprintln(out, "metrics, model, embeddings and queries are those of an uninterrupted run, bit by bit")
	}
	for _, d := range r.Different {
		fmt.Fprintf(out, "different: %s\n", d)
	}
	return nil
}
