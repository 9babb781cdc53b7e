//go:build integration

package pipeline

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bierbench/datasets"
	"bierbench/pipeline/suite"
)

// TestIntegrationExportedModel lets numpy, pyarrow and safetensors alone use exported models:
// their embeddings are bierbench's to 1e-5, and R@1 is the reported one. onnxruntime gives the same
// to 1e-4, and huggingface_hub reads the same numbers from the page. The images
// are 40 pixels wide, so that the view of 32 reduces and crops them.
func TestIntegrationExportedModel(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with pyarrow, numpy, safetensors and onnxruntime: run \"task test:integration\"")
	}
	w := testWorkspace(t, t.TempDir(), nil)
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom = rawMini(t), datasets.MiniRelease
	o.Size, o.Pad, o.Store = 40, true, datasets.StoreRGB
	if _, err := Ingest(t.Context(), w, []string{"inshop", "cub"}, o); err != nil {
		t.Fatal(err)
	}
	suite, err := suite.Parse("s", "s.yaml", []byte(`
- datasets: [cub/mini, inshop/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [features, bier, {label: boosted, method: bier, scale: boost}]
  sizes: [24]
  steps: 20
- datasets: [cub/mini, inshop/mini]
  backbone: convnet
  mode: finetune
  input: 32
  methods: [bier, {label: chosen, method: bier, selection: validation, select_every: 2}]
  sizes: [24]
  steps: 10
  backbone_rate: 0.001
`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), w, suite, RunOptions{})
	if err != nil || r.Done != 10 {
		t.Fatalf("%+v, %v", r, err)
	}
	found, err := Export(t.Context(), w, "s", ExportOptions{Models: filepath.Join(t.TempDir(), "models")})
	if err != nil || len(found.Models) != 10 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, m := range found.Models {
		if m.WithoutONNX != "" {
			t.Errorf("%s: without model.onnx: %s", m.Cell, m.WithoutONNX)
		}
		script, page := filepath.Join("testdata", "exported.py"), filepath.Join("..", "models", "README.md")
		out, err := exec.CommandContext(t.Context(), python, script, w.Dir, m.Dir, page).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", m.Cell, err, out)
		}
		t.Logf("%s\n%s", m.Cell, out)
	}
}
