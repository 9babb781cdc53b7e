package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bierbench/models"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// onCell is a Progress that calls begun when the cell of a number begins.
type onCell struct {
	workspace.NoProgress
	number int
	begun  func(k runs.Key)
}

func (o *onCell) Cell(k runs.Key, number, _ int) {
	if number == o.number {
		o.begun(k)
	}
}

// A data set that is replaced while a run works: cells that have not read it fail, with words that
// say what to do, and the same command does them on the new data. No record has the digest of other
// data than its cell was made from.
func TestDataReplacedInRun(t *testing.T) {
	raw := t.TempDir()
	if err := os.CopyFS(filepath.Join(raw, "CUB_200_2011"), os.DirFS(filepath.Join(rawMini(t), "CUB_200_2011"))); err != nil {
		t.Fatal(err)
	}
	images, err := filepath.Glob(filepath.Join(raw, "CUB_200_2011", "images", "*", "*.jpg"))
	if err != nil || len(images) < 2 {
		t.Fatalf("%d images, %v", len(images), err)
	}
	if err = os.Rename(images[0], images[1]); err == nil {
		var data []byte
		if data, err = os.ReadFile(images[1]); err == nil {
			err = os.WriteFile(images[0], data, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	other := testWorkspace(t, t.TempDir(), nil)
	if err = ingestMini(t.Context(), other, raw); err != nil {
		t.Fatal(err)
	}
	w, s := sharedWorkspace(t)
	watch := &onCell{number: 2, begun: func(k runs.Key) {
		for _, dir := range []string{w.DatasetsDir(), other.DatasetsDir()} {
			if failed := os.Rename(filepath.Join(dir, k.Dataset), filepath.Join(dir, "..", "away")); failed != nil {
				t.Error(failed)
			}
		}
		if failed := os.Rename(filepath.Join(other.Dir, "away"), filepath.Join(w.DatasetsDir(), k.Dataset)); failed != nil {
			t.Error(failed)
		}
	}}
	w = testWorkspace(t, w.Dir, watch)
	result, err := Run(t.Context(), w, s, RunOptions{})
	if err != nil || result.Done != 1 || len(result.Failed) != 4 {
		t.Fatalf("%+v, %v; want one cell done and four failed", result, err)
	}
	for _, f := range result.Failed {
		if !strings.Contains(f.Error, "was replaced after the plan was made") || !strings.Contains(f.Error, "run again") {
			t.Errorf("%s failed with %q", f.Cell, f.Error)
		}
	}
	result, err = Run(t.Context(), testWorkspace(t, w.Dir, nil), s, RunOptions{Only: "features-*"})
	if err != nil || result.Done != 1 || len(result.Failed) != 0 {
		t.Fatalf("the same command again: %+v, %v; want the cell done on the new data", result, err)
	}
}

// Another process that does the run by another configuration is an error, at the start, when a cell
// of its is met, and at the end.
func TestRivalConfiguration(t *testing.T) {
	rival := func(t *testing.T, r *runs.Run, c plan.Cell, status string) {
		t.Helper()
		record := runs.Cell{Key: c.Key, ConfigHash: "other", DataHash: c.DataHash, Started: workspace.Timestamp(), Status: status}
		if err := r.WriteCell(record); err != nil {
			t.Fatal(err)
		}
	}
	const words = "another process does this run in another way"
	setUp := func(t *testing.T, p workspace.Progress) (*workspace.Workspace, *suite.Suite, *runs.Run, []plan.Cell) {
		t.Helper()
		w, s := sharedWorkspace(t)
		w = testWorkspace(t, w.Dir, p)
		planned, err := plan.New(t.Context(), w, s, plan.Options{Run: "s"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := OpenRun(t.Context(), w, planned, true)
		if err != nil {
			t.Fatal(err)
		}
		return w, s, r, planned.Cells
	}
	t.Run("at the start", func(t *testing.T) {
		w, s, r, cells := setUp(t, nil)
		held, err := claims.Open(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if _, err = held.Try(cells[3].Path()); err != nil {
			t.Fatal(err)
		}
		rival(t, r, cells[3], runs.Running)
		if result, err := Run(t.Context(), w, s, RunOptions{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Fatalf("%+v, %v", result, err)
		}
		held.Close() // the other process was killed: what it left is done again
		if result, err := Run(t.Context(), w, s, RunOptions{Only: cells[3].Path()}); err != nil || result.Done != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
	})
	t.Run("a cell of its is met", func(t *testing.T) {
		watch := &onCell{number: 1}
		w, s, r, cells := setUp(t, watch)
		watch.begun = func(runs.Key) { rival(t, r, cells[3], runs.Done) }
		if result, err := Run(t.Context(), w, s, RunOptions{}); err == nil || !strings.Contains(err.Error(), words) || result.Done != 3 {
			t.Fatalf("%+v, %v", result, err)
		}
	})
	t.Run("it works at a cell", func(t *testing.T) {
		watch := &onCell{number: 1}
		w, s, r, cells := setUp(t, watch)
		held, err := claims.Open(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		watch.begun = func(runs.Key) {
			if _, err := held.Try(cells[3].Path()); err != nil {
				t.Error(err)
			}
			rival(t, r, cells[3], runs.Running)
		}
		if result, err := Run(t.Context(), w, s, RunOptions{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Fatalf("%+v, %v", result, err)
		}
	})
	t.Run("at the end", func(t *testing.T) {
		watch := &onCell{number: 5}
		w, s, r, cells := setUp(t, watch)
		watch.begun = func(runs.Key) { rival(t, r, cells[0], runs.Done) }
		if result, err := Run(t.Context(), w, s, RunOptions{}); err == nil || !strings.Contains(err.Error(), words) || result.Done != 5 {
			t.Fatalf("%+v, %v", result, err)
		}
	})
}

// A cell that one build began and another one finishes: the plan says so, --same-build does it again,
// and its record names both. A build differs here by an environment variable that changes numbers.
func TestFinishedByAnotherBuild(t *testing.T) {
	w, s := sharedWorkspace(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := &atStage{stage: "train", reached: cancel}
	o := RunOptions{Only: "baseline-*"}
	if _, err := Run(ctx, testWorkspace(t, w.Dir, watch), s, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	t.Setenv("GOMLX_FUSION", "1") // as it is without
	w = testWorkspace(t, w.Dir, nil)
	const change = `GOMLX_FUSION unset -> "1"`
	planned, err := plan.New(t.Context(), w, s, plan.Options{Run: "s", Only: o.Only})
	if err != nil {
		t.Fatal(err)
	}
	if c := planned.Cells[0]; c.State != plan.Interrupted || c.Why != "begun by another build: "+change {
		t.Errorf("planned as %s, %q", c.State, c.Why)
	}
	if planned, err = plan.New(t.Context(), w, s, plan.Options{Run: "s", Only: o.Only, SameBuild: true}); err != nil {
		t.Fatal(err)
	}
	if c := planned.Cells[0]; c.State != plan.Stale || !strings.Contains(c.Why, change) {
		t.Errorf("with one build asked for, planned as %s, %q", c.State, c.Why)
	}
	if result, failed := Run(t.Context(), w, s, o); failed != nil || result.Done != 2 {
		t.Fatalf("%+v, %v", result, failed)
	}
	cells, err := plan.RecordedCells(w, "s")
	if err != nil {
		t.Fatal(err)
	}
	for k, c := range cells {
		want := 0
		if k == planned.Cells[0].Key {
			want = 1
		}
		if len(c.Earlier) != want || c.Environment.Variables["GOMLX_FUSION"] != "1" {
			t.Errorf("%s: made by %+v, earlier %+v", k.Path(), c.Environment, c.Earlier)
		}
		if want == 1 && (c.Earlier[0].Go == "" || c.Earlier[0].Variables["GOMLX_FUSION"] != "") {
			t.Errorf("%s was begun by %+v", k.Path(), c.Earlier[0])
		}
	}
}

// flip changes a bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A changed byte in a file of a cell: every reader of it names the file, and nothing is overwritten.
func TestChangedFiles(t *testing.T) {
	w, r := runMini(t, []string{"cub"}, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, baseline]
  sizes: [24]
  seeds: [0, 1]
  steps: 4
`, 3)
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	cell := cells[slices.IndexFunc(cells, func(c runs.Cell) bool { return c.Method == "baseline" && c.Seed == 0 })]
	stored, err := r.Embeddings(cell)
	if err != nil {
		t.Fatal(err)
	}
	replaced := cell
	replaced.DataHash = "another"
	if _, _, err = openCellData(w, replaced, models.Config{}, stored); err == nil || !strings.Contains(err.Error(), "the cell was made from another") {
		t.Errorf("data that were replaced: got %v", err)
	}
	readers := map[string]func() error{
		"evaluate": func() error { _, err := Evaluate(t.Context(), w, "s"); return err },
		"rescore":  func() error { _, err := Rescore(t.Context(), w, "s", RescoreOptions{Cell: cell.Path()}); return err },
		"model": func() error {
			_, err := Export(t.Context(), w, "s", ExportOptions{Models: filepath.Join(t.TempDir(), "m"), Cell: cell.Path()})
			return err
		},
		"tensorboard": func() error {
			_, err := Export(t.Context(), w, "s", ExportOptions{TensorBoard: t.TempDir()})
			return err
		},
		"mlflow": func() error { _, err := Export(t.Context(), w, "s", ExportOptions{MLflow: t.TempDir()}); return err },
		"report": func() error {
			_, _, err := Report(t.Context(), w, []string{"s"}, ReportOptions{Dir: t.TempDir(), NoPictures: true})
			return err
		},
		"diff": func() error {
			d, err := Diff(t.Context(), w, DiffOptions{A: "s", Base: "features", NoPictures: true, Compare: runs.CompareOptions{}})
			if err == nil {
				for _, row := range d.Rows {
					if row.Reason != "" {
						return errors.New(row.Reason)
					}
				}
			}
			return err
		},
		"noise": func() error {
			o := runs.DefaultNoiseOptions()
			rows, err := runs.MeasureNoise(t.Context(), r, o)
			if text := fmt.Sprintf("%+v", rows); err == nil && strings.Contains(text, "SHA-256") {
				return errors.New(text)
			}
			return err
		},
	}
	for _, tt := range []struct {
		path    string
		readers []string
	}{
		{r.EmbeddingsPath(cell.Key), []string{"evaluate", "rescore", "model"}},
		{r.QueriesPath(cell.Key, cell.Evaluations[0].Protocol), []string{"diff", "noise"}},
		{r.StepsPath(cell.Key), []string{"tensorboard", "mlflow", "report"}},
		{filepath.Join(r.CellDir(cell.Key), "cell.json"), []string{"evaluate", "rescore", "model", "tensorboard", "mlflow", "report", "diff", "noise"}},
	} {
		for _, reader := range tt.readers {
			if err := readers[reader](); err != nil {
				t.Fatalf("%s of whole files: %v", reader, err)
			}
		}
		whole, err := os.ReadFile(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, tt.path)
		before := outputs(t, w, "s")
		for _, reader := range tt.readers {
			if err := readers[reader](); err == nil || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("%s with a changed %s: %v; want an error that names it", reader, filepath.Base(tt.path), err)
			}
		}
		for name, sum := range outputs(t, w, "s") {
			if before[name] != sum {
				t.Errorf("%s was overwritten while %s was damaged", name, filepath.Base(tt.path))
			}
		}
		if err := os.WriteFile(tt.path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// One broken record hides no other: the list names it, and a run does that cell again and no other.
// A broken record of a run is written anew.
func TestBrokenRecordIsDoneAgain(t *testing.T) {
	w, s := sharedWorkspace(t)
	if r, err := Run(t.Context(), w, s, RunOptions{}); err != nil || r.Done != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	want := outputs(t, w, "s")
	cell := filepath.Join(r.CellDir(r.Record.Cells[2]), "cell.json")
	record := filepath.Join(r.Dir, "run.json")
	for _, tt := range []struct {
		name, path string
		does       func(path string) error
		redone     int
	}{
		{"a cut record", cell, func(path string) error { return os.Truncate(path, 100) }, 1},
		{"an empty record", cell, func(path string) error { return os.Truncate(path, 0) }, 1},
		{"a changed record", cell, func(path string) error { flip(t, path); return nil }, 1},
		{"a folder in its place", cell, func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, 1},
		{"a named pipe in its place", cell, func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)) }, 1},
		{"an empty record of the run", record, func(path string) error { return os.Truncate(path, 0) }, 0},
		{"a changed record of the run", record, func(path string) error { flip(t, path); return nil }, 0},
		{"a folder in place of the run's", record, func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, 0},
	} {
		if err := tt.does(tt.path); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		l, err := List(w)
		if err != nil || len(l.Datasets) != 1 || len(l.Broken) != 1 || !strings.Contains(l.Broken[0], tt.path) {
			t.Errorf("%s: list %+v, %v; want the file named", tt.name, l, err)
		}
		got, err := Run(t.Context(), w, s, RunOptions{})
		if err != nil || got.Done != tt.redone || got.Before != 5-tt.redone || time.Since(began) > time.Minute {
			t.Fatalf("%s: %+v, %v; want %d cells done again", tt.name, got, err, tt.redone)
		}
		if l, err = List(w); err != nil || len(l.Broken) != 0 || len(l.Runs) != 1 || l.Runs[0].Done != 5 || l.Runs[0].Planned != 5 {
			t.Errorf("%s, after the run: %+v, %v", tt.name, l, err)
		}
		for name, sum := range outputs(t, w, "s") {
			if want[name] != sum {
				t.Errorf("%s: %s differs", tt.name, name)
			}
		}
	}
}

// A workspace that may only be read: following and planning look at claims without writing.
func TestLooksDoNotWrite(t *testing.T) {
	w, s := sharedWorkspace(t)
	if _, err := Run(t.Context(), w, s, RunOptions{Only: "features-*"}); err != nil {
		t.Fatal(err)
	}
	r, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Remove(filepath.Join(r.Dir, claims.FileName)); err != nil {
		t.Fatal(err)
	}
	names := func() []byte {
		entries, failed := os.ReadDir(r.Dir)
		if failed != nil {
			t.Fatal(failed)
		}
		var all []byte
		for _, e := range entries {
			all = append(all, e.Name()...)
		}
		return all
	}
	before := names()
	f, err := Follow(w, "s", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = f.Poll(); err != nil {
		t.Error(err)
	}
	if _, err = plan.LiveCells(r); err != nil {
		t.Error(err)
	}
	if _, err = plan.New(t.Context(), w, s, plan.Options{Run: "s"}); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(before, names()) {
		t.Errorf("the run's folder holds %q, before %q", names(), before)
	}
}

// What a killed verify-resume leaves is removed by the next one, and nothing of one that works.
func TestVerificationsAreSwept(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1", "2"} {
		if err := os.MkdirAll(filepath.Join(dir, verifyFolder+name, "runs"), 0o755); err != nil {
			t.Fatal(err)
		}
		c, err := claims.Open(filepath.Join(dir, verifyFolder+name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Try(verifyFolder); err != nil {
			t.Fatal(err)
		}
		if name == "1" {
			c.Close() // killed
		} else {
			defer c.Close()
		}
	}
	if err := sweepVerifications(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != verifyFolder+"2" {
		t.Errorf("%v, %v are left; want that of the living process", entries, err)
	}
}

// What a killed export leaves is removed by the next one to the same folder. An old export that it
// had taken away comes back. A living one is left alone.
func TestExportsAreSwept(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "m")
	prefix := filepath.Join(parent, ".tmp-m-")
	killed, free, err := temporaryFolder(parent, ".tmp-m-")
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Mkdir(filepath.Join(killed, "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	free()
	living, free, err := temporaryFolder(parent, ".tmp-m-")
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	if err = sweepFolders(target, prefix); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{killed: false, living: true, target: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", path, err, want)
		}
	}
}
