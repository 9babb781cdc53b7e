package backbones

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/xla"
)

// A Backbone turns images into pooled features.
type Backbone struct {
	Name     string
	Features int    // width of a pooled feature
	Input    int    // usual network input, pixels per side
	Multiple int    // an input's side is a multiple of it
	Minimum  int    // the smallest side, pixels
	Weights  string // name of its pretrained weights in cache.Cache; empty when trained from scratch
	Imported bool   // its features were made elsewhere: there is no network, and it takes no input

	// Normalize turns uint8 RGB images [N, S, S, 3] into the network's float32
	// input of the same shape.
	Normalize func(rgb *Node) *Node
	// Forward returns the pooled features [N, Features] of a network input [N, S, S, 3]. The
	// variables lie below scope.
	Forward func(scope *model.Scope, x *Node) *Node
	// Load reads and checks pretrained weights; nil when there are none.
	Load func(path string) ([]InitialValue, error)
	// Create draws initial values; nil for a pretrained network.
	Create func(random *rand.Rand) []InitialValue

	Card Card // what an exported model says about it
	// describe adds the layers of Forward to an ONNX graph, from the network's input to the pooled
	// features; nil for a network that has no such description.
	describe func(d description, x describedMap) describedMap
	// published maps the variables, by slash-separated scope and name, to their names in the
	// published weights; a network without such weights has names as in PyTorch.
	published func() map[string]string
}

// An InitialValue is the value with which a variable of a network begins.
type InitialValue struct {
	Scope     string // slash-separated, below the scope that Forward is given
	Name      string
	Value     *tensors.Tensor
	Trainable bool
}

// All returns all backbones, in the order of reports.
func All() []Backbone {
	return []Backbone{
		googlenet(),
		lite0(),
		convnet(),
	}
}

// Named returns the backbone of the given name. That of imported features, file:NAME, has no width:
// each data set has its own. An unknown name is an error that lists the known ones.
func Named(name string) (Backbone, error) {
	if imported, ok := ImportName(name); ok {
		return importedBackbone(imported)
	}
	var known []string
	for _, b := range All() {
		if b.Name == name {
			return b, nil
		}
		known = append(known, b.Name)
	}
	return Backbone{}, fmt.Errorf("backbone: %q is not one of %q, nor file:NAME for imported features", name, known)
}

// CheckInput returns an error if the backbone cannot take a network input of that many pixels per
// side.
func (b Backbone) CheckInput(pixels int) error {
	if b.Imported {
		if pixels != 0 {
			return fmt.Errorf("input: %d pixels for %s, which takes no images; leave it out", pixels, b.Name)
		}
		return nil
	}
	if pixels < b.Minimum || pixels%b.Multiple != 0 || pixels > maxInput {
		want := fmt.Sprintf("%d to %d", b.Minimum, maxInput)
		if b.Multiple > 1 {
			want = fmt.Sprintf("a multiple of %d from %s", b.Multiple, want)
		}
		return fmt.Errorf("input: %d pixels for %s; want %s", pixels, b.Name, want)
	}
	return nil
}

// maxInput is the largest network input, pixels per side: several times what the stored images have.
const maxInput = 2048

// Scope is the scope of a network's variables in a model's store.
const Scope = "backbone"

// AddVariables creates every variable of the backbone below scope, with the
// values of the weights file or, without pretrained weights, drawn from random.
// Forward is then given the same scope.
func (b Backbone) AddVariables(scope *model.Scope, weightsPath string, random *rand.Rand) error {
	var parameters []InitialValue
	if b.Weights == "" {
		parameters = b.Create(random)
	} else {
		var err error
		if parameters, err = b.Load(weightsPath); err != nil {
			return fmt.Errorf("load %s weights: %w", b.Name, err)
		}
	}
	return xla.Catch("create variables of "+b.Name, func() {
		for _, p := range parameters {
			xla.Below(scope, p.Scope).VariableWithValue(p.Name, p.Value).SetTrainable(p.Trainable)
		}
	})
}

// A weightFile is a file of weights: its path for errors, and its tensors by name.
type weightFile struct {
	path   string
	tensor func(name string) (t *tensors.Tensor, ok bool, err error)
}

// take returns a float32 tensor of the file, which must have exactly the given shape and finite
// values. Other tensors of the file are ignored.
func (f weightFile) take(name string, dims ...int) (*tensors.Tensor, error) {
	t, ok, err := f.tensor(name)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: tensor %q is missing, want float32 %v", f.path, name, dims)
	}
	if err = t.Shape().Check(dtypes.Float32, dims...); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: want float32 %v, got %s %v", f.path, name, dims, t.DType(), t.Shape().Dimensions)
	}
	at := -1
	err = tensors.ConstFlatData(t, func(flat []float32) {
		for i, v := range flat {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				at = i
				return
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
	}
	if at >= 0 {
		return nil, fmt.Errorf("%s: tensor %q: value %d is not a finite number", f.path, name, at)
	}
	return t, nil
}

// kernel returns a convolution kernel that the file stores as [out, in, h, w],
// as [h, w, in, out].
func (f weightFile) kernel(name string, out, in, size int) (*tensors.Tensor, error) {
	t, err := f.take(name, out, in, size, size)
	if err != nil {
		return nil, err
	}
	taps := size * size
	moved := make([]float32, out*in*taps)
	err = tensors.ConstFlatData(t, func(flat []float32) {
		for o := range out {
			for i := range in {
				for tap := range taps {
					moved[(tap*in+i)*out+o] = flat[(o*in+i)*taps+tap]
				}
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
	}
	return tensors.FromFlatDataAndDimensions(moved, size, size, in, out), nil
}

// centeredRGB scales uint8 pixels to (x - 127) / 128.
func centeredRGB(rgb *Node) *Node {
	rgb.AssertRank(4)
	return MulScalar(SubScalar(ConvertDType(rgb, dtypes.Float32), 127), 1.0/128)
}
