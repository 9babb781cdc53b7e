package pipeline

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"bierbench/datasets"
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
