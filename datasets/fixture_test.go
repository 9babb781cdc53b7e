package datasets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A rawSet is a set of generated images whose lists are given in the test.
type rawSet struct {
	root string
	rows []Row
}

// newRawSet has 3 train and 2 test classes of 4 images, in an order that is not the order of the
// files; every image has a size of its own.
func newRawSet(tb testing.TB) *rawSet {
	tb.Helper()
	s := &rawSet{root: tb.TempDir()}
	id := int64(100)
	for _, class := range []int32{5, 2, 4, 1, 3} {
		split := Train
		if class > 3 {
			split = Test
		}
		for k := range 4 {
			id--
			s.add(tb, Row{
				ID: id, Name: fmt.Sprintf("%07d", id), File: fmt.Sprintf("images/%d/%07d.jpg", class, id),
				Class: class, ClassName: fmt.Sprintf("class %d", class), Superclass: "all", Split: split,
			}, photo(tb, 60+int(id), 40+5*k, uint64(id)))
		}
	}
	return s
}

// add puts an image and its row into the set.
func (s *rawSet) add(tb testing.TB, r Row, data []byte) {
	tb.Helper()
	r.Line = fmt.Sprintf("list.txt:%d", len(s.rows)+1)
	s.rows = append(s.rows, r)
	s.write(tb, r.File, data)
}

func (s *rawSet) write(tb testing.TB, file string, data []byte) {
	tb.Helper()
	path := filepath.Join(s.root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

func (s *rawSet) set() Set {
	return Set{
		Name: "cub", Title: "a test",
		Looks: func(src *Source) bool { return src.Name() == s.root },
		Read: func(_ context.Context, src *Source, custom string) (*Layout, error) {
			rows := slices.Clone(s.rows)
			return &Layout{
				Set: "cub", Root: src.Name(), Found: "generated", Release: releaseName(custom),
				Lists: []List{{Name: "list.txt", SHA256: fmt.Sprint(len(rows)), Rows: len(rows)}}, Rows: rows,
			}, nil
		},
	}
}

// readFolder reads the lists of a set in a folder.
func readFolder(ctx context.Context, set Set, root, custom string) (*Layout, error) {
	src, err := OpenSource(ctx, root, "", false)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return set.Read(ctx, src, custom)
}

// folderSource is a folder that is open until the test ends.
func folderSource(tb testing.TB, root string) *Source {
	tb.Helper()
	src, err := OpenSource(tb.Context(), root, "", false)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = src.Close() })
	return src
}

func (s *rawSet) options(tb testing.TB) IngestOptions {
	tb.Helper()
	o := DefaultIngestOptions()
	o.Raw, o.Out, o.Workers, o.Size, o.ToolVersion = s.root, tb.TempDir(), 2, 48, "test"
	return o
}

// ingest fails the test when the ingest fails, and opens the result.
func (s *rawSet) ingest(tb testing.TB, o IngestOptions) (*Manifest, *Dataset) {
	tb.Helper()
	m, dir, err := Ingest(tb.Context(), s.set(), o)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	return m, d
}

// contents are the files below dir.
func contents(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func wantError(tb testing.TB, err error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("no error, want %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			tb.Errorf("error is %q, want %q in it", err, p)
		}
	}
}

// makePipe puts a named pipe at path: to open it for reading waits for a writer.
func makePipe(path string) error { return syscall.Mkfifo(path, 0o644) }
