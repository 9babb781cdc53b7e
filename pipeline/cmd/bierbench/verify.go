package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newVerifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify NAME...",
		Short: "Hash the parts of prepared data sets again, check counts and lists, decode every image",
		Example: `  bierbench verify cub
  bierbench verify sop/grocery`,
		Args:      wantArgs(1, -1, "the name of a data set"),
		ValidArgs: datasetNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSets(args); err != nil {
				return err
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			found, err := pipeline.Verify(cmd.Context(), w, args)
			if err != nil && len(found) == 0 {
				return err
			}
			printed := a.print(found, func(out io.Writer) error {
				for _, r := range found {
					state := "ok"
					if len(r.Problems) > 0 {
						state = counted(len(r.Problems), "problem")
					}
					fmt.Fprintf(out, "%s/%s: %s, %s, %s decoded, digest %s\n", r.Set, r.Variant, state,
						counted(r.Parts, "part"), counted(r.Images, "image"), r.Digest)
					for _, p := range r.Problems {
						fmt.Fprintf(out, "  %s\n", p)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return printed
		},
	}
}
