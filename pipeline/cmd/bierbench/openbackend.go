package main

import (
	"github.com/spf13/cobra"
)

// openBackendName is the name of the command that opens the backend and ends. A plugin that does not
// take its flags ends its process, so that another one tries them first.
const openBackendName = "open-backend"

func newOpenBackendCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     openBackendName,
		Short:   "Open the backend and end",
		Example: `  bierbench open-backend`,
		Hidden:  true,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			w.Opener = nil
			_, err = w.OpenBackend(cmd.Context())
			return err
		},
	}
}
