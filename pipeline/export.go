package pipeline

import (
	"context"
	"fmt"

	"bierbench/reports"
)

// ExportOptions choose the tools that a run is written for; an empty folder leaves
// one out.
type ExportOptions struct {
	TensorBoard string // folder for event files
	MLflow      string // folder of an MLflow file store
}

// ExportResult is what Export wrote.
type ExportResult struct {
	Run         string   `json:"run"`
	Cells       int      `json:"cells"`                 // with a record, whatever their state
	TensorBoard []string `json:"tensorboard,omitempty"` // the event files
	MLflow      string   `json:"mlflow,omitempty"`      // the experiment's folder
}

// Export writes a run for other tools. What an earlier export of it wrote is
// replaced.
func (w *Workspace) Export(ctx context.Context, id string, o ExportOptions) (*ExportResult, error) {
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
		if result.TensorBoard, err = reports.TensorBoard(ctx, r, o.TensorBoard); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
	}
	if o.MLflow != "" {
		if result.MLflow, err = reports.MLflow(ctx, r, o.MLflow); err != nil {
			return nil, fmt.Errorf("export run %s: %w", id, err)
		}
	}
	return result, nil
}
