package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/datasets"
)

func newMiniCommand(a *app) *cobra.Command {
	o := datasets.DefaultMini()
	var scale []string
	cmd := &cobra.Command{
		Use:   "mini DIR",
		Short: "Write small generated raw data sets in the five published layouts",
		Long: `mini writes what demo ingests: five raw data sets with generated images, the same
bytes every time. They are for trying ingest and suites, not for results.`,
		Example: `  bierbench mini raw
  bierbench ingest all --raw raw --custom mini`,
		Args: wantArgs(1, 1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			for _, name := range scale {
				if !slices.Contains(datasets.ScaleSets(), name) {
					return usageError{fmt.Errorf("--scale %q: want %s", name, strings.Join(datasets.ScaleSets(), " or "))}
				}
			}
			next := []string{"ingest", "all", "--raw", args[0], "--custom", datasets.MiniRelease}
			if len(scale) > 0 {
				err = datasets.WriteScale(cmd.Context(), args[0], datasets.ScaleOptions{Sets: scale, Seed: o.Seed, Divisor: 1})
				next[len(next)-1] = datasets.ScaleRelease
				next = append(next, "--allow-missing")
			} else {
				err = datasets.WriteMini(cmd.Context(), args[0], o)
			}
			if err != nil {
				return err
			}
			return a.print(map[string]string{"dir": args[0]}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "written to %s; next: %s\n", args[0], w.CommandLine(next...))
				return err
			})
		},
	}
	cmd.Flags().StringSliceVar(&scale, "scale", nil, "`SETS` of published size: sop, vehicleid or both, separated by a comma")
	return cmd
}
