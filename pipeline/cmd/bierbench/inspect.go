package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newInspectCommand(a *app) *cobra.Command {
	classes := 0
	cmd := &cobra.Command{
		Use:   "inspect NAME",
		Short: "Show counts, sizes, licence and citation of a prepared data set, and draw histograms and a contact sheet",
		Example: `  bierbench inspect cub
  bierbench inspect cub --classes 40
  bierbench inspect sop/grocery --json`,
		Args:      wantArgs(1, 1, "the name of a data set"),
		ValidArgs: datasetNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSets(args); err != nil {
				return err
			}
			if classes < 0 || classes > 1000 {
				return usageError{fmt.Errorf("--classes %d: want 1 to 1000", classes)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			found, err := pipeline.Inspect(cmd.Context(), w, args[0], classes)
			if err != nil {
				return err
			}
			return a.print(found, func(out io.Writer) error {
				for _, in := range found {
					fmt.Fprintf(out, "%s/%s: %s\ndigest %s, %.1f MB\n", in.Set, in.Variant, in.Layout, in.Digest, float64(in.Bytes)/1e6)
					err := alignColumns(out, func(out io.Writer) {
						fmt.Fprintln(out, "split\timages\tclasses\timages a class\twidth\theight\tstored bytes")
						for _, s := range in.Splits {
							fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", s.Split, s.Images, s.Classes,
								formatRange(s.PerClass.Min, s.PerClass.Median, s.PerClass.Max), formatRange(s.Width.Min, s.Width.Median, s.Width.Max),
								formatRange(s.Height.Min, s.Height.Median, s.Height.Max), formatRange(s.StoredBytes.Min, s.StoredBytes.Median, s.StoredBytes.Max))
						}
					})
					if err != nil {
						return err
					}
					if in.Missing+in.Quarantined+in.Unlisted > 0 {
						fmt.Fprintf(out, "%s missing, %d quarantined, %d in no list\n", counted(in.Missing, "image"), in.Quarantined, in.Unlisted)
					}
					if in.Sheet != "" {
						fmt.Fprintf(out, "contact sheet %s\nhistograms %s\n", in.Sheet, in.Charts)
					}
					fmt.Fprintf(out, "cite: %s\nlicence: %s\n", in.Citation, in.Licence)
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&classes, "classes", 0, "`N` classes on the contact sheet (default: 12)")
	return cmd
}

// formatRange returns a range with its median as text.
func formatRange(low, median, high int) string {
	return fmt.Sprintf("%d..%d (median %d)", low, high, median)
}
