package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bierbench/datasets"
	"bierbench/models"
)

// extractBatch is how many images go through a frozen backbone at a time.
const extractBatch = 32

// pooled returns the backbone's pooled feature of every row of a data set,
// from the cache or computed into it. seconds is 0 when they were cached.
// Processes that need the same features wait for the one that computes them.
func (w *Workspace) pooled(ctx context.Context, data *datasets.Dataset, c models.Config, weights models.Weights) (f models.Features, seconds float64, err error) {
	net, err := models.BackboneNamed(c.Backbone)
	if err != nil {
		return f, 0, err
	}
	key := models.FeaturesKey(data.Manifest.Digest, weights.SHA256, net, c.Input)
	path := filepath.Join(w.featuresDir(), key+".arrow")
	if _, err = os.Stat(path); err == nil {
		f, err = models.ReadFeatures(path, key)
		return f, 0, err
	}
	claims, err := openClaims(w.featuresDir())
	if err != nil {
		return f, 0, err
	}
	defer claims.close()
	mine, err := claims.try(key)
	if err != nil {
		return f, 0, err
	}
	if !mine {
		w.Log.Info("waiting for features that another process computes", "dataset", data.Manifest.Set, "backbone", c.Backbone)
		if err = claims.take(ctx, key); err != nil {
			return f, 0, err
		}
	}
	if _, err = os.Stat(path); err == nil {
		f, err = models.ReadFeatures(path, key)
		return f, 0, err
	}
	b, err := w.backend(ctx)
	if err != nil {
		return f, 0, err
	}
	began := time.Now()
	stage := fmt.Sprintf("features %s %s", data.Manifest.Set, c.Backbone)
	w.Progress.Start(stage, data.Len())
	values, err := models.ExtractFeatures(ctx, b, net, weights.Path, data.Len(), c.Input, extractBatch,
		func(i int, dst []uint8) error { return data.Pixels(i, datasets.View{Size: c.Input}, dst) },
		func(done int) { w.Progress.Advance(done, "") })
	w.Progress.Finish()
	if err != nil {
		return f, 0, fmt.Errorf("%s: %w", stage, err)
	}
	f = models.Features{Key: key, Width: net.Features, Values: values, IDs: make([]int64, data.Len())}
	for i := range f.IDs {
		f.IDs[i] = data.ID(i)
	}
	if err = os.MkdirAll(w.featuresDir(), 0o777); err != nil {
		return f, 0, fmt.Errorf("%s: %w", stage, err)
	}
	if err = models.WriteFeatures(path, f); err != nil {
		return f, 0, fmt.Errorf("%s: %w", stage, err)
	}
	took := time.Since(began).Seconds()
	w.Log.Info("features computed", "dataset", data.Manifest.Set, "backbone", c.Backbone, "images", data.Len(), "images/s", float64(data.Len())/took)
	return f, took, nil
}
