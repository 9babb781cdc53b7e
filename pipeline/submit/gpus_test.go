package submit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
)

// devWith is a folder with the driver's files of so many GPUs.
func devWith(t *testing.T, files ...string) string {
	t.Helper()
	dev := t.TempDir()
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dev, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dev
}

func TestGPUs(t *testing.T) {
	dev := devWith(t, "nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm")
	for _, tt := range []struct {
		environment []string
		want        string
	}{
		{nil, "0 1 2"},
		{[]string{"CUDA_VISIBLE_DEVICES=3, 5"}, "3 5"},
		{[]string{"CUDA_VISIBLE_DEVICES=0,1", "CUDA_VISIBLE_DEVICES=GPU-8932f937"}, "GPU-8932f937"},
		{[]string{"CUDA_VISIBLE_DEVICES="}, ""}, // none, says the user
	} {
		if got := strings.Join(gpus(tt.environment, dev), " "); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.environment, got, tt.want)
		}
	}
	if got := gpus(nil, t.TempDir()); len(got) > 0 {
		t.Errorf("a machine without a GPU has %q", got)
	}
}

func TestShareOfGPUs(t *testing.T) {
	four := []string{"4", "5", "6", "7"}
	for _, tt := range []struct {
		gpus            []string
		processes, each int
		want            string // of every slot
	}{
		{four, 4, 1, "[4] [5] [6] [7]"},
		{four, 2, 1, "[4] [5]"},
		{four, 2, 2, "[4 5] [6 7]"},
		{four[:3], 4, 1, "[4] [5] [6] [4]"}, // shared where there are too few
		{four[:3], 2, 2, "[] []"},           // both need both
		{four, 1, 1, "[]"},
		{four[:1], 2, 1, "[] []"},
		{nil, 2, 1, "[] []"},
	} {
		var got []string
		for slot := range tt.processes {
			got = append(got, fmt.Sprint(share(tt.gpus, slot, tt.processes, tt.each)))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%d processes with %d of %q each: got %s, want %s", tt.processes, tt.each, tt.gpus, got, tt.want)
		}
	}
}

// Each process of a submission sees a GPU of its own, by the list of the user.
func TestLocalEnvironment(t *testing.T) {
	dev := devWith(t, "nvidia0", "nvidia1", "nvidia2")
	ambient := []string{"PATH=/bin", "CUDA_VISIBLE_DEVICES=2,0", taskVariable + "=9"}
	for _, tt := range []struct {
		backend string
		want    []string
	}{
		{"", []string{"PATH=/bin", "CUDA_VISIBLE_DEVICES=0"}},
		{xla.CUDA, []string{"PATH=/bin", "CUDA_VISIBLE_DEVICES=0"}},
		{xla.CPU, []string{"PATH=/bin", "CUDA_VISIBLE_DEVICES=2,0"}},
	} {
		e := &local{w: &workspace.Workspace{Backend: tt.backend, Devices: 1}, processes: 2}
		if got := e.environment(ambient, dev, 1); !slices.Equal(got, tt.want) {
			t.Errorf("backend %q: got %q, want %q", tt.backend, got, tt.want)
		}
	}
}

// A task's script has the environment of its slot.
func TestLocalProcessSeesItsGPU(t *testing.T) {
	t.Setenv(gpuVariable, "6,7")
	s := &Submission{Name: "001", dir: t.TempDir()}
	a := Array{Name: "cells-01", Job: "cells-01", Cells: []string{"one", "two"}}
	if err := os.MkdirAll(filepath.Dir(s.log(a.Job, 1)), 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nprintf %s \"$CUDA_VISIBLE_DEVICES\"\n"
	if err := os.WriteFile(s.script(a), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	e := &local{w: &workspace.Workspace{Devices: 1}, processes: 2}
	for slot, want := range []string{"6", "7"} {
		done := make(chan error)
		go func() { done <- e.do(t.Context(), s, process{Task{s.Name, a.Name, slot + 1}, a, a.Cells[slot]}, slot) }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if said, err := os.ReadFile(s.log(a.Job, slot+1)); err != nil || string(said) != want {
			t.Errorf("slot %d saw %q, %v; want %s", slot, said, err, want)
		}
	}
}
