package pipeline

import (
	"context"
	"fmt"

	"bierbench/pipeline/export"
	"bierbench/pipeline/workspace"
)

// ExportOptions choose what a run is exported as; an empty folder leaves one out.
type ExportOptions struct {
	TensorBoard string // folder for event files
	MLflow      string // folder of an MLflow file store
	Models      string // folder for the model and the embeddings of a cell, or for folders of several cells
	Projector   string // folder for the points of the one Cell in TensorBoard's embedding projector

	// Cell is the path of the one cell whose model is exported, into the folder Models itself. Or
	// it is a glob for paths or one of their folder names, or empty, which stands for all cells;
	// then the cells that are done go to folders named by their paths.
	Cell string
	// Force lets the model or the points of another cell in the folder be replaced.
	Force bool
}

// ExportResult is what Export wrote.
type ExportResult struct {
	Run         string              `json:"run"`
	Cells       int                 `json:"cells"`                 // that have a record; with Models alone, those that were exported
	TensorBoard []string            `json:"tensorboard,omitempty"` // the event files
	MLflow      string              `json:"mlflow,omitempty"`      // the experiment's folder
	Models      []ExportedModel     `json:"models,omitempty"`
	Skipped     []SkippedModel      `json:"skipped,omitempty"` // cells that are not done
	Projector   *ExportedProjection `json:"projector,omitempty"`
}

// Export writes a run for other programs. It replaces what an earlier export of the run wrote.
func Export(ctx context.Context, w *workspace.Workspace, id string, o ExportOptions) (*ExportResult, error) {
	r, err := w.Runs().Open(id)
	if err != nil {
		return nil, err
	}
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("export run %s: no cell of it has begun", id)
	}
	result := &ExportResult{Run: id, Cells: len(cells)}
	if o.TensorBoard != "" {
		if result.TensorBoard, err = export.TensorBoard(ctx, r, o.TensorBoard); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
	}
	if o.MLflow != "" {
		if result.MLflow, err = export.MLflow(ctx, r, o.MLflow); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
	}
	if o.Models != "" {
		if result.Models, result.Skipped, err = exportModels(ctx, w, r, cells, o); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
		if o.TensorBoard == "" && o.MLflow == "" {
			result.Cells = len(result.Models)
		}
	}
	if o.Projector != "" {
		if result.Projector, err = exportProjector(ctx, w, r, cells, o); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
		if o.Models == "" {
			result.Cells = 1
		}
	}
	return result, nil
}
