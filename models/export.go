package models

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/sealed"
	"bierbench/models/xla"
)

// The tensors of the embedding layer in a file that TestModel.Write makes.
const (
	EmbeddingWeights = embeddingScope + "/weights" // [width, size]
	EmbeddingBiases  = embeddingScope + "/biases"  // [size]
)

// The metadata of such a file, beside the kind and version under "bierbench".
const (
	testModelKind   = "bierbench"
	testModelDigest = "bierbench.model_digest"
)

// A TestModel is the part of a trained model that is used at test time: the embedding layer as one
// matrix and one bias, the learners' columns side by side, and in finetune mode the backbone.
// Regressors, proxies and the optimizer's moments are not part of it, so that models of equal size
// and backbone have the same tensors, however they were trained. The vector of a pooled feature x
// is x W + b with every learner's slice divided by its length, losses.NormFloor at least, and
// multiplied by its factor.
type TestModel struct {
	Config  Config
	Digest  string               // of the checkpoint's parameters, as Model.Digest
	Path    string               // of the checkpoint
	Factors []float64            // of the learners' slices
	Tensors []sealed.NamedTensor // float32, by name
}

// ReadTestModel reads the newest checkpoint in a folder, of a model with this configuration. It
// needs no backend. If the folder has none, the error is ErrNoCheckpoint. A broken one is an error,
// because the one before it is another model.
func ReadTestModel(dir string, c Config) (TestModel, error) {
	found, err := checkpoints(dir)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: %w", dir, ErrNoCheckpoint)
	}
	if err != nil {
		return TestModel{}, fmt.Errorf("read model: %w", err)
	}
	values, _, err := sealed.ReadWith(found[0].path, sealed.Check)
	if err != nil {
		return TestModel{}, fmt.Errorf("read model: %w", err)
	}
	m, err := testModelOf(c, values)
	if err != nil {
		return TestModel{}, fmt.Errorf("read model: %s: %w", found[0].path, err)
	}
	m.Path = found[0].path
	return m, nil
}

// testModelOf returns the test-time part of a checkpoint's tensors.
func testModelOf(c Config, values map[string]*tensors.Tensor) (TestModel, error) {
	net, err := c.Network()
	if err != nil {
		return TestModel{}, err
	}
	if err = c.checkLearners(); err != nil {
		return TestModel{}, fmt.Errorf("configuration: %w", err)
	}
	m := TestModel{Config: c}
	if err = xla.Catch("configuration", func() { m.Factors = sliceScales(c.Scale, c.Learners) }); err != nil {
		return TestModel{}, err
	}
	var weights, biases [][]float32
	for i, d := range c.Learners {
		scope := embeddingScope + "/" + learnerName(i)
		w, failed := takeFlat(values, scope+"/weights", net.Features, d)
		if failed != nil {
			return TestModel{}, failed
		}
		b, failed := takeFlat(values, scope+"/biases", d)
		if failed != nil {
			return TestModel{}, failed
		}
		weights, biases = append(weights, w), append(biases, b)
	}
	if beyond := embeddingScope + "/" + learnerName(len(c.Learners)) + "/weights"; values[beyond] != nil {
		return TestModel{}, fmt.Errorf("tensor %s: want the %d learners of the configuration", beyond, len(c.Learners))
	}
	m.Tensors = []sealed.NamedTensor{
		{Name: EmbeddingBiases, Value: tensors.FromFlatDataAndDimensions(sideBySide(biases, 1), c.Size)},
		{Name: EmbeddingWeights, Value: tensors.FromFlatDataAndDimensions(sideBySide(weights, net.Features), net.Features, c.Size)},
	}
	if c.Mode == Finetune {
		backbone, failed := net.Publish(values)
		if failed != nil {
			return TestModel{}, failed
		}
		m.Tensors = append(m.Tensors, backbone...)
	}
	if m.Digest, err = digestOf(values); err != nil {
		return TestModel{}, err
	}
	return m, nil
}

// takeFlat returns the values of a checkpoint's float32 tensor of a shape, which
// must be finite.
func takeFlat(values map[string]*tensors.Tensor, name string, dims ...int) (flat []float32, err error) {
	t, ok := values[name]
	if !ok {
		return nil, fmt.Errorf("checkpoint: tensor %q is missing, want float32 %v", name, dims)
	}
	if err = t.Shape().Check(dtypes.Float32, dims...); err != nil {
		return nil, fmt.Errorf("checkpoint: tensor %q: want float32 %v, got %s %v", name, dims, t.DType(), t.Shape().Dimensions)
	}
	if err = tensors.ConstFlatData(t, func(data []float32) { flat = slices.Clone(data) }); err != nil {
		return nil, fmt.Errorf("checkpoint: tensor %q: %w", name, err)
	}
	for i, v := range flat {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("checkpoint: tensor %q: value %d is not a finite number", name, i)
		}
	}
	return flat, nil
}

// sideBySide joins row-major matrices of the same number of rows by columns.
func sideBySide(parts [][]float32, rows int) []float32 {
	var out []float32
	for r := range rows {
		for _, p := range parts {
			columns := len(p) / rows
			out = append(out, p[r*columns:(r+1)*columns]...)
		}
	}
	return out
}

// digestOf is Model.Digest of the model whose checkpoint holds these tensors,
// which stay usable.
func digestOf(values map[string]*tensors.Tensor) (string, error) {
	m := Model{store: model.NewStore()}
	err := xla.Catch("digest of a checkpoint", func() {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			i := strings.LastIndexByte(name, '/')
			xla.Below(m.store.RootScope(), name[:max(i, 0)]).VariableWithValue(name[i+1:], values[name])
		}
	})
	if err != nil {
		return "", err
	}
	return m.Digest()
}

// Parameters returns how many numbers the model has.
func (m TestModel) Parameters() int {
	n := 0
	for _, t := range m.Tensors {
		n += t.Value.Size()
	}
	return n
}

// Write writes the tensors to a safetensors file. Models of equal tensors and
// digest give equal bytes, and those of equal shapes files of equal length.
func (m TestModel) Write(path string) error {
	return sealed.Write(path, m.Tensors, map[string]string{
		testModelKind:   "model " + strconv.Itoa(testModelVersion),
		testModelDigest: m.Digest,
	})
}

// testModelVersion is the version of the names and layouts in the file.
const testModelVersion = 1
