package pipeline

import (
	"context"
	"fmt"

	"bierbench/datasets"
	"bierbench/models"
)

// Features sees to it that the features which a cell reads are cached. A cell
// that trains its backbone reads none.
func (w *Workspace) Features(ctx context.Context, cell PlannedCell) error {
	if cell.Config.Mode != models.Frozen {
		return nil
	}
	net, err := models.BackboneNamed(cell.Config.Backbone)
	if err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	var weights models.Weights
	if net.Weights != "" {
		if weights, err = w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return fmt.Errorf("features of %s: %w", cell.Path(), err)
		}
	}
	data, err := datasets.Open(cell.data.Dir)
	if err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	defer data.Close()
	if _, _, err = w.pooled(ctx, data, cell.Config, weights); err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	return nil
}
