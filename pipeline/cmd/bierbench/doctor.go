package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Check versions, backend, memory and workspace, and say how to fix what is wrong",
		Example: `  bierbench doctor`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			d, err := pipeline.Doctor(cmd.Context(), w)
			if err != nil {
				return err
			}
			err = a.print(d, func(out io.Writer) error {
				return alignColumns(out, func(out io.Writer) {
					for _, c := range d.Checks {
						fmt.Fprintf(out, "%s\t%s\t%s\n", c.State, c.Name, c.Found)
						if c.Fix != "" {
							fmt.Fprintf(out, "\t\tfix: %s\n", c.Fix)
						}
					}
				})
			})
			if err == nil && !d.OK() {
				err = errors.New("doctor found a problem")
			}
			return err
		},
	}
}
