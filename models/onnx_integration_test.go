//go:build integration

package models

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"bierbench/models/backbones"
	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// onnxImages is the number of images that both sides embed; onnxruntime also takes them one by one.
const onnxImages = 3

// TestIntegrationONNX lets onnx check and onnxruntime run the files of every backbone: untrained,
// frozen with one learner, and finetuned with several. The embeddings are ours to 1e-4.
// GoogLeNet's input is odd, so that its pools round up; Lite0's is one whose padding is uneven.
func TestIntegrationONNX(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with onnx and onnxruntime: run \"task test:integration\"")
	}
	inputs := map[string]int{"convnet": 33, "lite0": 96, "googlenet": 97}
	for _, net := range backbones.All() {
		if inputs[net.Name] == 0 {
			continue
		}
		t.Run(net.Name, func(t *testing.T) {
			weights := ""
			if net.Weights != "" {
				weights = modelstest.WeightsFile(t, net.Weights)
			}
			dir := t.TempDir()
			writeONNXCases(t, dir, net, weights, inputs[net.Name])
			out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "onnxfile.py"), dir).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// writeONNXCases writes ONNX files of a network with our embeddings of the same images.
func writeONNXCases(t *testing.T, dir string, net backbones.Backbone, weights string, input int) {
	t.Helper()
	b := modelstest.Backend(t)
	images, size := modelstest.PatternImages(onnxImages, input), input*input*3
	pixels := func(i int, dst []uint8) error {
		copy(dst, images[i*size:])
		return nil
	}
	save := func(name string, v any) {
		t.Helper()
		data, ok := v.([]byte)
		if !ok {
			var err error
			if data, err = binary.Append(nil, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("images", images)
	features, err := backbones.Extract(t.Context(), b, net, weights, onnxImages, input, onnxImages, pixels, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig(Finetune)
	c.Backbone, c.Input, c.Size, c.Learners = net.Name, input, 12, []int{2, 4, 6}
	c.Scale = ScaleBoost
	cases := map[string]Config{"finetuned": c}
	c = DefaultConfig(Frozen)
	c.Backbone, c.Input, c.Size, c.Learners, c.Boosting, c.Diversity = net.Name, input, 6, []int{6}, losses.BoostingNone, DiversityNone
	cases["frozen"] = c
	for name, c := range cases {
		m, err := New(b, c, weights, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Finalize()
		want, err := m.Embed(t.Context(), EmbedData{Images: onnxImages, Features: features, Pixels: pixels, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		test, err := testModelOf(c, storedValues(t, m))
		if err != nil {
			t.Fatal(err)
		}
		published := weights
		if c.Mode == Finetune {
			published = "not read"
		}
		if err = WriteONNX(filepath.Join(dir, name+".onnx"), c, &test, published, map[string]string{"name": name}); err != nil {
			t.Fatal(err)
		}
		save(name+".embeddings", want)
	}
	c.Untrained = true
	c.Size = net.Features
	if err = WriteONNX(filepath.Join(dir, "untrained.onnx"), c, nil, weights, map[string]string{"name": "untrained"}); err != nil {
		t.Fatal(err)
	}
	save("untrained.embeddings", unitRows(features, net.Features))
	about, err := json.Marshal(map[string]any{"shape": []int{onnxImages, input, input, 3}, "opset": ONNXOpset})
	if err != nil {
		t.Fatal(err)
	}
	save("about.json", about)
}

// unitRows divides rows by their lengths.
func unitRows(values []float32, width int) []float32 {
	out := slices.Clone(values)
	for row := range slices.Chunk(out, width) {
		square := 0.0
		for _, v := range row {
			square += float64(v) * float64(v)
		}
		for i := range row {
			row[i] /= float32(math.Sqrt(square))
		}
	}
	return out
}
