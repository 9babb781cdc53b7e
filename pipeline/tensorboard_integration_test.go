//go:build integration

package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bierbench/pipeline/suite"
	"bierbench/runs"
)

// TensorBoard sees every step of a cell once, with the values of train.jsonl, though
// the cell was interrupted and continued; and its metrics at the end.
func TestIntegrationLiveTensorBoard(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with tensorboard: run \"task test:integration\"")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	w := testWorkspace(t, dir, &atStage{stage: "train", reached: cancel})
	if err := ingestMini(t.Context(), w, rawMini(t)); err != nil {
		t.Fatal(err)
	}
	suite, err := suite.Parse("s", "s.yaml", []byte(`
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [abier]
  sizes: [24]
  hidden: 16
  steps: 12
`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Run(ctx, w, suite, RunOptions{TensorBoard: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run returned %v", err)
	}
	w = testWorkspace(t, dir, nil)
	r, err := Run(t.Context(), w, suite, RunOptions{TensorBoard: true})
	if err != nil || r.Done != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	run, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	key := run.Record.Cells[0]
	live := filepath.Join(run.CellDir(key), "tensorboard")
	if attempts, failed := os.ReadDir(live); failed != nil || len(attempts) != 2 {
		t.Errorf("files %v, %v; want one of each attempt", attempts, failed)
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("export", "testdata", "live.py"), live).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][][2]float64
	if err = json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	steps, err := runs.ReadSteps(run.StepsPath(key))
	if err != nil || len(steps) != 12 || len(got["train/loss"]) != 12 {
		t.Fatalf("%d steps, %d in TensorBoard, %v", len(steps), len(got["train/loss"]), err)
	}
	for i, s := range steps {
		if p := got["train/loss"][i]; p != [2]float64{float64(s.Step), float64(float32(s.Loss))} {
			t.Errorf("step %d: loss %v, TensorBoard has %v", s.Step, s.Loss, p)
		}
	}
	cell, _, err := run.Cell(key)
	if err != nil {
		t.Fatal(err)
	}
	e := cell.Evaluations[0]
	if p := got[e.Protocol+"/R@1"]; len(p) != 1 || p[0] != [2]float64{12, float64(float32(e.Metrics["R@1"]))} {
		t.Errorf("R@1 %v, TensorBoard has %v", e.Metrics["R@1"], p)
	}
}
