//go:build integration

package reports

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExportedRead lets TensorBoard and MLflow read an exported run, also after
// MLflow's own migration into a data base, and compare every number with the run's
// files.
func TestExportedRead(t *testing.T) {
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
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "exported.py"), r.Dir, tensorboard, mlflow, t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
