package runs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A file is written whole or is as it was, and nothing else is left in its folder.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "suite.yaml")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	cut := errors.New("cut off")
	err := WriteFileFunc(path, 0o644, func(w io.Writer) error {
		_, failed := io.WriteString(w, "ne")
		return errors.Join(failed, cut)
	})
	if !errors.Is(err, cut) {
		t.Errorf("error %v, want that of the content", err)
	}
	check := func(want string, mode os.FileMode) {
		t.Helper()
		entries, failed := os.ReadDir(dir)
		if failed != nil || len(entries) != 1 {
			t.Errorf("the folder holds %v (%v), want one file", entries, failed)
		}
		data, failed := os.ReadFile(path)
		if failed != nil || string(data) != want {
			t.Errorf("the file holds %q (%v), want %q", data, failed, want)
		}
		info, failed := os.Stat(path)
		if failed != nil {
			t.Fatal(failed)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("mode %v, want %v", info.Mode(), mode)
		}
	}
	check("old", 0o600)
	if err = WriteFile(path, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	check("new", 0o644)
	if err = os.Mkdir(filepath.Join(dir, "suite"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err = WriteFile(filepath.Join(dir, "suite"), nil, 0o644); err == nil {
		t.Error("a file took the place of a folder")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".tmp-*")); len(left) > 0 { // the pattern is well formed
		t.Errorf("left behind: %v", left)
	}
}
