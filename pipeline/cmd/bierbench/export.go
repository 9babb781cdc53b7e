package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
)

func newExportCommand(a *app) *cobra.Command {
	var o pipeline.ExportOptions
	cmd := &cobra.Command{
		Use:   "export RUN [--tensorboard DIR] [--mlflow DIR]",
		Short: "Write the curves and metrics of a run for TensorBoard or MLflow",
		Long: `export writes every cell of a run that has begun: its training curves by step, its
final metrics at the last step, and its settings. Exporting again replaces what an
earlier export of the run wrote.

--tensorboard writes DIR/<run>/<cell>/events.out.tfevents.bierbench:
  tensorboard --logdir DIR

--mlflow writes an MLflow file store: an experiment for the run, an MLflow run for
each cell, with its environment as tags. MLflow 3 reads it when it is told so, or
turns it into a data base first:
  MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri DIR
  mlflow migrate-filestore --source DIR --target sqlite:///mlflow.db`,
		Example: `  bierbench export quick --tensorboard tensorboard
  bierbench export quick --mlflow mlruns`,
		Args:              arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.TensorBoard == "" && o.MLflow == "" {
				return usageError{errors.New("export: want --tensorboard DIR, --mlflow DIR or both")}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := w.Export(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error { return printExport(out, r, o) })
		},
	}
	cmd.Flags().StringVar(&o.TensorBoard, "tensorboard", "", "write event files into `DIR`")
	cmd.Flags().StringVar(&o.MLflow, "mlflow", "", "write an MLflow file store into `DIR`")
	return cmd
}

func printExport(out io.Writer, r *pipeline.ExportResult, o pipeline.ExportOptions) error {
	fmt.Fprintf(out, "run %s: %d cells exported\n", r.Run, r.Cells)
	if o.TensorBoard != "" {
		fmt.Fprintf(out, "next: tensorboard --logdir %s\n", o.TensorBoard)
	}
	if o.MLflow != "" {
		fmt.Fprintf(out, "next: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri %s\n", o.MLflow)
	}
	return nil
}
