package datasets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestIngestCancel(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(done, _ int) {
		if done == 9 {
			cancel()
		}
	}
	_, _, err := Ingest(ctx, s.set(), o)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if left := contents(t, o.Out); len(left) > 0 {
		t.Errorf("files were left: %v", slices.Collect(maps.Keys(left)))
	}
	o.Progress = nil
	m, _ := s.ingest(t, o)
	if !m.Fresh || m.Rows != 20 {
		t.Errorf("manifest is %+v", m)
	}
}

// TestIngestKilled lets a process die in the middle of an ingest by SIGKILL.
func TestIngestKilled(t *testing.T) {
	if raw := os.Getenv("DATASETS_TEST_KILL"); raw != "" {
		s := &rawSet{root: raw, rows: newRawSet(t).rows}
		o := s.options(t)
		o.Out = os.Getenv("DATASETS_TEST_OUT")
		o.Progress = func(done, _ int) {
			if done == 9 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
		_, _, err := Ingest(t.Context(), s.set(), o)
		t.Fatalf("still alive: %v", err)
	}
	s := newRawSet(t)
	o := s.options(t)
	killed(t, "TestIngestKilled", "DATASETS_TEST_KILL="+s.root, "DATASETS_TEST_OUT="+o.Out)
	if left := contents(t, o.Out); len(left) == 0 {
		t.Error("the killed process left nothing: it was not in the middle")
	}
	if found, err := Prepared(o.Out); err != nil || len(found) > 0 {
		t.Errorf("prepared data sets are %v, %v", found, err)
	}
	m, _ := s.ingest(t, o)
	clean := newRawSet(t)
	want, _ := clean.ingest(t, clean.options(t))
	if m.Digest != want.Digest {
		t.Error("digest differs after a kill")
	}
	for name := range contents(t, o.Out) {
		if strings.Contains(name, "partial") || strings.Contains(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
}

func TestIngestTwoAtOnce(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	var second error
	o.Progress = func(done, _ int) {
		if done == 5 {
			quiet := o
			quiet.Progress = nil
			_, _, second = Ingest(t.Context(), s.set(), quiet)
		}
	}
	s.ingest(t, o)
	wantError(t, second, "another process is writing")
}

func TestIngestDiskFull(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	if err := syscall.Mount("tmpfs", o.Out, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(o.Out, 0); err != nil {
			t.Error(err)
		}
	}()
	o.Size, o.Pad, o.Store = 256, true, StoreRGB // 3.9 MB
	_, _, err := Ingest(t.Context(), s.set(), o)
	wantError(t, err, "ingest cub: write ", "no space left on device")
	if left := contents(t, o.Out); len(left) > 0 {
		t.Errorf("files were left: %v", slices.Collect(maps.Keys(left)))
	}
}

// killed runs one test of this binary in a process of its own and wants it to die by SIGKILL.
func killed(t *testing.T, test string, env ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$")
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err == nil || err.Error() != "signal: killed" {
		t.Fatalf("process ended with %v:\n%s", err, out)
	}
}

// A data set is replaced in steps. Killed between any two of them, it leaves the old data set or the new
// one to readers, or, where the file system cannot exchange folders, to the next ingest.
func TestReplaceKilled(t *testing.T) {
	if dir := os.Getenv("DATASETS_TEST_KILL"); dir != "" {
		step, plain := strings.CutPrefix(os.Getenv("DATASETS_TEST_OUT"), "plain ")
		at, err := strconv.Atoi(step)
		if err != nil {
			t.Fatal(err)
		}
		die := func() {
			if at--; at < 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
		m := moves{
			exchange: func(a, b string) error {
				die()
				return errors.Join(exchange(a, b), func() error { die(); return nil }())
			},
			rename: func(from, to string) error {
				die()
				return errors.Join(os.Rename(from, to), func() error { die(); return nil }())
			},
		}
		if plain {
			m.exchange = func(_, _ string) error { return &os.LinkError{Op: "exchange", Err: syscall.EINVAL} }
		}
		t.Fatalf("still alive: %v", replaceDir(dir, hiddenDir(dir, "partial"), m))
	}
	for _, c := range []struct {
		why    string
		plain  bool
		at     int
		seen   string // by readers, after the kill
		mended string // after restoreDir, with which the next ingest begins
	}{
		{"before folders are exchanged", false, 0, "old", "old"},
		{"after it", false, 1, "new", "new"},
		{"before the old folder steps aside", true, 0, "old", "old"},
		{"after it", true, 1, "", "old"},
		{"before the new one takes its place", true, 2, "", "old"},
		{"after it", true, 3, "new", "new"},
	} {
		t.Run(fmt.Sprintf("%s, plain %t", c.why, c.plain), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "official-s48-jpeg")
			for path, name := range map[string]string{dir: "old", hiddenDir(dir, "partial"): "new"} {
				if err := errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "name"), []byte(name), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			step := strconv.Itoa(c.at)
			if c.plain {
				step = "plain " + step
			}
			killed(t, "TestReplaceKilled", "DATASETS_TEST_KILL="+dir, "DATASETS_TEST_OUT="+step)
			read := func() string {
				data, err := os.ReadFile(filepath.Join(dir, "name"))
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				return string(data)
			}
			if got := read(); got != c.seen {
				t.Errorf("after the kill, readers see %q, want %q", got, c.seen)
			}
			if err := restoreDir(dir); err != nil {
				t.Fatal(err)
			}
			if got := read(); got != c.mended {
				t.Errorf("the next ingest finds %q, want %q", got, c.mended)
			}
		})
	}
}

// An ingest that is interrupted leaves the data set that it would have replaced, also one that a killed
// process had moved aside.
func TestIngestKeepsTheOld(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	m, _ := s.ingest(t, o)
	dir := filepath.Join(o.Out, "cub", m.Variant)
	if err := os.Rename(dir, hiddenDir(dir, "old")); err != nil {
		t.Fatal(err)
	}
	s.write(t, s.rows[3].File, photo(t, 50, 50, 999))
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := o
	interrupted.Progress = func(done, _ int) {
		if done == 9 {
			cancel()
		}
	}
	if _, _, err := Ingest(ctx, s.set(), interrupted); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if old, err := ReadManifest(dir); err != nil || old.Digest != m.Digest {
		t.Fatalf("the old data set is gone: %v", err)
	}
	if again, _ := s.ingest(t, o); !again.Fresh || again.Digest == m.Digest {
		t.Error("the changed image was not seen")
	}
	for name := range contents(t, o.Out) {
		if strings.Contains(name, "/.") {
			t.Errorf("%s was left", name)
		}
	}
}
