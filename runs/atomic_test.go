package runs

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rows of numbers take a line each; what is in a text, and lists of anything else, stay as they
// are.
func TestOneLine(t *testing.T) {
	v := map[string]any{
		"empty":  []float64{},
		"matrix": [][]any{{1, nil, -2.5e-9}, {nil}},
		"mixed":  []any{1, "two"},
		"texts":  []string{"[\n 1,\n 2\n]", "[1]"},
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(oneLine(data))
	want := `{
  "empty": [],
  "matrix": [
    [1, null, -2.5e-9],
    [null]
  ],
  "mixed": [
    1,
    "two"
  ],
  "texts": [
    "[\n 1,\n 2\n]",
    "[1]"
  ]
}`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A write that fails leaves the file as it was, and nothing beside it.
func TestWriteFileFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := writeFile(path, func(f *os.File) error {
		_, written := f.WriteString("half of it")
		return errors.Join(written, full)
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "before" {
		t.Errorf("%q, %v; want the file as it was", got, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v; want the file alone", entries, err)
	}
}
