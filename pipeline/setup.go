package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
)

// SetupOptions choose what Setup installs besides the plugin.
type SetupOptions struct {
	// Weights are names, or name=FILE for a file that is taken into the cache. Without any, Setup
	// installs all weights that need no file.
	Weights []string
}

// SetupResult is what Setup found or installed.
type SetupResult struct {
	Cache      string         `json:"cache"`
	Backend    string         `json:"backend"` // xla:cpu, xla:cuda or go
	Device     string         `json:"device"`
	Plugin     string         `json:"plugin,omitempty"` // name and SHA-256
	PluginPath string         `json:"plugin_path,omitempty"`
	Weights    []SetupWeights `json:"weights"`
	Seconds    float64        `json:"seconds"`
}

// SetupWeights is one kind of pretrained weights: where they are, or how to get them.
type SetupWeights struct {
	Name   string `json:"name"`
	Path   string `json:"path,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Fix    string `json:"fix,omitempty"` // empty where the weights are there
}

// Setup installs what the workspace's backend and the named weights need, checks every hash, and
// opens the backend once. What is installed already is left alone.
func Setup(ctx context.Context, w *workspace.Workspace, o SetupOptions) (*SetupResult, error) {
	began := time.Now()
	result := &SetupResult{Cache: w.Cache.Dir}
	wanted := o.Weights
	if len(wanted) == 0 {
		wanted = cache.PinnedWeights()
	}
	// A typing error is found before anything is downloaded.
	for _, value := range wanted {
		if _, _, err := cache.SplitWeights(value); err != nil {
			return nil, fmt.Errorf("setup: %w", err)
		}
	}
	if w.Backend == "" || w.Backend == xla.CPU {
		if _, err := w.Cache.VerifiedPlugin(ctx, w.Log); err != nil {
			return nil, fmt.Errorf("setup: %w", err)
		}
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return nil, fmt.Errorf("setup: %w", err)
	}
	result.Backend, result.Device, result.Plugin, result.PluginPath = b.Config, b.Device, b.Plugin, b.PluginPath
	for _, value := range wanted {
		name, file, err := cache.SplitWeights(value)
		if err == nil && file != "" {
			_, err = backbones.AddWeights(ctx, w.Cache, name, file)
		}
		if err == nil {
			_, err = w.Cache.Weights(ctx, name, w.Log)
		}
		if err != nil {
			return nil, fmt.Errorf("setup: %w", err)
		}
	}
	for _, name := range cache.WeightsNames() {
		found, err := w.Cache.FindWeights(name)
		entry := SetupWeights{Name: name, Path: found.Path, SHA256: found.SHA256}
		if missing, ok := errors.AsType[*cache.MissingError](err); ok {
			entry.Fix = missing.Fix
		} else if err != nil {
			return nil, fmt.Errorf("setup: %w", err)
		}
		result.Weights = append(result.Weights, entry)
	}
	result.Seconds = time.Since(began).Seconds()
	return result, nil
}
