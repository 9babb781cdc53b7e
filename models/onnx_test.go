package models

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// storedValues returns the values of a model as a checkpoint has them.
func storedValues(t *testing.T, m *Model) map[string]*tensors.Tensor {
	t.Helper()
	values := map[string]*tensors.Tensor{}
	for v := range m.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		values[strings.TrimPrefix(v.Path(), "/")] = value
	}
	return values
}

// headOf returns the lines of an ONNX file after the backbone, and its input and output.
func headOf(t *testing.T, path string) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(modelstest.ONNXText(t, file)) {
		for _, of := range []string{"node embedding", "constant embedding", "input images", "output ", "property "} {
			if strings.HasPrefix(line, of) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, "")
}

// The head is one layer, whose columns are the learners' slices, each divided by its length and
// scaled: 2/6 and 4/6 here. TestIntegrationONNX runs such files.
func TestONNXHead(t *testing.T) {
	c := tinyConfig()
	m := newTestModel(t, c)
	defer m.Finalize()
	test, err := testModelOf(c, storedValues(t, m))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err = WriteONNX(path, c, &test, "", map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	want := `property k: v
node embedding/layer Gemm(pool/features, embedding/weights, embedding/biases)
node embedding/learners Split(embedding/layer, embedding/sizes) axis=1 -> embedding/learner0, embedding/learner1
node embedding/learner0/length ReduceL2(embedding/learner0) axes=1 keepdims=1
node embedding/learner0/floored Max(embedding/learner0/length, embedding/learner0/floor)
node embedding/learner0/unit Div(embedding/learner0, embedding/learner0/floored)
node embedding/learner0/vector Mul(embedding/learner0/unit, embedding/learner0/factor)
node embedding/learner1/length ReduceL2(embedding/learner1) axes=1 keepdims=1
node embedding/learner1/floored Max(embedding/learner1/length, embedding/learner1/floor)
node embedding/learner1/unit Div(embedding/learner1, embedding/learner1/floored)
node embedding/learner1/vector Mul(embedding/learner1/unit, embedding/learner1/factor)
node embeddings Concat(embedding/learner0/vector, embedding/learner1/vector) axis=1
input images uint8[N 32 32 3]
output embeddings float[N 6]
constant embedding/weights float[128 6] 3072 bytes
constant embedding/biases float[6] 24 bytes
constant embedding/sizes int64[2] 16 bytes
constant embedding/learner0/floor float[] 4 bytes
constant embedding/learner0/factor float[] 4 bytes
constant embedding/learner1/floor float[] 4 bytes
constant embedding/learner1/factor float[] 4 bytes
`
	if d := cmp.Diff(want, headOf(t, path)); d != "" {
		t.Errorf("head (-want +got):\n%s", d)
	}

	c.Untrained, c.Size, c.Learners = true, convnetFeatures(), nil
	if err = WriteONNX(path, c, nil, "", nil); err != nil {
		t.Fatal(err)
	}
	want = `node embedding/length ReduceL2(pool/features) axes=1 keepdims=1
node embedding/floored Max(embedding/length, embedding/floor)
node embeddings Div(pool/features, embedding/floored)
input images uint8[N 32 32 3]
output embeddings float[N 128]
constant embedding/floor float[] 4 bytes
`
	if d := cmp.Diff(want, headOf(t, path)); d != "" {
		t.Errorf("untrained (-want +got):\n%s", d)
	}
}

// What cannot be written leaves no file behind, nor a temporary one.
func TestWriteONNXRefuses(t *testing.T) {
	c := tinyConfig()
	finetuned := c
	finetuned.Mode = Finetune
	lite := c
	lite.Backbone = "lite0"
	for _, tt := range []struct {
		name   string
		config Config
		model  *TestModel
		want   string
	}{
		{"a backbone that is not known", Config{Backbone: "resnet"}, nil, `"resnet" is not one of`},
		{"a file of weights that is not there", lite, &TestModel{Config: lite}, "absent"},
		{"a model without an embedding layer", c, &TestModel{Config: c}, "tensor embedding/weights is missing"},
		{"a finetuned model without its backbone", finetuned, &TestModel{Config: finetuned}, "there is no variable block_0/kernel"},
	} {
		dir := t.TempDir()
		err := WriteONNX(filepath.Join(dir, "model.onnx"), tt.config, tt.model, filepath.Join(dir, "absent"), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNoONNX) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if left := modelstest.FileNames(t, dir); len(left) > 0 {
			t.Errorf("%s: left %v", tt.name, left)
		}
	}
}
