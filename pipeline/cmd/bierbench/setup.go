package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/models/cache"
	"bierbench/pipeline"
)

func newSetupCommand(a *app) *cobra.Command {
	var o pipeline.SetupOptions
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Install the XLA plugin and pretrained weights into the user's cache",
		Long: `setup installs what is missing, with every download pinned by its hash, and says
what it found. Running it again changes nothing. Other commands call it by themselves.`,
		Example: `  bierbench setup
  bierbench setup --weights lite0
  bierbench setup --weights googlenet=bvlc_googlenet.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, value := range o.Weights {
				if _, _, err := cache.SplitWeights(value); err != nil {
					return usageError{fmt.Errorf("--weights: %w", err)}
				}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Setup(cmd.Context(), w, o)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error {
				return alignColumns(out, func(out io.Writer) {
					fmt.Fprintf(out, "cache\t%s\n", r.Cache)
					fmt.Fprintf(out, "backend\t%s\t%s\n", r.Backend, r.Device)
					if r.Plugin != "" {
						fmt.Fprintf(out, "plugin\t%s\n", r.Plugin)
					}
					for _, weights := range r.Weights {
						if weights.Fix != "" {
							fmt.Fprintf(out, "weights %s\tnot there\t%s\n", weights.Name, weights.Fix)
						} else {
							fmt.Fprintf(out, "weights %s\tSHA-256 %s\n", weights.Name, weights.SHA256)
						}
					}
				})
			})
		},
	}
	cmd.Flags().StringArrayVar(&o.Weights, "weights", nil, "`NAME` to install, or NAME=FILE to take a file into the cache; may be repeated")
	return cmd
}
