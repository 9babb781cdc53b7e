package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"bierbench/datasets"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// shared holds the raw data sets of all tests, and those prepared from them; nothing
// writes into them once they are there.
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

// prepareMini gives a workspace miniature data sets as ingest leaves them. Each is
// ingested once for all tests of the package and copied.
func prepareMini(tb testing.TB, w *workspace.Workspace, names ...string) {
	tb.Helper()
	raw := rawMini(tb)
	shared.Lock()
	defer shared.Unlock()
	once := testWorkspace(tb, filepath.Join(shared.dir, "prepared"), nil)
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom = raw, datasets.MiniRelease
	for _, name := range names {
		from := filepath.Join(once.DatasetsDir(), name)
		if _, err := os.Stat(from); err != nil {
			if _, err = Ingest(tb.Context(), once, []string{name}, o); err != nil {
				tb.Fatal(err)
			}
		}
		if err := os.CopyFS(filepath.Join(w.DatasetsDir(), name), os.DirFS(from)); err != nil {
			tb.Fatal(err)
		}
	}
}

// cacheFeatures gives a workspace the features of prepared miniature data sets that cells
// with the backbone convnet and an input of 16 pixels read. They are computed once for all
// tests of the package.
func cacheFeatures(tb testing.TB, w *workspace.Workspace, names ...string) {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	once := testWorkspace(tb, filepath.Join(shared.dir, "prepared"), nil)
	for _, name := range names {
		s, err := suite.Parse("s", "s.yaml", fmt.Appendf(nil, `
- datasets: [%s/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features]
`, name))
		if err != nil {
			tb.Fatal(err)
		}
		p, err := plan.New(tb.Context(), once, s, plan.Options{Run: "s"})
		if err != nil {
			tb.Fatal(err)
		}
		if err = ExtractFeatures(tb.Context(), once, p.Cells[0]); err != nil {
			tb.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(once.FeaturesDir(), "*.arrow"))
	if err != nil || len(files) < len(names) {
		tb.Fatalf("%d files of features, %v", len(files), err)
	}
	if err = os.MkdirAll(w.FeaturesDir(), 0o755); err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(w.FeaturesDir(), filepath.Base(file)), data, 0o644)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// emptyWorkspace is a workspace with one miniature data set and nothing else.
func emptyWorkspace(tb testing.TB, dir string, p workspace.Progress) *workspace.Workspace {
	tb.Helper()
	w := testWorkspace(tb, dir, p)
	prepareMini(tb, w, "cub")
	return w
}

// miniWorkspace is a workspace with one miniature data set and its features.
func miniWorkspace(tb testing.TB, dir string, p workspace.Progress) *workspace.Workspace {
	tb.Helper()
	w := emptyWorkspace(tb, dir, p)
	cacheFeatures(tb, w, "cub")
	return w
}

// runMini prepares miniature data sets and their features in a workspace of its own and
// runs a suite of so many cells on them, under the name s.
func runMini(tb testing.TB, names []string, text string, cells int) (*workspace.Workspace, *runs.Run) {
	tb.Helper()
	w := testWorkspace(tb, tb.TempDir(), nil)
	prepareMini(tb, w, names...)
	cacheFeatures(tb, w, names...)
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
