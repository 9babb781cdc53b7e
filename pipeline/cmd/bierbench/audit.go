package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newAuditCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "audit NAME",
		Short: "Look for images of a prepared data set that are there more than once, within and across its splits",
		Long: `audit finds pairs of images by the SHA-256 of their files, by a perceptual hash,
and by the features of pretrained backbones where a run has cached them. It writes
the pairs with their pictures to reports/audit-<set>.<variant>/audit.html.`,
		Example: `  bierbench audit cub
  bierbench audit sop/grocery --json`,
		Args:      wantArgs(1, 1, "the name of a data set"),
		ValidArgs: datasetNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSets(args); err != nil {
				return err
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			found, err := pipeline.Audit(cmd.Context(), w, args[0])
			if err != nil {
				return err
			}
			return a.print(found, func(out io.Writer) error {
				for _, f := range found {
					if err := printAudit(out, f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// printAudit prints what was looked for and the counts of an audit.
func printAudit(out io.Writer, f pipeline.Audited) error {
	fmt.Fprintf(out, "%s: %s\n", f.Dataset, counted(f.Images, "image"))
	for _, k := range f.Kinds {
		fmt.Fprintf(out, "  %s: %s\n", k.Name, k.Rule)
	}
	if len(f.Counts) == 0 {
		fmt.Fprintln(out, "  no pair was found")
	} else if err := alignColumns(out, func(out io.Writer) {
		fmt.Fprintln(out, "kind\tbetween\tand\tpairs\tof two classes")
		for _, c := range f.Counts {
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%d\n", c.Kind, c.A, c.B, c.Pairs, c.OtherClass)
		}
	}); err != nil {
		return err
	}
	if f.Page != "" {
		fmt.Fprintf(out, "pairs with pictures: %s\n", f.Page)
	}
	return nil
}
