package workspace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/runs"
)

// Workspace is a folder with datasets, models, runs and reports, and what is
// needed to work in it. Backend is opened at first need.
type Workspace struct {
	Dir     string
	Backend string // xla:cpu, xla:cuda, go, or empty for the best there is
	Devices int    // of the backend that share the work of a cell; 1 when not given
	// GPUMemory is the fraction of each GPU's memory that is taken at most; 0
	// leaves it to the plugin. It does not change a result.
	GPUMemory float64
	Cache     cache.Cache
	Workers   int      // goroutines that decode images
	Command   []string // the command line, for run records
	Log       *slog.Logger
	Progress  Progress

	open  *xla.Backend
	built *runs.Environment // by build
	tail  *logTail          // of Log
}

// New fills what a caller leaves out.
func New(w Workspace) *Workspace {
	if w.Dir == "" {
		w.Dir = "."
	}
	w.Devices = max(w.Devices, 1)
	if w.Workers < 1 {
		w.Workers = runtime.GOMAXPROCS(0)
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	w.tail = &logTail{}
	w.Log = slog.New(newTee(w.Log.Handler(), w.tail))
	if w.Progress == nil {
		w.Progress = NoProgress{}
	}
	return &w
}

// Close frees the backend.
func (w *Workspace) Close() {
	if w.open != nil {
		w.open.Finalize()
		w.open = nil
	}
}

func (w *Workspace) DatasetsDir() string { return filepath.Join(w.Dir, "datasets") }
func (w *Workspace) FeaturesDir() string { return filepath.Join(w.Dir, "models", "features") }
func (w *Workspace) ReportsDir() string  { return filepath.Join(w.Dir, "reports") }

// Runs returns the workspace's run records.
func (w *Workspace) Runs() runs.Store { return runs.Store{Dir: filepath.Join(w.Dir, "runs")} }

// OpenBackend opens the backend, installing the plugin where it is missing.
func (w *Workspace) OpenBackend(ctx context.Context) (*xla.Backend, error) {
	if w.open != nil {
		return w.open, nil
	}
	b, err := xla.Open(ctx, xla.Options{Config: w.Backend, Devices: w.Devices, GPUMemory: w.GPUMemory}, w.Cache, w.Log)
	if err != nil {
		return nil, err
	}
	w.open = b
	return b, nil
}

// ErrNotIngested says that a suite names a data set that is not prepared.
var ErrNotIngested = errors.New("data set is not prepared")

// Dataset finds the prepared data set that a suite's name means: "cub" is the
// published release, "sop/grocery" a custom one, and a whole variant such as
// "cub/official+box-s256-jpeg" is exact.
func (w *Workspace) Dataset(name string) (datasets.Entry, error) {
	set, wanted, err := datasets.LookupVariant(name)
	if err != nil {
		return datasets.Entry{}, err
	}
	entries, err := datasets.Prepared(w.DatasetsDir())
	if err != nil {
		return datasets.Entry{}, err
	}
	var fits []datasets.Entry
	var variants []string
	for _, e := range entries {
		if e.Set != set.Name {
			continue
		}
		if e.Variant == wanted || releaseOf(e.Variant) == wanted || (wanted == "" && isPublished(e.Variant)) {
			fits = append(fits, e)
			variants = append(variants, e.Set+"/"+e.Variant)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		custom := ""
		if wanted != "" && !isPublished(wanted) {
			custom = " --custom " + releaseOf(wanted)
		}
		return datasets.Entry{}, fmt.Errorf("%w: %s is not in %s: run \"bierbench ingest %s --raw DIR%s\"",
			ErrNotIngested, name, w.DatasetsDir(), set.Name, custom)
	default:
		return datasets.Entry{}, fmt.Errorf("data set %s is prepared in %d variants: name one of %s", name, len(fits), strings.Join(variants, ", "))
	}
}

// releaseOf is the first part of a variant: official of official+box-s256-jpeg.
func releaseOf(variant string) string {
	if i := strings.LastIndex(variant, "-s"); i >= 0 {
		variant = variant[:i]
	}
	variant = strings.TrimSuffix(variant, "+pad")
	return strings.TrimSuffix(variant, "+box")
}

// isPublished reports whether a variant is of a published release, not a custom one.
func isPublished(variant string) bool {
	return slices.Contains([]string{"official", "papers", "public"}, releaseOf(variant))
}
