package backbones

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// liteEpsilon is added to the variance by EfficientNet's batch normalisation.
const liteEpsilon = 1e-3

// lite0 is EfficientNet-Lite0 without its classifier (Tan and Le 2019,
// https://arxiv.org/abs/1905.11946, in the variant without squeeze-and-excite
// and with ReLU6, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
// Batch normalisation is frozen: with a handful of images a class, batch
// statistics would leak between the images of a batch.
func lite0() Backbone {
	return Backbone{
		Name:      "lite0",
		Features:  1280,
		Input:     224,
		Multiple:  32,
		Minimum:   32,
		Weights:   "lite0",
		Normalize: centeredRGB,
		Forward:   lite0Forward,
		Load:      loadLite0,
		Card: Card{
			Network: "EfficientNet-Lite0 up to the mean over positions, without classifier; TensorFlow's SAME padding; " +
				"batch normalisation by the running statistics, epsilon 1e-3; ReLU6",
			Tensors: "the names of EfficientNet-PyTorch's state dict without _fc and num_batches_tracked: " +
				"kernels [out, in, height, width], of depthwise ones in is 1",
			Channels: "RGB", Mean: [3]float64{127, 127, 127}, Scale: 1.0 / 128,
		},
		describe:  describeLite0,
		published: publishedLite0,
	}
}

// A liteBlock is an inverted residual block: 1x1 expansion, depthwise
// convolution, 1x1 projection.
type liteBlock struct {
	in, expanded, out, size, stride int
}

// liteBlocks returns the 16 blocks in order.
func liteBlocks() []liteBlock {
	stages := []struct{ repeats, size, stride, expansion, out int }{
		{1, 3, 1, 1, 16},
		{2, 3, 2, 6, 24},
		{2, 5, 2, 6, 40},
		{3, 3, 2, 6, 80},
		{3, 5, 1, 6, 112},
		{4, 5, 2, 6, 192},
		{1, 3, 1, 6, 320},
	}
	var blocks []liteBlock
	in := 32
	for _, s := range stages {
		for i := range s.repeats {
			b := liteBlock{in: in, expanded: in * s.expansion, out: s.out, size: s.size, stride: 1}
			if i == 0 {
				b.stride = s.stride
			}
			blocks = append(blocks, b)
			in = s.out
		}
	}
	return blocks
}

// lite0Forward maps x [N, S, S, 3], S a multiple of 32, to [N, 1280].
func lite0Forward(scope *model.Scope, x *Node) *Node {
	x.AssertDims(-1, -1, -1, 3)
	x = relu6(convNorm(scope.At("stem"), x, 32, 3, 2, liteEpsilon))
	for i, b := range liteBlocks() {
		x = b.forward(scope.At("block_%d", i), x)
	}
	features := meanPool(relu6(convNorm(scope.At("head"), x, 1280, 1, 1, liteEpsilon)))
	features.AssertDims(-1, 1280)
	return features
}

func (b liteBlock) forward(scope *model.Scope, x *Node) *Node {
	x.AssertDims(-1, -1, -1, b.in)
	y := x
	if b.expanded != b.in {
		y = relu6(convNorm(scope.At("expand"), y, b.expanded, 1, 1, liteEpsilon))
	}
	y = relu6(depthwiseNorm(scope.At("depthwise"), y, b.size, b.stride, liteEpsilon))
	y = convNorm(scope.At("project"), y, b.out, 1, 1, liteEpsilon)
	if b.stride == 1 && b.in == b.out {
		y = Add(y, x)
	}
	return y
}

// describeLite0 is lite0Forward as an ONNX graph.
func describeLite0(d description, x describedMap) describedMap {
	stem, head := d.at("stem"), d.at("head")
	x = stem.relu6(stem.convNorm(x, 32, 3, 2, liteEpsilon))
	for i, b := range liteBlocks() {
		x = b.describe(d.at("block_%d", i), x)
	}
	return d.meanPool(head.relu6(head.convNorm(x, 1280, 1, 1, liteEpsilon)))
}

func (b liteBlock) describe(d description, x describedMap) describedMap {
	y := x
	if b.expanded != b.in {
		expand := d.at("expand")
		y = expand.relu6(expand.convNorm(y, b.expanded, 1, 1, liteEpsilon))
	}
	depthwise := d.at("depthwise")
	y = depthwise.relu6(depthwise.depthwiseNorm(y, b.size, b.stride, liteEpsilon))
	y = d.at("project").convNorm(y, b.out, 1, 1, liteEpsilon)
	if b.stride == 1 && b.in == b.out {
		y = d.add(y, x)
	}
	return y
}

func relu6(x *Node) *Node { return ClipScalar(x, 0, 6) }

// A liteConv is a convolution and the batch normalisation after it: our scope,
// and the names of both in the weights file.
type liteConv struct {
	scope, conv, norm string
	out, in, size     int // in is 1 for a depthwise convolution
}

func liteConvs() []liteConv {
	convs := []liteConv{{"stem", "_conv_stem", "_bn0", 32, 3, 3}}
	for i, b := range liteBlocks() {
		ours, theirs := fmt.Sprintf("block_%d/", i), fmt.Sprintf("_blocks.%d.", i)
		if b.expanded != b.in {
			convs = append(convs, liteConv{ours + "expand", theirs + "_expand_conv", theirs + "_bn0", b.expanded, b.in, 1})
		}
		convs = append(convs,
			liteConv{ours + "depthwise", theirs + "_depthwise_conv", theirs + "_bn1", b.expanded, 1, b.size},
			liteConv{ours + "project", theirs + "_project_conv", theirs + "_bn2", b.out, b.expanded, 1})
	}
	return append(convs, liteConv{"head", "_conv_head", "_bn1", 1280, 320, 1})
}

// loadLite0 reads the weights from a PyTorch state dict (.pth) with the names
// of lukemelas/EfficientNet-PyTorch. Kernels are trainable, batch
// normalisation is not.
func loadLite0(path string) ([]InitialValue, error) {
	dict, err := readStateDict(path)
	if err != nil {
		return nil, err
	}
	file := weightFile{path: path, tensor: dict.tensor}
	var parameters []InitialValue
	for _, c := range liteConvs() {
		kernel, err := file.kernel(c.conv+".weight", c.out, c.in, c.size)
		if err != nil {
			return nil, err
		}
		parameters = append(parameters, InitialValue{Scope: c.scope, Name: kernelName, Value: kernel, Trainable: true})
		for _, v := range []struct{ ours, theirs string }{
			{gammaName, ".weight"},
			{betaName, ".bias"},
			{meanName, ".running_mean"},
			{varianceName, ".running_var"},
		} {
			value, err := file.take(c.norm+v.theirs, c.out)
			if err != nil {
				return nil, err
			}
			parameters = append(parameters, InitialValue{Scope: c.scope, Name: v.ours, Value: value})
		}
	}
	return parameters, nil
}

// publishedLite0 returns the names of EfficientNet-PyTorch's state dict.
func publishedLite0() map[string]string {
	names := map[string]string{}
	for _, c := range liteConvs() {
		names[c.scope+"/"+kernelName] = c.conv + ".weight"
		names[c.scope+"/"+gammaName] = c.norm + ".weight"
		names[c.scope+"/"+betaName] = c.norm + ".bias"
		names[c.scope+"/"+meanName] = c.norm + ".running_mean"
		names[c.scope+"/"+varianceName] = c.norm + ".running_var"
	}
	return names
}
