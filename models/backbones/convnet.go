package backbones

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// convnet is a small network trained from scratch, for small images: four
// convolutions of stride 2, each followed by max(0, x), and a mean over what
// is left. It has no normalisation.
func convnet() Backbone {
	return Backbone{
		Name:      "convnet",
		Features:  128,
		Input:     64,
		Multiple:  1,
		Minimum:   16,
		Normalize: centeredRGB,
		Forward:   convnetForward,
		Create:    createConvnet,
		Card: Card{
			Network: "convolutions of stride 2, kernels of 5, 3, 3 and 3 with as much padding as keeps a map's size at stride 1, " +
				"each followed by max(0, x), then the mean over positions",
			Tensors:  "block_<i>.weight [out, in, height, width] and block_<i>.bias [out]",
			Channels: "RGB", Mean: [3]float64{127, 127, 127}, Scale: 1.0 / 128,
		},
		describe:  describeConvnet,
		published: publishedConvnet,
	}
}

// convnetBlocks returns the output channels and kernel size of each block.
func convnetBlocks() []struct{ out, size int } {
	return []struct{ out, size int }{{32, 5}, {48, 3}, {96, 3}, {128, 3}}
}

// convnetForward maps x [N, S, S, 3], S at least 16, to [N, 128].
func convnetForward(scope *model.Scope, x *Node) *Node {
	x.AssertDims(-1, -1, -1, 3)
	for i, b := range convnetBlocks() {
		x = convRelu(scope.At("block_%d", i), x, b.out, b.size, 2)
	}
	features := meanPool(x)
	features.AssertDims(-1, 128)
	return features
}

// describeConvnet is convnetForward as an ONNX graph.
func describeConvnet(d description, x describedMap) describedMap {
	for i, b := range convnetBlocks() {
		x = d.at("block_%d", i).convRelu(x, b.out, b.size, 2)
	}
	return d.meanPool(x)
}

// createConvnet draws kernels from a normal distribution of variance
// 2/(inputs of a unit) (He et al. 2015, https://arxiv.org/abs/1502.01852,
// eq. 10), which keeps the variance of the maps; biases are zero.
func createConvnet(random *rand.Rand) []InitialValue {
	var parameters []InitialValue
	in := 3
	for i, b := range convnetBlocks() {
		deviation := math.Sqrt(2 / float64(b.size*b.size*in))
		kernel := make([]float32, b.size*b.size*in*b.out)
		for j := range kernel {
			kernel[j] = float32(deviation * random.NormFloat64())
		}
		scope := fmt.Sprintf("block_%d", i)
		parameters = append(parameters,
			InitialValue{
				Scope: scope, Name: kernelName, Value: tensors.FromFlatDataAndDimensions(kernel, b.size, b.size, in, b.out),
				Trainable: true,
			},
			InitialValue{Scope: scope, Name: biasName, Value: tensors.FromFlatDataAndDimensions(make([]float32, b.out), b.out), Trainable: true})
		in = b.out
	}
	return parameters
}

// publishedConvnet returns names in PyTorch's style.
func publishedConvnet() map[string]string {
	names := map[string]string{}
	for i := range convnetBlocks() {
		block := fmt.Sprintf("block_%d", i)
		names[block+"/"+kernelName] = block + ".weight"
		names[block+"/"+biasName] = block + ".bias"
	}
	return names
}
