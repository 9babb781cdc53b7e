package backbones

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/xla"
)

// The names of a layer's variables. Weight decay applies to kernels.
const (
	kernelName   = "kernel"
	biasName     = "bias"
	gammaName    = "gamma"    // batch normalisation: scale
	betaName     = "beta"     // batch normalisation: offset
	meanName     = "mean"     // batch normalisation: running mean
	varianceName = "variance" // batch normalisation: running variance
)

// inferenceParam names the mark of a graph of which no gradient is taken.
const inferenceParam = "bierbench_inference"

// ForInference marks g as a graph of which no gradient is taken: layers may
// then use forms whose gradient is slow or missing.
func ForInference(scope *model.Scope, g *Graph) {
	scope.SetGraphParam(g, inferenceParam, true)
}

func isInference(scope *model.Scope, g *Graph) bool {
	return model.GetGraphParamOr(scope, g, inferenceParam, false)
}

// padding is the number of positions added before and after a spatial axis.
type padding [2]int

// centeredPadding is the padding of (size-1)/2 on both sides that keeps the map's
// size at stride 1; size is odd.
func centeredPadding(size int) padding { return padding{size / 2, size / 2} }

// samePadding is TensorFlow's SAME padding of n positions for a window of the given
// size and stride: ceil(n/stride) outputs, the odd position at the end.
func samePadding(n, size, stride int) padding {
	outputs := (n + stride - 1) / stride
	total := max((outputs-1)*stride+size-n, 0)
	return padding{total / 2, total - total/2}
}

// convolve convolves x [N, H, W, in] with kernel [h, w, in, out] and adds bias [out]; the result is
// [N, H', W', out]. Where a gradient is taken, a 1x1 kernel at stride 1 is a dot: a training step
// of GoogLeNet takes an eighth less on XLA:CPU. A forward pass alone takes a twelfth longer with
// dots.
func convolve(x, kernel, bias *Node, stride int, rows, columns padding, inference bool) *Node {
	window, dims := kernel.Shape().Dimensions, x.Shape().Dimensions
	out := window[3]
	bias.AssertDims(out)
	var y *Node
	if window[0] == 1 && window[1] == 1 && stride == 1 && !inference {
		y = DotProduct(Reshape(x, -1, dims[3]), Reshape(kernel, dims[3], out))
		y = Reshape(y, dims[0], dims[1], dims[2], out)
	} else {
		y = Convolve(x, kernel).Strides(stride).PaddingPerDim([][2]int{rows, columns}).Done()
	}
	return Add(y, Reshape(bias, 1, 1, 1, out))
}

// convRelu is a convolution of x [N, H, W, in] with the kernel and bias of scope
// and centered padding, followed by max(0, y).
func convRelu(scope *model.Scope, x *Node, out, size, stride int) *Node {
	x.AssertRank(4)
	g, in := x.Graph(), x.Shape().Dimensions[3]
	kernel, bias := xla.Variable(scope, g, kernelName, size, size, in, out), xla.Variable(scope, g, biasName, out)
	y := convolve(x, kernel, bias, stride, centeredPadding(size), centeredPadding(size), isInference(scope, g))
	return MaxScalar(y, 0)
}

// frozenNorm returns the scale and offset, both [channels], that batch
// normalisation with the running statistics of scope amounts to:
// y = x*scale + offset, scale = gamma/sqrt(variance+epsilon), offset = beta - mean*scale.
func frozenNorm(scope *model.Scope, g *Graph, channels int, epsilon float64) (scale, offset *Node) {
	gamma := xla.Variable(scope, g, gammaName, channels)
	beta := xla.Variable(scope, g, betaName, channels)
	mean := xla.Variable(scope, g, meanName, channels)
	variance := xla.Variable(scope, g, varianceName, channels)
	scale = Div(gamma, Sqrt(AddScalar(variance, epsilon)))
	offset = Sub(beta, Mul(mean, scale))
	return scale, offset
}

// convNorm is a convolution of x [N, H, W, in] without bias followed by frozen
// batch normalisation. The scale is multiplied into the kernel, which gives
// the same numbers and gradients as scaling the map does, and costs less.
func convNorm(scope *model.Scope, x *Node, out, size, stride int, epsilon float64) *Node {
	x.AssertRank(4)
	g, dims := x.Graph(), x.Shape().Dimensions
	scale, offset := frozenNorm(scope, g, out, epsilon)
	kernel := Mul(xla.Variable(scope, g, kernelName, size, size, dims[3], out), Reshape(scale, 1, 1, 1, out))
	return convolve(x, kernel, offset, stride, samePadding(dims[1], size, stride), samePadding(dims[2], size, stride), isInference(scope, g))
}

// depthwiseNorm is a depthwise convolution of x [N, H, W, C] with SAME padding
// followed by frozen batch normalisation.
func depthwiseNorm(scope *model.Scope, x *Node, size, stride int, epsilon float64) *Node {
	x.AssertRank(4)
	g, dims := x.Graph(), x.Shape().Dimensions
	channels := dims[3]
	scale, offset := frozenNorm(scope, g, channels, epsilon)
	kernel := Mul(xla.Variable(scope, g, kernelName, size, size, 1, channels), Reshape(scale, 1, 1, 1, channels))
	return Add(depthwiseConv(x, kernel, stride, isInference(scope, g)), Reshape(offset, 1, 1, 1, channels))
}

// depthwiseConv convolves each channel of x [N, H, W, C] with its own slice of kernel [h, w, 1, C],
// with SAME padding: the sum over the kernel's taps of a strided slice times a weight per channel.
// A grouped convolution would be the same, but its gradient is split into one convolution per
// channel, which compiles for minutes, and its forward pass takes four times as long on XLA:CPU.
func depthwiseConv(x, kernel *Node, stride int, inference bool) *Node {
	x.AssertRank(4)
	dims, window := x.Shape().Dimensions, kernel.Shape().Dimensions
	kernel.AssertDims(window[0], window[1], 1, dims[3])
	rows, columns := samePadding(dims[1], window[0], stride), samePadding(dims[2], window[1], stride)
	var padded *Node
	if inference { // a tenth faster for the whole network, but without a gradient
		padded = Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{Start: rows[0], End: rows[1]},
			PadAxis{Start: columns[0], End: columns[1]}, PadAxis{})
	} else {
		padded = padAxis(padAxis(x, 1, rows, 0), 2, columns, 0)
	}
	var sum *Node
	for i := range window[0] {
		for j := range window[1] {
			tap := stridedTap(stridedTap(padded, 1, i, window[0], stride), 2, j, window[1], stride)
			weight := Slice(kernel, AxisElem(i), AxisElem(j))
			term := Mul(tap, weight)
			if sum == nil {
				sum = term
			} else {
				sum = Add(sum, term)
			}
		}
	}
	return sum
}

// maxPool is the maximum of x [N, H, W, C] over square windows, written as a
// maximum of strided slices along one axis and then the other: the gradient of
// a pooling operation is much slower. Padding never wins.
func maxPool(x *Node, size, stride int, around padding) *Node {
	x.AssertRank(4)
	for _, axis := range []int{1, 2} {
		padded := padAxis(x, axis, around, -math.MaxFloat32)
		x = stridedTap(padded, axis, 0, size, stride)
		for i := 1; i < size; i++ {
			x = Max(x, stridedTap(padded, axis, i, size, stride))
		}
	}
	return x
}

// stridedTap returns what tap i of a sliding window of the given size and
// stride sees along axis of x.
func stridedTap(x *Node, axis, i, size, stride int) *Node {
	outputs := (x.Shape().Dimensions[axis]-size)/stride + 1
	return SliceAxis(x, axis, AxisRange(i, i+(outputs-1)*stride+1).Stride(stride))
}

// padAxis adds value before and after an axis of x. (The library's Pad has no
// gradient.)
func padAxis(x *Node, axis int, around padding, value float64) *Node {
	if around == (padding{}) {
		return x
	}
	fill := func(n int) *Node {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = n
		return BroadcastToShape(Scalar(x.Graph(), x.DType(), value), shape)
	}
	var parts []*Node
	if around[0] > 0 {
		parts = append(parts, fill(around[0]))
	}
	parts = append(parts, x)
	if around[1] > 0 {
		parts = append(parts, fill(around[1]))
	}
	return Concatenate(parts, axis)
}

// Caffe's constants of the local response normalisation.
const (
	responseWindow = 5 // channels
	responseAlpha  = 1e-4
)

// responseNorm divides x [N, H, W, C] by the local response across five
// neighbouring channels (Krizhevsky et al. 2012, section 3.3, with Caffe's
// constants): x / (1 + alpha/5 * sum of squares)^0.75, alpha = 1e-4.
// The sum is a 1x1 convolution of the squares with a band matrix.
func responseNorm(x *Node) *Node {
	x.AssertRank(4)
	channels := x.Shape().Dimensions[3]
	band := make([][]float32, channels)
	for i := range band {
		band[i] = make([]float32, channels)
		for j := max(0, i-responseWindow/2); j <= min(channels-1, i+responseWindow/2); j++ {
			band[i][j] = 1
		}
	}
	kernel := Reshape(Const(x.Graph(), band), 1, 1, channels, channels)
	sum := Convolve(Square(x), kernel).Done()
	root := Sqrt(AddScalar(MulScalar(sum, responseAlpha/responseWindow), 1))
	return Div(x, Mul(root, Sqrt(root)))
}

// meanPool returns the mean of x [N, H, W, C] over its positions, [N, C].
func meanPool(x *Node) *Node {
	x.AssertRank(4)
	return ReduceMean(x, 1, 2)
}
