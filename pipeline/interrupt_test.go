package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/models/cache"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// atStage is a Progress that calls reached once, when a stage with the given first
// word has advanced.
type atStage struct {
	stage   string
	reached func()
	now     string
	called  bool
}

func (a *atStage) Cell(runs.Key, int, int) {}

func (a *atStage) CellEnded(runs.Cell, int, int, error) {}

func (a *atStage) Start(stage string, _ int) { a.now, _, _ = strings.Cut(stage, " ") }

func (a *atStage) Advance(int, string) {
	if a.now == a.stage && !a.called {
		a.called = true
		a.reached()
	}
}

func (a *atStage) Finish() {}

// counting is a Progress that counts what begins.
type counting struct {
	workspace.NoProgress
	cells  []string // paths, in the order they began
	stages map[string]int
}

func (c *counting) Cell(k runs.Key, _, _ int) { c.cells = append(c.cells, k.Path()) }

func (c *counting) Start(stage string, _ int) {
	if c.stages == nil {
		c.stages = map[string]int{}
	}
	first, _, _ := strings.Cut(stage, " ")
	c.stages[first]++
}

// testWorkspace is a workspace that shares the user's cache.
func testWorkspace(tb testing.TB, dir string, p workspace.Progress) *workspace.Workspace {
	tb.Helper()
	cache, err := cache.Default()
	if err != nil {
		tb.Fatal(err)
	}
	w := workspace.New(workspace.Workspace{Dir: dir, Backend: testBackend, Cache: cache, Progress: p})
	tb.Cleanup(w.Close)
	return w
}

// ingestMini prepares one miniature set in the workspace.
func ingestMini(ctx context.Context, w *workspace.Workspace, raw string) error {
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom = raw, datasets.MiniRelease
	_, err := Ingest(ctx, w, []string{"cub"}, o)
	return err
}

// outputs maps every file of a run that is part of its result to its digest;
// records hold times, so they are left out, but their metrics are in the queries.
func outputs(t *testing.T, w *workspace.Workspace, run string) map[string]string {
	t.Helper()
	out := map[string]string{}
	root := filepath.Join(w.Dir, "runs", run)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); ext != ".arrow" && ext != ".safetensors" {
			if strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(d.Name(), ".tmp") {
				return fmt.Errorf("%s was left behind", path)
			}
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out[name], err = digest(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// digest is the SHA-256 of a file, for a model that of its tensors: the file's
// header also holds the seconds of training.
func digest(path string) (string, error) {
	if filepath.Ext(path) != ".safetensors" {
		data, err := os.ReadFile(path)
		return fmt.Sprintf("%x", sha256.Sum256(data)), err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	// https://huggingface.co/docs/safetensors: the header's length, the header,
	// which also holds the metadata, and the values.
	end := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err = json.Unmarshal(data[8:end], &header); err != nil {
		return "", err
	}
	delete(header, "__metadata__")
	tensors, err := json.Marshal(header) // in the order of names
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(tensors, data[end:]...))), nil
}

// An interrupt in any stage leaves nothing that passes for whole, and the same
// command continues to the same bits as an uninterrupted one.
func TestInterruptInEveryStage(t *testing.T) {
	checkInterrupts(t, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [{method: abier, learners: 2}, features]
  sizes: [24]
  hidden: 8
  classes: 6
  images: 3
  steps: 12
`, 5) // embeddings and queries of two cells, and a model
}

// checkInterrupts does a suite of two cells that leave so many files, whole and
// interrupted in each stage.
func checkInterrupts(t *testing.T, text string, files int) {
	t.Helper()
	suite, err := suite.Parse("s", "s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	whole := miniWorkspace(t, t.TempDir(), nil)
	r, err := Run(t.Context(), whole, suite, RunOptions{})
	if err != nil || r.Done != 2 {
		t.Fatalf("%+v, %v; want two cells done", r, err)
	}
	want := outputs(t, whole, "s")
	if len(want) != files {
		t.Fatalf("outputs %v; want %d: embeddings, queries and models of two cells", want, files)
	}
	again, err := Run(t.Context(), whole, suite, RunOptions{})
	if err != nil || again.Before != 2 || again.Done != 0 {
		t.Fatalf("second run: %+v, %v; want nothing to do", again, err)
	}

	for _, stage := range []string{"ingest", "features", "train", "embed", "evaluate"} {
		t.Run(stage, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			watch := &atStage{stage: stage, reached: cancel}
			cut := testWorkspace(t, dir, watch)
			if stage == "ingest" {
				raw := rawMini(t)
				if err := ingestMini(ctx, cut, raw); !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted ingest returned %v", err)
				}
				if found, failed := datasets.Prepared(cut.DatasetsDir()); failed != nil || len(found) != 0 {
					t.Fatalf("interrupted ingest left %v (%v)", found, failed)
				}
				if err := ingestMini(t.Context(), testWorkspace(t, dir, nil), raw); err != nil {
					t.Fatal(err)
				}
			} else {
				prepareMini(t, cut, "cub")
				if stage != "features" {
					cacheFeatures(t, cut, "cub")
				}
				if _, err := Run(ctx, cut, suite, RunOptions{}); !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted run returned %v", err)
				}
				cells, err := plan.RecordedCells(cut, "s")
				if err != nil {
					t.Fatal(err)
				}
				for key, c := range cells {
					if c.Status != runs.Running {
						t.Errorf("%s is %s after an interrupt, want %s", key.Path(), c.Status, runs.Running)
					}
				}
			}
			if !watch.called {
				t.Fatalf("no stage %s", stage)
			}
			if stage == "embed" { // it begins with damaged logs anew, and not with a checkpoint whose log is wrong
				damageLogs(t, cut, "s")
			}
			rest := testWorkspace(t, dir, nil)
			if r, err := Run(t.Context(), rest, suite, RunOptions{}); err != nil || r.Done+r.Before != 2 {
				t.Fatalf("continued: %+v, %v", r, err)
			}
			got := outputs(t, rest, "s")
			for name, sum := range want {
				if got[name] != sum {
					t.Errorf("%s differs from that of an uninterrupted run", name)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files, want %d: %v", len(got), len(want), got)
			}
		})
	}
}

// damageLogs changes a digit in every train.jsonl of a run.
func damageLogs(t *testing.T, w *workspace.Workspace, run string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(w.Runs().Path(run), "*", "*", "*", "*", "train.jsonl"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(text, []byte(`"step":1,`), []byte(`"step":0,`), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s has no step 1", path)
		}
		if err := os.WriteFile(path, changed, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// One failed cell is recorded with its error and does not stop the rest.
func TestFailedCell(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	// 24 classes cannot fill 40 in a batch: the first cell fails, the second does not.
	suite, err := suite.Parse("s", "s.yaml", []byte(`
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [{label: greedy, method: baseline, classes: 400}, features]
  sizes: [8]
`))
	if err != nil {
		t.Fatal(err)
	}
	w.Log.Info("long before the cell")
	for _, tt := range []struct {
		what          string
		retry         bool
		before, tried int
	}{
		{"first", false, 0, 2},
		{"left alone", false, 1, 0},
		{"tried again", true, 1, 1},
	} {
		tries := &counting{}
		w.Progress = tries
		r, failed := Run(t.Context(), w, suite, RunOptions{RetryFailed: tt.retry})
		if failed != nil {
			t.Fatal(failed)
		}
		if r.Before != tt.before || len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Error, "batch of 400 classes") {
			t.Errorf("%s: %+v; want one failed cell, and the other done once", tt.what, r)
		}
		if len(tries.cells) != tt.tried {
			t.Errorf("%s: %d cells tried, want %d", tt.what, len(tries.cells), tt.tried)
		}
	}
	cells, err := plan.RecordedCells(w, "s")
	if err != nil {
		t.Fatal(err)
	}
	for key, c := range cells {
		if (key.Method == "greedy") != (c.Status == runs.Failed) || (c.Status == runs.Failed) != (c.Error != "") {
			t.Errorf("%s: status %s, error %q", key.Path(), c.Status, c.Error)
		}
		if log := strings.Join(c.Log, "\n"); strings.Contains(log, "long before") || (c.Status == runs.Done) && log != "" {
			t.Errorf("%s: log of another cell:\n%s", key.Path(), log)
		}
	}
}
