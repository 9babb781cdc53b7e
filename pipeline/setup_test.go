package pipeline

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
)

// bare is a workspace on a machine with nothing installed and no network: an
// empty cache, and a pip that fails.
func bare(t *testing.T, backend string) *workspace.Workspace {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'ERROR: no network' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "pip"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	w := workspace.New(workspace.Workspace{
		Dir: t.TempDir(), Backend: backend,
		Cache: cache.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(w.Close)
	return w
}

// installed is a workspace over the user's own cache.
func installed(t *testing.T) *workspace.Workspace {
	t.Helper()
	cache, err := cache.Default()
	if err != nil {
		t.Fatal(err)
	}
	w := workspace.New(workspace.Workspace{Dir: t.TempDir(), Backend: xla.CPU, Cache: cache, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(w.Close)
	return w
}

func TestSetup(t *testing.T) {
	w := installed(t)
	r, err := Setup(t.Context(), w, SetupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Backend != xla.CPU || r.Device == "" || !strings.Contains(r.Plugin, "sha256:") {
		t.Errorf("got %+v", r)
	}
	names := map[string]SetupWeights{}
	for _, found := range r.Weights {
		names[found.Name] = found
	}
	if names["lite0"].Path == "" || names["lite0"].Fix != "" {
		t.Errorf("lite0: %+v", names["lite0"])
	}
	// What is not there names the command that brings it.
	if g := names["googlenet"]; g.Path == "" && !strings.Contains(g.Fix, "bierbench setup --weights googlenet=FILE") {
		t.Errorf("googlenet: %+v", g)
	}

	d, err := Doctor(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if !d.OK() {
		t.Errorf("after setup doctor says %+v", d.Checks)
	}
	for _, c := range d.Checks {
		if c.State != CheckOK && c.Fix == "" {
			t.Errorf("%s: no fix for %q", c.Name, c.Found)
		}
		if c.Found == "" {
			t.Errorf("%s says nothing", c.Name)
		}
	}
}

func TestSetupWithoutNetwork(t *testing.T) {
	w := bare(t, xla.CPU)
	_, err := Setup(t.Context(), w, SetupOptions{})
	if err == nil {
		t.Fatal("set up from nothing")
	}
	for _, part := range []string{"the XLA CPU plugin is not installed", "no network", `run "bierbench setup"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	// Doctor says the same and does not try to install.
	d, err := Doctor(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if d.OK() {
		t.Errorf("doctor finds nothing wrong: %+v", d.Checks)
	}
	states := map[string]Check{}
	for _, c := range d.Checks {
		states[c.Name] = c
	}
	if c := states["xla:cpu plugin"]; c.State != CheckProblem || !strings.Contains(c.Fix, "bierbench setup") {
		t.Errorf("plugin: %+v", c)
	}
	if c := states["weights googlenet"]; c.State != CheckOptional || !strings.Contains(c.Fix, "googlenet=FILE") {
		t.Errorf("googlenet: %+v", c)
	}
	if _, err := os.Stat(w.Cache.Dir); err == nil {
		// Setup made the folder; a failed installation leaves it empty but for the lock.
		if list, _ := filepath.Glob(filepath.Join(w.Cache.Dir, "pjrt", "[^.]*")); len(list) != 0 {
			t.Errorf("left %v", list)
		}
	}
}

// The go backend needs nothing; a wrong name is found before anything is done.
func TestSetupNeedsNothing(t *testing.T) {
	w := bare(t, xla.Go)
	_, err := Setup(t.Context(), w, SetupOptions{Weights: []string{"resnet"}})
	if err == nil || !strings.Contains(err.Error(), `"resnet"`) {
		t.Errorf("unknown weights: %v", err)
	}
	d, err := Doctor(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if !d.OK() {
		t.Errorf("doctor says %+v", d.Checks)
	}
}

func TestDoctorWorkspace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"absent": filepath.Join(t.TempDir(), "absent"), "a file": file} {
		t.Run(name, func(t *testing.T) {
			w := bare(t, xla.Go)
			w.Dir = dir
			d, err := Doctor(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			if d.OK() {
				t.Error("doctor finds nothing wrong")
			}
		})
	}
}
