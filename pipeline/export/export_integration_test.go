//go:build integration

package export

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
