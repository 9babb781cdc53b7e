package pipeline

import (
	"context"
	"fmt"

	"bierbench/datasets"
	"bierbench/models"
)

// ExtractFeatures sees to it that the features which a cell reads are cached. A cell
// that trains its backbone reads none.
func ExtractFeatures(ctx context.Context, w *Workspace, cell PlannedCell) error {
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
	if _, _, err = pooledFeatures(ctx, w, &models.Features{}, data, cell.Config, weights); err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	return nil
}
