package datasets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// smallParts are limits with which the test set has a part for every few images.
func smallParts() sizeLimits { return sizeLimits{batch: 6 << 10, part: partReserve + 9<<10, index: 7} }

// resumable returns a test set with two broken images, of which one is the last row of all, and its
// options.
func resumable(tb testing.TB) (*rawSet, IngestOptions) {
	tb.Helper()
	s := newRawSet(tb)
	for _, at := range []int{3, 11} {
		s.write(tb, s.rows[at].File, []byte("broken"))
	}
	o := s.options(tb)
	o.MaxQuarantine = 0.1
	return s, o
}

// ingestUntil ingests until so many images are done, and is then killed. It runs in a process of its own.
func ingestUntil(t *testing.T, root, out, at string) {
	t.Helper()
	done, workers, _ := strings.Cut(at, " with ")
	s := &rawSet{root: root, rows: newRawSet(t).rows}
	o := s.options(t)
	o.Out, o.MaxQuarantine = out, 0.1
	var err error
	if o.Workers, err = strconv.Atoi(workers); err != nil {
		t.Fatal(err)
	}
	o.Progress = func(n, _ int) {
		if strconv.Itoa(n) == done {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	_, _, err = ingestSet(t.Context(), s.set(), o, smallParts())
	t.Fatalf("still alive: %v", err)
}

// checkKilledResume kills ingests of one set at these numbers of images, one after the other, with
// another number of workers each time. The last one must end with the files of an undisturbed one.
func checkKilledResume(t *testing.T, test string, kills []int) {
	t.Helper()
	clean, want := resumable(t)
	m, _, err := ingestSet(t.Context(), clean.set(), want, smallParts())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Parts) < 4 {
		t.Fatalf("%d parts, want several", len(m.Parts))
	}
	s, o := resumable(t)
	for i, at := range kills {
		killed(t, test, "DATASETS_TEST_KILL="+s.root, "DATASETS_TEST_OUT="+o.Out, fmt.Sprintf("DATASETS_TEST_AT=%d with %d", at, 1+i%4))
	}
	o.Workers = 3
	got, _, err := ingestSet(t.Context(), s.set(), o, smallParts())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed at %v, went on from %d of %d", kills, got.Resumed, len(s.rows))
	if last := kills[len(kills)-1]; last > 12 && (got.Resumed == 0 || got.Resumed > last) {
		t.Errorf("went on from %d, want a number above 0 and at most %d", got.Resumed, last)
	}
	if a, b := contents(t, o.Out), contents(t, want.Out); !maps.Equal(a, b) {
		t.Errorf("files differ from those of an ingest in one go: %v, want %v", names(a), names(b))
	}
}

// names are the names of files with the number of their bytes.
func names(files map[string]string) map[string]int {
	sizes := map[string]int{}
	for name, data := range files {
		sizes[name] = len(data)
	}
	return sizes
}

func TestIngestResumeKilled(t *testing.T) {
	if root := os.Getenv("DATASETS_TEST_KILL"); root != "" {
		ingestUntil(t, root, os.Getenv("DATASETS_TEST_OUT"), os.Getenv("DATASETS_TEST_AT"))
	}
	checkKilledResume(t, "TestIngestResumeKilled", []int{17})
}

// What an interrupted ingest has kept is used only where nothing that it depends on has changed, and
// whatever was changed ends in the files.
func TestIngestResumeChanged(t *testing.T) {
	interrupt := func(t *testing.T, s *rawSet, o IngestOptions) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o.Progress = func(done, _ int) {
			if done == 18 {
				cancel()
			}
		}
		if _, _, err := ingestSet(ctx, s.set(), o, smallParts()); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "are kept in") {
			t.Fatalf("error is %v", err)
		}
	}
	partial := func(o IngestOptions, folder, name string) string {
		return filepath.Join(hiddenDir(filepath.Join(o.Out, "cub", "official-s48-jpeg"), folder), name)
	}
	flip := func(t *testing.T, path string, at int) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[(at+len(data))%len(data)] ^= 0x10
		if err = errors.Join(os.WriteFile(path, data, 0o600), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		why    string
		change func(t *testing.T, s *rawSet, o *IngestOptions)
		most   int // rows that are taken over at most; the least is 1 unless this is 0
	}{
		{"nothing", func(*testing.T, *rawSet, *IngestOptions) {}, 18},
		{"an image, with its size and time as before", func(t *testing.T, s *rawSet, _ *IngestOptions) {
			t.Helper()
			flip(t, filepath.Join(s.root, s.sorted(t)[9].File), -40)
		}, 9},
		{"a broken image that is whole now", func(t *testing.T, s *rawSet, _ *IngestOptions) {
			t.Helper()
			s.write(t, s.rows[3].File, photo(t, 50, 50, 1))
		}, 18},
		{"a byte of a part", func(t *testing.T, _ *rawSet, o *IngestOptions) {
			t.Helper()
			flip(t, partial(*o, "partial", partName(1)), 500)
		}, 9},
		{"a part is gone", func(t *testing.T, _ *rawSet, o *IngestOptions) {
			t.Helper()
			if err := os.Remove(partial(*o, "partial", partName(0))); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"a byte of a note", func(t *testing.T, _ *rawSet, o *IngestOptions) {
			t.Helper()
			flip(t, partial(*o, "journal", "part-0000.json"), 300)
		}, 0},
		{"a class name in the lists", func(_ *testing.T, s *rawSet, _ *IngestOptions) { s.rows[19].ClassName = "other" }, 0},
		{"the version of the tool", func(_ *testing.T, _ *rawSet, o *IngestOptions) { o.ToolVersion = "next" }, 0},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, o := resumable(t)
			interrupt(t, s, o)
			c.change(t, s, &o)
			o.Workers = 1
			m, dir, err := ingestSet(t.Context(), s.set(), o, smallParts())
			if err != nil {
				t.Fatal(err)
			}
			if m.Resumed > c.most || c.most > 0 && m.Resumed == 0 {
				t.Errorf("went on from row %d, want at most %d", m.Resumed, c.most)
			}
			fresh := o
			fresh.Out = t.TempDir()
			if _, _, err = ingestSet(t.Context(), s.set(), fresh, smallParts()); err != nil {
				t.Fatal(err)
			}
			if a, b := contents(t, o.Out), contents(t, fresh.Out); !maps.Equal(a, b) {
				t.Errorf("files differ from those of an ingest in one go: %v, want %v", names(a), names(b))
			}
			if _, err = Verify(t.Context(), dir, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// sorted are the rows in the order of the files.
func (s *rawSet) sorted(tb testing.TB) []*Row {
	tb.Helper()
	rows, err := sortedRows(&Layout{Rows: s.rows})
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}
