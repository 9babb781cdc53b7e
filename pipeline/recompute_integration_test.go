//go:build integration

package pipeline

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestIntegrationRecompute lets pyarrow, numpy and safetensors read what a cell leaves,
// and compute its metrics and its anatomy again from the embeddings alone.
func TestIntegrationRecompute(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with pyarrow, numpy and safetensors: run \"task test:integration\"")
	}
	_, r := runMini(t, []string{"inshop", "cub"}, `
- datasets: [cub/mini, inshop/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [features, baseline, bier]
  sizes: [24]
  steps: 20
`, 6)
	cells, err := filepath.Glob(filepath.Join(r.Dir, "*", "*", "*", "seed-0"))
	if err != nil || len(cells) != 6 {
		t.Fatalf("cells %v, %v", cells, err)
	}
	for _, dir := range cells {
		out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "recompute.py"), dir).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", dir, err, out)
		}
		t.Logf("%s", out)
	}
}
