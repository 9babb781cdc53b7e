package datasets

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
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
