package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/runs"
)

// smallDisk mounts a file system of some KiB at a folder.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// A disk that is full in the middle of a run ends it with words, without a failed
// cell and with nothing that passes for whole; with more room the same command
// continues to what a run on a large disk gives.
func TestRunDiskFull(t *testing.T) {
	suite, err := suite.Parse("s", "s.yaml", []byte(`
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, baseline]
  sizes: [24]
  steps: 3
`))
	if err != nil {
		t.Fatal(err)
	}
	whole := miniWorkspace(t, t.TempDir(), nil)
	if _, err = Run(t.Context(), whole, suite, RunOptions{}); err != nil {
		t.Fatal(err)
	}
	want := outputs(t, whole, "s")

	for _, folder := range []string{"runs", "models"} {
		t.Run(folder, func(t *testing.T) {
			w := emptyWorkspace(t, t.TempDir(), nil)
			disk := filepath.Join(w.Dir, folder)
			smallDisk(t, disk, "96k") // the embedding of the features takes 120 KB, the features 230 KB
			_, err := Run(t.Context(), w, suite, RunOptions{})
			if err == nil || !strings.Contains(err.Error(), "the disk is full") || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%v; want an error that says that the disk is full", err)
			}
			cells, err := plan.RecordedCells(w, "s")
			if err != nil {
				t.Fatal(err)
			}
			for key, c := range cells { // nothing was wrong with the cells
				if c.Status == runs.Failed {
					t.Errorf("%s is %s", key.Path(), c.Status)
				}
			}
			if err = syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
				t.Fatal(err)
			}
			if r, err := Run(t.Context(), w, suite, RunOptions{}); err != nil || len(r.Failed) > 0 {
				t.Fatalf("with more room: %+v, %v", r, err)
			}
			got := outputs(t, w, "s")
			for name, sum := range want {
				if got[name] != sum {
					t.Errorf("%s differs from that of a large disk", name)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files, want %d", len(got), len(want))
			}
		})
	}
}
