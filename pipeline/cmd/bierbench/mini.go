package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/datasets"
)

func newMiniCommand(a *app) *cobra.Command {
	o := datasets.DefaultMini()
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
			if err = datasets.WriteMini(cmd.Context(), args[0], o); err != nil {
				return err
			}
			return a.print(map[string]string{"dir": args[0]}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "written to %s; next: %s\n", args[0],
					w.CommandLine("ingest", "all", "--raw", args[0], "--custom", datasets.MiniRelease))
				return err
			})
		},
	}
	return cmd
}
