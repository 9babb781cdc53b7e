package pipeline

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"bierbench/datasets"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// shared holds the raw data sets of all tests; nothing writes into them once they
// are there.
var shared struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	var err error
	if shared.dir, err = os.MkdirTemp("", "bierbench-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err = os.RemoveAll(shared.dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// rawMini is a folder with the miniature raw data sets, to be read only.
func rawMini(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	raw := filepath.Join(shared.dir, "raw")
	if _, err := os.Stat(raw); err == nil {
		return raw
	}
	unfinished := filepath.Join(shared.dir, "unfinished")
	if err := datasets.WriteMini(tb.Context(), unfinished, datasets.DefaultMini()); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(unfinished, raw); err != nil {
		tb.Fatal(err)
	}
	return raw
}

// runMini prepares miniature data sets in a workspace of its own and runs a suite
// of so many cells on them, under the name s.
func runMini(tb testing.TB, names []string, text string, cells int) (*workspace.Workspace, *runs.Run) {
	tb.Helper()
	w := testWorkspace(tb, tb.TempDir(), nil)
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom = rawMini(tb), datasets.MiniRelease
	if _, err := Ingest(tb.Context(), w, names, o); err != nil {
		tb.Fatal(err)
	}
	s, err := suite.Parse("s", "s.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	if result, failed := Run(tb.Context(), w, s, RunOptions{}); failed != nil || result.Done != cells {
		tb.Fatalf("%+v, %v; want %d cells done", result, failed, cells)
	}
	r, err := w.Runs().Open("s")
	if err != nil {
		tb.Fatal(err)
	}
	return w, r
}
