package models

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/backbones"
	"bierbench/models/internal/onnx"
	"bierbench/models/internal/sealed"
	"bierbench/models/losses"
)

// The input and the output of a network that WriteONNX writes.
const (
	ONNXInput  = "images"     // uint8 RGB [N, Config.Input, Config.Input, 3], N as the caller likes
	ONNXOutput = "embeddings" // float32 [N, size]
	ONNXOpset  = onnx.Opset
)

// ErrNoONNX says that a model cannot be written as an ONNX file: its backbone has no description, or
// the file would be too large.
var ErrNoONNX = errors.New("no ONNX file")

// WriteONNX writes the network of a model as one ONNX file, from plain RGB images to the vectors that
// Model.Embed gives, the normalisation of the backbone's input included. m is the trained part; nil,
// for a configuration without training, leaves the pooled features at unit length. weights is the
// file of pretrained weights, which is read unless the backbone was trained. The file appears whole
// or not at all, and equal models and properties give equal bytes.
func WriteONNX(path string, c Config, m *TestModel, weights string, properties map[string]string) error {
	g, err := describe(c, m, weights)
	if errors.Is(err, backbones.ErrNoDescription) {
		return fmt.Errorf("%w: %w", ErrNoONNX, err)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = sealed.Replace(path, func(f *os.File) error { return writeGraph(f, g, properties) })
	if errors.Is(err, onnx.ErrTooLarge) {
		return fmt.Errorf("%w: %w", ErrNoONNX, err)
	}
	return err
}

func writeGraph(w io.Writer, g *onnx.Graph, properties map[string]string) error {
	return g.Write(w, "bierbench", properties)
}

// describe returns the network of a model as a graph.
func describe(c Config, m *TestModel, weights string) (*onnx.Graph, error) {
	net, err := backbones.Named(c.Backbone)
	if err != nil {
		return nil, err
	}
	if !net.Described() {
		return nil, fmt.Errorf("%s: %w", net.Name, backbones.ErrNoDescription)
	}
	var published []sealed.NamedTensor
	if c.Mode == Finetune && m != nil {
		published = m.Tensors
	} else if published, err = net.Published(weights); err != nil {
		return nil, err
	}
	g := onnx.New(net.Name)
	images := g.Input(ONNXInput, onnx.Uint8, onnx.Batch, c.Input, c.Input, 3)
	features, err := net.Describe(g, images, c.Input, published)
	if err != nil {
		return nil, err
	}
	if m == nil {
		g.Output(describeUnit(g, "embedding", features, 1, ONNXOutput), onnx.Float, onnx.Batch, net.Features)
		return g, nil
	}
	embeddings, err := m.describe(g, features)
	if err != nil {
		return nil, err
	}
	g.Output(embeddings, onnx.Float, onnx.Batch, c.Size)
	return g, nil
}

// describe adds the embedding layer and the scaled slices of the learners.
func (m TestModel) describe(g *onnx.Graph, features onnx.Value) (onnx.Value, error) {
	layer := []onnx.Value{features}
	for _, name := range []string{EmbeddingWeights, EmbeddingBiases} {
		t := m.tensor(name)
		if t == nil {
			return "", fmt.Errorf("tensor %s is missing", name)
		}
		layer = append(layer, g.Constant(name, tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions...))
	}
	y := g.Node("Gemm", "embedding/layer", layer)
	if len(m.Config.Learners) == 1 {
		return describeUnit(g, "embedding/"+learnerName(0), y, m.Factors[0], ONNXOutput), nil
	}
	var sizes []int64
	var names []string
	for i, d := range m.Config.Learners {
		sizes, names = append(sizes, int64(d)), append(names, "embedding/"+learnerName(i))
	}
	slices := g.Nodes("Split", "embedding/learners", names, []onnx.Value{y, g.Integers("embedding/sizes", sizes...)}, onnx.Whole("axis", 1))
	for i, s := range slices {
		slices[i] = describeUnit(g, names[i], s, m.Factors[i], names[i]+"/vector")
	}
	return g.Node("Concat", ONNXOutput, slices, onnx.Whole("axis", 1)), nil
}

// tensor returns a tensor of the model, or nil.
func (m TestModel) tensor(name string) *tensors.Tensor {
	for _, t := range m.Tensors {
		if t.Name == name {
			return t.Value
		}
	}
	return nil
}

// describeUnit adds the result: x [N, d] divided by the length of each row, losses.NormFloor at
// least, times a factor.
func describeUnit(g *onnx.Graph, scope string, x onnx.Value, factor float64, result string) onnx.Value {
	length := g.Node("ReduceL2", scope+"/length", []onnx.Value{x}, onnx.Wholes("axes", 1), onnx.Whole("keepdims", 1))
	length = g.Node("Max", scope+"/floored", []onnx.Value{length, g.Scalar(scope+"/floor", losses.NormFloor)})
	if factor == 1 {
		return g.Node("Div", result, []onnx.Value{x, length})
	}
	unit := g.Node("Div", scope+"/unit", []onnx.Value{x, length})
	return g.Node("Mul", result, []onnx.Value{unit, g.Scalar(scope+"/factor", float32(factor))})
}
