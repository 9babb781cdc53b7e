package backbones

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/sealed"
	"bierbench/models/xla"
)

// googlenet is Caffe's BVLC GoogLeNet (Szegedy et al. 2014,
// https://arxiv.org/abs/1409.4842, table 1) without dropout, auxiliary heads
// and classifier: the backbone of both BIER papers. It has local response
// normalisation and no batch normalisation.
func googlenet() Backbone {
	return Backbone{
		Name:      "googlenet",
		Features:  1024,
		Input:     224,
		Multiple:  1,
		Minimum:   32,
		Weights:   "googlenet",
		Normalize: caffeBGR,
		Forward:   googlenetForward,
		Load:      loadGooglenet,
		Card: Card{
			Network: "Caffe's BVLC GoogLeNet up to the mean over positions, without dropout, auxiliary heads and classifier; " +
				"3x3 pools of stride 2 round their output up; local response normalisation of 5 channels, alpha 1e-4, beta 0.75, k 1",
			Tensors: "Caffe's names: NAME_filter [out, in, height, width], NAME_bias [out], with slashes in NAME; " +
				"the file can be given to \"bierbench setup --weights googlenet=FILE\"",
			Channels: "BGR", Mean: [3]float64{104, 117, 123}, Scale: 1,
		},
		describe:  describeGooglenet,
		published: publishedGooglenet,
	}
}

// An inception holds the output channels of an inception module: of the 1x1 branch, of the 3x3
// branch and its reduction, of the 5x5 branch and its reduction, and of the 1x1 projection after
// the pooling branch.
type inception struct {
	name                                  string
	one, reduce3, three, reduce5, five, p int
}

func (m inception) out() int { return m.one + m.three + m.five + m.p }

// pooled reports whether the map is pooled before the module.
func (m inception) pooled() bool {
	switch m.name {
	case "inception_3a", "inception_4a", "inception_5a":
		return true
	}
	return false
}

// inceptions returns the nine modules in order, as table 1 gives them.
func inceptions() []inception {
	return []inception{
		{"inception_3a", 64, 96, 128, 16, 32, 32},
		{"inception_3b", 128, 128, 192, 32, 96, 64},
		{"inception_4a", 192, 96, 208, 16, 48, 64},
		{"inception_4b", 160, 112, 224, 24, 64, 64},
		{"inception_4c", 128, 128, 256, 24, 64, 64},
		{"inception_4d", 112, 144, 288, 32, 64, 64},
		{"inception_4e", 256, 160, 320, 32, 128, 128},
		{"inception_5a", 256, 160, 320, 32, 128, 128},
		{"inception_5b", 384, 192, 384, 48, 128, 128},
	}
}

// caffeBGR turns RGB into BGR minus the means that Caffe's weights were
// trained with: (104, 117, 123).
func caffeBGR(rgb *Node) *Node {
	rgb.AssertRank(4)
	x := ConvertDType(rgb, dtypes.Float32)
	channel := func(i int, mean float64) *Node { return SubScalar(SliceAxis(x, 3, AxisElem(i)), mean) }
	return Concatenate([]*Node{channel(2, 104), channel(1, 117), channel(0, 123)}, 3)
}

// caffeCeil is the padding of 3x3 pools of stride 2, which in Caffe round their output up: one
// position at the end.
func caffeCeil() padding { return padding{0, 1} }

// googlenetForward maps x [N, S, S, 3], S at least 32, to [N, 1024].
func googlenetForward(scope *model.Scope, x *Node) *Node {
	x.AssertDims(-1, -1, -1, 3)
	x = convRelu(xla.Below(scope, "conv1/7x7_s2"), x, 64, 7, 2)
	x = responseNorm(maxPool(x, 3, 2, caffeCeil()))
	x = convRelu(xla.Below(scope, "conv2/3x3_reduce"), x, 64, 1, 1)
	x = responseNorm(convRelu(xla.Below(scope, "conv2/3x3"), x, 192, 3, 1))
	for _, m := range inceptions() {
		if m.pooled() {
			x = maxPool(x, 3, 2, caffeCeil())
		}
		x = m.forward(xla.Below(scope, m.name), x)
	}
	features := meanPool(x)
	features.AssertDims(-1, 1024)
	return features
}

func (m inception) forward(scope *model.Scope, x *Node) *Node {
	one := convRelu(scope.At("1x1"), x, m.one, 1, 1)
	three := convRelu(scope.At("3x3_reduce"), x, m.reduce3, 1, 1)
	three = convRelu(scope.At("3x3"), three, m.three, 3, 1)
	five := convRelu(scope.At("5x5_reduce"), x, m.reduce5, 1, 1)
	five = convRelu(scope.At("5x5"), five, m.five, 5, 1)
	pooled := convRelu(scope.At("pool_proj"), maxPool(x, 3, 1, centeredPadding(3)), m.p, 1, 1)
	return Concatenate([]*Node{one, three, five, pooled}, 3)
}

// describeGooglenet is googlenetForward as an ONNX graph.
func describeGooglenet(d description, x describedMap) describedMap {
	first, second := d.at("conv1/7x7_s2"), d.at("conv2/3x3")
	x = first.convRelu(x, 64, 7, 2)
	x = first.responseNorm(first.maxPool(x, 3, 2, caffeCeil()))
	x = d.at("conv2/3x3_reduce").convRelu(x, 64, 1, 1)
	x = second.responseNorm(second.convRelu(x, 192, 3, 1))
	for _, m := range inceptions() {
		module := d.at("%s", m.name)
		if m.pooled() {
			x = module.at("before").maxPool(x, 3, 2, caffeCeil())
		}
		x = m.describe(module, x)
	}
	return d.meanPool(x)
}

func (m inception) describe(d description, x describedMap) describedMap {
	one := d.at("1x1").convRelu(x, m.one, 1, 1)
	three := d.at("3x3_reduce").convRelu(x, m.reduce3, 1, 1)
	three = d.at("3x3").convRelu(three, m.three, 3, 1)
	five := d.at("5x5_reduce").convRelu(x, m.reduce5, 1, 1)
	five = d.at("5x5").convRelu(five, m.five, 5, 1)
	projection := d.at("pool_proj")
	pooled := projection.convRelu(projection.maxPool(x, 3, 1, centeredPadding(3)), m.p, 1, 1)
	return d.concatenate(one, three, five, pooled)
}

// A caffeConv is a layer of GoogLeNet: a convolution with bias, under Caffe's name.
type caffeConv struct {
	name          string
	out, in, size int
}

func googlenetConvs() []caffeConv {
	convs := []caffeConv{
		{"conv1/7x7_s2", 64, 3, 7},
		{"conv2/3x3_reduce", 64, 64, 1},
		{"conv2/3x3", 192, 64, 3},
	}
	in := 192
	for _, m := range inceptions() {
		convs = append(convs,
			caffeConv{m.name + "/1x1", m.one, in, 1},
			caffeConv{m.name + "/3x3_reduce", m.reduce3, in, 1},
			caffeConv{m.name + "/3x3", m.three, m.reduce3, 3},
			caffeConv{m.name + "/5x5_reduce", m.reduce5, in, 1},
			caffeConv{m.name + "/5x5", m.five, m.reduce5, 5},
			caffeConv{m.name + "/pool_proj", m.p, in, 1},
		)
		in = m.out()
	}
	return convs
}

// loadGooglenet reads the weights from a safetensors file with Caffe's names:
// for each convolution NAME_filter [out, in, h, w] and NAME_bias [out], float32.
func loadGooglenet(path string) ([]InitialValue, error) {
	values, _, err := sealed.Read(path)
	if err != nil {
		return nil, err
	}
	file := weightFile{path: path, tensor: func(name string) (*tensors.Tensor, bool, error) {
		t, ok := values[name]
		return t, ok, nil
	}}
	var parameters []InitialValue
	for _, c := range googlenetConvs() {
		kernel, err := file.kernel(c.name+"_filter", c.out, c.in, c.size)
		if err != nil {
			return nil, err
		}
		bias, err := file.take(c.name+"_bias", c.out)
		if err != nil {
			return nil, err
		}
		parameters = append(parameters,
			InitialValue{Scope: c.name, Name: kernelName, Value: kernel, Trainable: true},
			InitialValue{Scope: c.name, Name: biasName, Value: bias, Trainable: true})
	}
	return parameters, nil
}

// publishedGooglenet returns Caffe's names.
func publishedGooglenet() map[string]string {
	names := map[string]string{}
	for _, c := range googlenetConvs() {
		names[c.name+"/"+kernelName] = c.name + "_filter"
		names[c.name+"/"+biasName] = c.name + "_bias"
	}
	return names
}
