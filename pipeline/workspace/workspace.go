package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"bierbench/datasets"
	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/runs"
)

// A Workspace is a folder with data sets, models, runs and reports, and what is needed to work in
// it. Fill in the exported fields and call New. The backend is opened when it is first needed.
type Workspace struct {
	Dir     string
	Backend string // xla:cpu, xla:cuda or go; empty stands for xla:cuda where there is one, else xla:cpu
	Devices int    // number of the backend's devices that share the work of a cell; 0 stands for 1
	// GPUMemory is the largest fraction of the memory of each GPU that the backend takes; 0 leaves
	// it to the plugin. It does not change a result.
	GPUMemory float64
	Cache     cache.Cache
	Workers   int      // goroutines that decode images; 0 stands for one per processor
	Command   []string // the command line, for the records of runs
	Log       *slog.Logger
	Progress  Progress
	// Opener is a command line that opens the same backend and ends. Where XLA_FLAGS is set, it is run
	// before the backend is opened here: a plugin ends its process where it does not take the flags.
	// Nil leaves that to chance.
	Opener []string

	open  *xla.Backend
	built *runs.Environment // of buildEnvironment; nil before its first call
	tail  *logTail          // keeps the last lines of Log

	dataLimit uint64 // bytes, the last of LimitMemory

	variables map[string]string // environment variables that can change a number, before a backend adds to them
}

// New returns a workspace with defaults for the fields that w leaves out.
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
	w.variables = numericVariables(os.Environ())
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

// DatasetsDir returns the folder of the prepared data sets.
func (w *Workspace) DatasetsDir() string { return filepath.Join(w.Dir, "datasets") }

// FeaturesDir returns the folder of the cached features.
func (w *Workspace) FeaturesDir() string { return filepath.Join(w.Dir, "models", "features") }

// ReportsDir returns the folder of the pages.
func (w *Workspace) ReportsDir() string { return filepath.Join(w.Dir, "reports") }

// Runs returns the store of the run records.
func (w *Workspace) Runs() runs.Store { return runs.Store{Dir: filepath.Join(w.Dir, "runs")} }

// OpenBackend opens the backend at its first call, and installs the plugin where it is missing.
func (w *Workspace) OpenBackend(ctx context.Context) (*xla.Backend, error) {
	if w.open != nil {
		return w.open, nil
	}
	if err := w.tryFlags(ctx); err != nil {
		return nil, err
	}
	b, err := xla.Open(ctx, xla.Options{Config: w.Backend, Devices: w.Devices, GPUMemory: w.GPUMemory}, w.Cache, w.Log)
	if err != nil {
		return nil, err
	}
	w.open = b
	return b, nil
}

// tryFlags lets another process open the backend where XLA_FLAGS is set.
func (w *Workspace) tryFlags(ctx context.Context) error {
	flags := os.Getenv("XLA_FLAGS")
	if flags == "" || w.Opener == nil || w.Backend == xla.Go {
		return nil
	}
	output, err := exec.CommandContext(ctx, w.Opener[0], w.Opener[1:]...).CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended || ctx.Err() != nil {
		return ctx.Err() // it opens, or it cannot be tried
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return fmt.Errorf("the backend does not open with XLA_FLAGS=%q: %s", flags, strings.TrimSpace(lines[flagsLine(lines)]))
}

// flagsLine returns the index of the line that says what is wrong with the flags, else of the last.
func flagsLine(lines []string) int {
	for i, line := range lines {
		if strings.Contains(line, "XLA_FLAGS") || strings.Contains(line, "bierbench: ") {
			return i
		}
	}
	return len(lines) - 1
}

// Unwritten returns nil, with a warning, for the error of a page that cannot be written because this
// process may only read the workspace: who looks at a result that is printed need not write. It
// returns any other error as it is.
func (w *Workspace) Unwritten(err error) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return err
	}
	w.Log.Warn("the workspace can only be read, so no page is written", "error", err)
	return nil
}

// ErrNotIngested is the error of a data set that is not prepared in the workspace.
var ErrNotIngested = errors.New("data set is not prepared")

// Dataset returns the prepared data set of a name: "cub" is the published release, "sop/grocery"
// the release called grocery. A variant in full, such as "cub/official+box-s256-jpeg", is needed
// where several fit.
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
		ingest := []string{"ingest", set.Name, "--raw", "DIR"}
		switch {
		case wanted != "" && !isPublished(wanted):
			ingest = append(ingest, "--custom", releaseOf(wanted))
		case set.Own():
			ingest = append(ingest, "--custom", "NAME")
		}
		return datasets.Entry{}, fmt.Errorf("%w: %s is not in %s: run \"%s\"",
			ErrNotIngested, name, w.DatasetsDir(), w.CommandLine(ingest...))
	default:
		return datasets.Entry{}, fmt.Errorf("data set %s is prepared in %d variants: name one of %s",
			name, len(fits), strings.Join(variants, ", "))
	}
}

// releaseOf returns the first part of a variant: official of official+box-s256-jpeg.
func releaseOf(variant string) string {
	if i := strings.LastIndex(variant, "-s"); i >= 0 {
		variant = variant[:i]
	}
	variant = strings.TrimSuffix(variant, "+pad")
	variant = strings.TrimSuffix(variant, "+box")
	return strings.TrimSuffix(variant, "+highres")
}

// isPublished reports whether a variant is of a published release, not of a custom one.
func isPublished(variant string) bool {
	return slices.Contains([]string{"official", "papers", "public"}, releaseOf(variant))
}
