package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/pipeline/cost"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

// pooledFeatures returns the pooled feature of every row of a data set, from the cache or computed
// into it. Processes that need the same features wait for the one that computes them. What a killed
// process has computed is kept.
//
// The features stay in memory as latest: reading them takes longer than everything else that a
// small cell needs beside its own work. Callers must not change them.
func pooledFeatures(ctx context.Context, w *workspace.Workspace, latest *backbones.Features, data *datasets.Dataset, c models.Config,
	weights cache.Weights,
) (backbones.Features, cost.FeaturesWork, error) {
	var none cost.FeaturesWork
	net, err := c.Network()
	if err != nil {
		return backbones.Features{}, none, err
	}
	if net.Imported {
		imported, failed := importedFeatures(w, latest, data, c)
		return imported, none, failed
	}
	key := backbones.FeaturesKey(data.Manifest.Digest, weights.SHA256, net, c.Input)
	if latest.Key == key {
		return *latest, none, nil
	}
	*latest = backbones.Features{} // the memory holds one set of features at a time
	path := filepath.Join(w.FeaturesDir(), key+".arrow")
	f, err := backbones.ReadFeatures(path, key)
	if err == nil {
		*latest = f
		return f, none, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		w.Log.Debug("the cached features cannot be used", "error", err) // said again when they are replaced
	}
	stage := fmt.Sprintf("features %s %s", data.Manifest.Set, c.Backbone)
	release, err := claimFeatures(ctx, w, key, stage)
	if err != nil {
		return backbones.Features{}, none, fmt.Errorf("%s: %w", stage, err)
	}
	defer release()
	if f, err = backbones.ReadFeatures(path, key); err == nil { // another process was faster
		*latest = f
		return f, none, nil
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return backbones.Features{}, none, err
	}
	x := backbones.Extraction{
		Path: path, Key: key, IDs: make([]int64, data.Len()),
		Net: net, Weights: weights.Path, Input: c.Input, Batch: cost.FeaturesBatch, Log: w.Log,
		Pixels:   func(i int, dst []uint8) error { return data.Pixels(i, datasets.View{Size: c.Input}, dst) },
		Progress: func(done int) { w.Progress.Advance(done, "") },
	}
	for i := range x.IDs {
		x.IDs[i] = data.ID(i)
	}
	began := time.Now()
	w.Progress.Start(stage, data.Len())
	f, computed, err := backbones.Cached(ctx, b, x)
	w.Progress.Finish()
	if err != nil {
		return f, none, fmt.Errorf("%s: %w", stage, err)
	}
	*latest = f
	took := cost.FeaturesWork{Images: computed, Seconds: time.Since(began).Seconds()}
	cost.RememberFeatures(ctx, w, c, took)
	w.Log.Info("features computed", "dataset", data.Manifest.Set, "backbone", c.Backbone, "images", computed, "images/s",
		threeDigits(float64(computed)/took.Seconds))
	return f, took, nil
}

// importedFeatures returns the imported features of every row of a data set, in the order of its rows.
// They stay in memory as latest.
func importedFeatures(w *workspace.Workspace, latest *backbones.Features, data *datasets.Dataset, c models.Config) (backbones.Features, error) {
	entry := datasets.Entry{Set: data.Manifest.Set, Variant: data.Manifest.Variant}
	name, _ := backbones.ImportName(c.Backbone)
	if c.Features == nil {
		return backbones.Features{}, fmt.Errorf("features %s of %s/%s are not known", c.Backbone, entry.Set, entry.Variant)
	}
	if latest.Key != c.Features.Digest {
		*latest = backbones.Features{}
		f, err := backbones.ReadImported(w.FeaturesDir(), backbones.Import{Name: name, Set: entry.Set, Variant: entry.Variant, Features: *c.Features})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return f, fmt.Errorf("features %s of %s/%s were replaced after the plan was made: run again, which plans anew",
				c.Backbone, entry.Set, entry.Variant)
		case errors.Is(err, backbones.ErrImportDamaged):
			return f, fmt.Errorf("%w: %s", err, plan.ImportCommand(w, name, entry))
		case err != nil:
			return f, err
		}
		*latest = f
	}
	for i, id := range latest.IDs {
		if len(latest.IDs) != data.Len() || id != data.ID(i) {
			return backbones.Features{}, fmt.Errorf("features %s are not those of the images of %s/%s", c.Backbone, entry.Set, entry.Variant)
		}
	}
	return *latest, nil
}

// claimFeatures waits until no other process computes the features of a key, and takes their claim.
func claimFeatures(ctx context.Context, w *workspace.Workspace, key, stage string) (release func(), err error) {
	c, err := claims.Open(w.FeaturesDir())
	if err != nil {
		return nil, err
	}
	mine, err := c.Try(key)
	if err == nil && !mine {
		w.Log.Info("waiting for another process", "stage", stage)
		err = c.Take(ctx, key)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c.Close, nil
}

// ExtractFeatures computes the features that a cell reads, unless they are cached. A cell that
// trains its backbone reads none.
func ExtractFeatures(ctx context.Context, w *workspace.Workspace, cell plan.Cell) error {
	if cell.Config.Mode != models.Frozen {
		return nil
	}
	net, err := cell.Config.Network()
	if err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	var weights cache.Weights
	if net.Weights != "" {
		if weights, err = w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return fmt.Errorf("features of %s: %w", cell.Path(), err)
		}
	}
	data, err := openData(cell)
	if err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	defer data.Close()
	if _, _, err = pooledFeatures(ctx, w, &backbones.Features{}, data, cell.Config, weights); err != nil {
		return fmt.Errorf("features of %s: %w", cell.Path(), err)
	}
	return nil
}
