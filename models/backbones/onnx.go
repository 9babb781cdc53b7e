package backbones

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/onnx"
	"bierbench/models/internal/sealed"
	"bierbench/models/xla"
)

// ErrNoDescription says that a backbone has no description as an ONNX graph.
var ErrNoDescription = errors.New("the backbone has no description in ONNX")

// Described reports whether the backbone has a description as an ONNX graph.
func (b Backbone) Described() bool { return b.describe != nil }

// Describe adds the network to an ONNX graph, from images [N, input, input, 3] of uint8 RGB to
// pooled features [N, Features]. published are the network's tensors as Publish gives them; they
// become constants of the same names. A backbone without a description is ErrNoDescription.
func (b Backbone) Describe(g *onnx.Graph, images onnx.Value, input int, published []sealed.NamedTensor) (features onnx.Value, err error) {
	if !b.Described() {
		return "", fmt.Errorf("%s: %w", b.Name, ErrNoDescription)
	}
	if err = b.CheckInput(input); err != nil {
		return "", fmt.Errorf("describe %s: %w", b.Name, err)
	}
	d := description{graph: g, names: b.published(), values: map[string]*tensors.Tensor{}, shared: map[string]onnx.Value{}}
	for _, t := range published {
		d.values[t.Name] = t.Value
	}
	err = xla.Catch("describe "+b.Name, func() {
		features = b.describe(d, d.normalised(images, b.Card, input)).value
	})
	return features, err
}

// Published returns the tensors with which Extract computes features, as Publish gives them: those
// of the file of pretrained weights, or for a network without such weights the random ones.
func (b Backbone) Published(weights string) ([]sealed.NamedTensor, error) {
	var parameters []InitialValue
	if b.Weights == "" {
		parameters = b.Create(frozenRandom())
	} else {
		var err error
		if parameters, err = b.Load(weights); err != nil {
			return nil, fmt.Errorf("load %s weights: %w", b.Name, err)
		}
	}
	values := map[string]*tensors.Tensor{}
	for _, p := range parameters {
		values[Scope+"/"+p.Scope+"/"+p.Name] = p.Value
	}
	return b.Publish(values)
}

// frozenRandom draws the values of a network whose features are computed though it was never trained.
func frozenRandom() *rand.Rand { return rand.New(rand.NewPCG(0, 0)) }

// A description adds the layers of a network to an ONNX graph, as layers.go does to a graph of XLA.
// Its methods are the layers with the variables of one scope, and panic where a tensor is missing or
// has another shape.
type description struct {
	graph  *onnx.Graph
	names  map[string]string          // published names by own names
	values map[string]*tensors.Tensor // by published names; kernels are [out, in, h, w]
	scope  string                     // slash-separated
	shared map[string]onnx.Value      // scalars that several layers use, by name
}

// A describedMap is a value [N, channels, side, side]; side is 0 for [N, channels].
type describedMap struct {
	value          onnx.Value
	channels, side int
}

// at returns the description below a scope.
func (d description) at(format string, args ...any) description {
	d.scope = strings.TrimPrefix(d.scope+"/"+fmt.Sprintf(format, args...), "/")
	return d
}

// node adds an operator that is named by the scope and what it does.
func (d description) node(op, what string, inputs []onnx.Value, attributes ...onnx.Attribute) onnx.Value {
	return d.graph.Node(op, d.scope+"/"+what, inputs, attributes...)
}

// variable adds a variable of the scope, which must have this shape, as a constant.
func (d description) variable(name string, dims ...int) onnx.Value {
	own := d.scope + "/" + name
	published, ok := d.names[own]
	t := d.values[published]
	if !ok || t == nil {
		panic(fmt.Errorf("there is no variable %s", own))
	}
	if got := t.Shape().Dimensions; !slices.Equal(got, dims) {
		panic(fmt.Errorf("variable %s has shape %v, want %v", own, got, dims))
	}
	return d.graph.Constant(published, tensors.MustCopyFlatData[float32](t), dims...)
}

// normalised turns images [N, input, input, 3] of uint8 RGB into the network's input, of which
// channel i is (pixel - Mean[i]) * Scale of channel Channels[i].
func (d description) normalised(images onnx.Value, card Card, input int) describedMap {
	d = d.at("input")
	x := d.node("Cast", "float", []onnx.Value{images}, onnx.Whole("to", int(onnx.Float)))
	x = d.node("Transpose", "channels_first", []onnx.Value{x}, onnx.Wholes("perm", 0, 3, 1, 2))
	if card.Channels != "RGB" {
		var order []int64
		for _, c := range card.Channels {
			order = append(order, int64(strings.IndexRune("RGB", c)))
		}
		x = d.node("Gather", "channels", []onnx.Value{x, d.graph.Integers("input/order", order...)}, onnx.Whole("axis", 1))
	}
	var mean []float32
	for _, m := range card.Mean {
		mean = append(mean, float32(m))
	}
	x = d.node("Sub", "centered", []onnx.Value{x, d.graph.Constant("input/mean", mean, 1, len(mean), 1, 1)})
	if card.Scale != 1 {
		x = d.node("Mul", "scaled", []onnx.Value{x, d.graph.Scalar("input/scale", float32(card.Scale))})
	}
	return describedMap{x, len(mean), input}
}

// outputs returns how many positions a window sees along an axis of n.
func (p padding) outputs(n, size, stride int) int { return (n+p[0]+p[1]-size)/stride + 1 }

// window returns the attributes of a square window that both spatial axes have.
func window(size, stride int, around padding) []onnx.Attribute {
	return []onnx.Attribute{
		onnx.Wholes("kernel_shape", size, size),
		onnx.Wholes("pads", around[0], around[0], around[1], around[1]),
		onnx.Wholes("strides", stride, stride),
	}
}

// convRelu is convRelu of layers.go.
func (d description) convRelu(x describedMap, out, size, stride int) describedMap {
	around := centeredPadding(size)
	inputs := []onnx.Value{x.value, d.variable(kernelName, out, x.channels, size, size), d.variable(biasName, out)}
	y := d.node("Conv", "conv", inputs, window(size, stride, around)...)
	return describedMap{d.node("Relu", "relu", []onnx.Value{y}), out, around.outputs(x.side, size, stride)}
}

// convNorm is convNorm of layers.go. The batch normalisation stays a node of its own: what runs the
// graph multiplies it into the kernel, as convNorm does.
func (d description) convNorm(x describedMap, out, size, stride int, epsilon float32) describedMap {
	around := samePadding(x.side, size, stride)
	inputs := []onnx.Value{x.value, d.variable(kernelName, out, x.channels, size, size)}
	y := d.node("Conv", "conv", inputs, window(size, stride, around)...)
	return describedMap{d.frozenNorm(y, out, epsilon), out, around.outputs(x.side, size, stride)}
}

// depthwiseNorm is depthwiseNorm of layers.go.
func (d description) depthwiseNorm(x describedMap, size, stride int, epsilon float32) describedMap {
	around := samePadding(x.side, size, stride)
	inputs := []onnx.Value{x.value, d.variable(kernelName, x.channels, 1, size, size)}
	attributes := append([]onnx.Attribute{onnx.Whole("group", x.channels)}, window(size, stride, around)...)
	y := d.node("Conv", "conv", inputs, attributes...)
	return describedMap{d.frozenNorm(y, x.channels, epsilon), x.channels, around.outputs(x.side, size, stride)}
}

// frozenNorm is batch normalisation with the running statistics of the scope.
func (d description) frozenNorm(x onnx.Value, channels int, epsilon float32) onnx.Value {
	inputs := []onnx.Value{x}
	for _, name := range []string{gammaName, betaName, meanName, varianceName} {
		inputs = append(inputs, d.variable(name, channels))
	}
	return d.node("BatchNormalization", "norm", inputs, onnx.Real("epsilon", epsilon))
}

// relu6 clips a map to 0 to 6.
func (d description) relu6(x describedMap) describedMap {
	x.value = d.node("Clip", "relu6", []onnx.Value{x.value, d.scalar("zero", 0), d.scalar("six", 6)})
	return x
}

// scalar returns a constant that is in the graph once.
func (d description) scalar(name string, value float32) onnx.Value {
	if _, ok := d.shared[name]; !ok {
		d.shared[name] = d.graph.Scalar(name, value)
	}
	return d.shared[name]
}

// maxPool is maxPool of layers.go.
func (d description) maxPool(x describedMap, size, stride int, around padding) describedMap {
	y := d.node("MaxPool", "max", []onnx.Value{x.value}, window(size, stride, around)...)
	return describedMap{y, x.channels, around.outputs(x.side, size, stride)}
}

// responseNorm is responseNorm of layers.go, which ONNX has as an operator.
func (d description) responseNorm(x describedMap) describedMap {
	x.value = d.node("LRN", "lrn", []onnx.Value{x.value}, onnx.Whole("size", responseWindow),
		onnx.Real("alpha", responseAlpha), onnx.Real("beta", 0.75), onnx.Real("bias", 1))
	return x
}

// add is the sum of two maps of one shape.
func (d description) add(x, y describedMap) describedMap {
	x.value = d.node("Add", "sum", []onnx.Value{x.value, y.value})
	return x
}

// concatenate joins maps by their channels.
func (d description) concatenate(maps ...describedMap) describedMap {
	out := describedMap{side: maps[0].side}
	var inputs []onnx.Value
	for _, m := range maps {
		inputs = append(inputs, m.value)
		out.channels += m.channels
	}
	out.value = d.node("Concat", "concat", inputs, onnx.Whole("axis", 1))
	return out
}

// meanPool is the mean over positions, [N, channels].
func (d description) meanPool(x describedMap) describedMap {
	d = d.at("pool")
	y := d.node("GlobalAveragePool", "mean", []onnx.Value{x.value})
	return describedMap{d.node("Flatten", "features", []onnx.Value{y}, onnx.Whole("axis", 1)), x.channels, 0}
}
