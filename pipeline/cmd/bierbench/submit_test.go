package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bierbench/pipeline/submit"
)

// When submit --engine local is killed, the kernel tells its tasks, which save
// and end: nobody works on unseen, and status says so.
func TestKilledSubmit(t *testing.T) {
	dir := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bierbench", append(args, "-C", dir)...)
		cmd.Dir = dir
		return cmd
	}
	suite := `
- datasets: [cub/mini]
  backbone: convnet
  mode: finetune
  input: 16
  methods: [baseline]
  sizes: [24]
  classes: 4
  images: 2
  seeds: [0, 1]
  steps: 100000
`
	if err := os.WriteFile(filepath.Join(dir, "long.yaml"), []byte(suite), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := prepareMini(t.Context(), dir, "cub"); err != nil {
		t.Fatal(err)
	}
	status := func() (s submit.RunStatus) {
		out, err := command("status", "long", "--json").Output()
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err != nil {
			t.Fatalf("status: %v\n%s", err, out)
		}
		return s
	}
	first := command("--backend", "go", "submit", "long.yaml", "--engine", "local", "--processes", "1")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	const patience = time.Minute
	within := func(what string, is func() bool) {
		t.Helper()
		for began := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > patience {
				_ = first.Process.Kill() // as it is killed below
				t.Fatalf("not within %s: %s", patience, what)
			}
		}
	}
	within("the first cell trains", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "runs", "long", "*", "*", "*", "seed-0", "train.jsonl"))
		return err == nil && len(found) == 1
	})
	words := func(s submit.RunStatus) (out []string) {
		for _, c := range s.Cells {
			out = append(out, c.State, c.Task.State)
		}
		return out
	}
	if got, want := words(status()), []string{"running", "running", "planned", "queued"}; !slices.Equal(got, want) {
		t.Errorf("before: %q, want %q", got, want)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err == nil {
		t.Error("a killed command ended well")
	}
	within("the task gives its claim back", func() bool { return status().Counts["running"] == 0 })
	if got, want := words(status()), []string{"interrupted", "left", "planned", "left"}; !slices.Equal(got, want) {
		t.Errorf("after: %q, want %q", got, want)
	}
}
