//go:build integration

package export

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestIntegrationExportedRead lets TensorBoard and MLflow read an exported run, also after
// MLflow's own migration into a data base, and compare every number with the run's
// files.
func TestIntegrationExportedRead(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with tensorboard and mlflow: run \"task test:integration\"")
	}
	r := exportedRun(t)
	tensorboard, mlflow := t.TempDir(), t.TempDir()
	if _, err := TensorBoard(t.Context(), r, tensorboard); err != nil {
		t.Fatal(err)
	}
	if _, err := MLflow(t.Context(), r, mlflow); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("testdata", "exported.py")
	out, err := exec.CommandContext(t.Context(), python, script, r.Dir, tensorboard, mlflow, t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestIntegrationLiveEventsRead lets TensorBoard read the files of a cell that was killed and
// continued: every step is there once, as the attempt that counts had it.
func TestIntegrationLiveEventsRead(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with tensorboard: run \"task test:integration\"")
	}
	dir := t.TempDir()
	liveCell(t, dir)
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "live.py"), dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][][2]float64
	if err = json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want [][2]float64
	for step := 1; step <= 12; step++ {
		attempt := float32(0.1)
		if step > 6 {
			attempt = 0.2
		}
		want = append(want, [2]float64{float64(step), float64(float32(step) + attempt)})
	}
	if diff := cmp.Diff(want, got["train/loss"], cmpopts.EquateApprox(1e-6, 0)); diff != "" {
		t.Errorf("loss (-want +got):\n%s", diff)
	}
	if r := got["cub-loo+box+mini/R@1"]; len(r) != 1 || r[0][0] != 12 {
		t.Errorf("R@1 %v, want one at step 12", r)
	}
}

// TestIntegrationProjectorRead lets a TensorBoard serve a projection: what its page would get are the
// names, vectors, labels and pictures that were given.
func TestIntegrationProjectorRead(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with tensorboard: run \"task test:integration\"")
	}
	dir, p := t.TempDir(), fivePoints()
	if err := Project(t.Context(), dir, p); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "projector.py"), dir)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	var got struct {
		Runs      []string
		Embedding map[string]any
		Values    []float32
		Labels    [][]string
		Sprite    []any
	}
	if err = json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if d := cmp.Diff(p.Embeddings.Values, got.Values); d != "" {
		t.Errorf("vectors (-want +got):\n%s", d)
	}
	labels := [][]string{
		{"class", "superclass", "split", "id"},
		{`red\tbird`, "", "test", "11"},
		{`a\\b`, "above", "test", "12"},
		{`c\nd`, "", "query", "13"},
		{"Möwe", "above", "gallery", "14"},
		{`\x1b[1m`, "", "test", "15"},
		{""},
	}
	if d := cmp.Diff(labels, got.Labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	if name := got.Embedding["tensorName"]; name != p.Name {
		t.Errorf("the tensor is called %q, want %q", name, p.Name)
	}
	if d := cmp.Diff([]any{"PNG", 192.0, 128.0}, got.Sprite); d != "" {
		t.Errorf("sprite (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]any{"imagePath": "sprite.png", "singleImageDim": []any{64.0, 64.0}}, got.Embedding["sprite"]); d != "" {
		t.Errorf("pictures (-want +got):\n%s", d)
	}
}
