package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

func newExportCommand(a *app) *cobra.Command {
	var o pipeline.ExportOptions
	var parquet string
	cmd := &cobra.Command{
		Use:   "export RUN[/CELL]|DATASET [--model DIR] [--projector DIR] [--tensorboard DIR] [--mlflow DIR] [--parquet DIR]",
		Short: "Write models and embeddings, curves for TensorBoard or MLflow, or a data set",
		Long: `export writes what a run made for other programs. Exporting again replaces what an
earlier export of it wrote.

--model writes the trained model and the embeddings of a cell that is done:
  model.safetensors  what is used at test time: the embedding layer as one matrix
                     [features, size] and one bias, and the backbone if it was trained
  model.onnx         the whole network for ONNX Runtime: plain RGB in, embeddings out
  model.json         the card: preprocessing, slices, training, digests, metrics
  README.md          the card as a page, with the metadata that Hugging Face reads
  embeddings.npy, ids.npy, classes.npy and embeddings.arrow of the test images
One CELL goes into DIR itself; of a whole RUN, or with a glob as CELL, the cells
that are done go to DIR/<cell>. A folder with anything else in it is left alone;
--force replaces the model of another cell. Where the features cannot be computed by
a network, or its weights are not here, there is no model.onnx and export says why.

--projector writes the embeddings of one CELL for TensorBoard's embedding projector,
with names of classes and pictures from the prepared data set:
  tensors.tsv, metadata.tsv, sprite.png, projector_config.pbtxt
Of more than 65,536 images as many are taken, evenly over their order. With at most
16,384 points the pictures have 64 pixels, else 32.

--tensorboard and --mlflow write every cell of a run that has begun: its training
curves by step, its final metrics at the last step, and its settings.

--tensorboard writes DIR/<run>/<cell>/events.out.tfevents.bierbench:
  tensorboard --logdir DIR

--mlflow writes an MLflow file store: an experiment for the run, an MLflow run for
each cell, with its environment as tags. MLflow 3 reads it when it is told so, or
turns it into a data base first:
  MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri DIR
  mlflow migrate-filestore --source DIR --target sqlite:///mlflow.db

--parquet writes a prepared DATASET, such as cub or sop/grocery, as Parquet files
DIR/data/<split>-00000-of-00001.parquet, which Hugging Face's datasets opens as
images with named classes.`,
		Example: `  bierbench export quick/cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0 --model DIR
  bierbench export 'quick/bier-*' --model DIR
  bierbench export quick/cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0 --projector DIR
  bierbench export quick --tensorboard tb
  bierbench export quick --mlflow ml
  bierbench export cub --parquet DIR`,
		Args:              wantArgs(1, 1, "a run, cells of one, or a data set"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if parquet != "" {
				return exportDataset(a, cmd, args[0], parquet)
			}
			id, cell, _ := strings.Cut(strings.TrimSuffix(args[0], "/"), "/")
			o.Cell = cell
			curves := o.TensorBoard != "" || o.MLflow != ""
			switch {
			case o.Models == "" && o.Projector == "" && !curves:
				return usageError{errors.New("export: want --model DIR, --projector DIR, --tensorboard DIR, --mlflow DIR or --parquet DIR")}
			case cell != "" && curves:
				return usageError{fmt.Errorf("export: --tensorboard and --mlflow take a whole run, %q is a cell", args[0])}
			case o.Projector != "" && (cell == "" || strings.ContainsAny(cell, "*?[")):
				return usageError{fmt.Errorf("export: --projector takes one cell, as RUN/CELL; got %q", args[0])}
			case o.Force && o.Models == "" && o.Projector == "":
				return usageError{errors.New("export: --force is for --model and --projector")}
			}
			if err := plan.CheckGlob(cell); err != nil {
				return usageError{fmt.Errorf("export: %w", err)}
			}
			w, err := a.workspace()
			if err != nil {
				return err
			}
			r, err := pipeline.Export(cmd.Context(), w, id, o)
			if err != nil {
				return err
			}
			return a.print(r, func(out io.Writer) error { return printExport(out, r, o) })
		},
	}
	cmd.Flags().StringVar(&o.Models, "model", "", "write model and embeddings into `DIR`")
	cmd.Flags().StringVar(&o.Projector, "projector", "", "write the points of a cell for TensorBoard's projector into `DIR`")
	cmd.Flags().BoolVar(&o.Force, "force", false, "with --model and --projector: replace what another cell left there")
	cmd.Flags().StringVar(&o.TensorBoard, "tensorboard", "", "write event files into `DIR`")
	cmd.Flags().StringVar(&o.MLflow, "mlflow", "", "write an MLflow file store into `DIR`")
	cmd.Flags().StringVar(&parquet, "parquet", "", "write a data set as Parquet files into `DIR`")
	return cmd
}

// printExport prints what was written, and the commands that read it.
func printExport(out io.Writer, r *pipeline.ExportResult, o pipeline.ExportOptions) error {
	for _, s := range r.Skipped {
		fmt.Fprintf(out, "left out: %s\n", s.Why)
	}
	for _, m := range r.Models {
		parameters := counted(m.Parameters, "parameter")
		if m.Parameters == 0 {
			parameters = "no model, the cell was not trained"
		}
		fmt.Fprintf(out, "%s: %s, %s, %s\n", m.Dir, parameters, counted(m.Images, "embedding"), humanBytes(m.Bytes))
		if m.WithoutONNX != "" {
			fmt.Fprintf(out, "  without model.onnx: %s\n", m.WithoutONNX)
		}
	}
	if p := r.Projector; p != nil {
		fmt.Fprintf(out, "%s: %s of %s\n", p.Dir, counted(p.Points, "point"), counted(p.Images, "image"))
		if p.WithoutPictures != "" {
			fmt.Fprintf(out, "  without pictures and names of classes: %s\n", p.WithoutPictures)
		}
	}
	fmt.Fprintf(out, "run %s: %s exported\n", r.Run, counted(r.Cells, "cell"))
	if o.Projector != "" {
		fmt.Fprintf(out, "next: %s\n", workspace.ShellLine("tensorboard", "--logdir", o.Projector))
	}
	if o.TensorBoard != "" {
		fmt.Fprintf(out, "next: %s\n", workspace.ShellLine("tensorboard", "--logdir", o.TensorBoard))
	}
	if o.MLflow != "" {
		fmt.Fprintf(out, "next: MLFLOW_ALLOW_FILE_STORE=true %s\n", workspace.ShellLine("mlflow", "ui", "--backend-store-uri", o.MLflow))
	}
	return nil
}
