package backbones

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// layerTolerance is for float32 sums of up to a hundred terms of size one.
const layerTolerance = 1e-5

// grid is a row-major [N, H, W, C] array on the host, for plain loops.
type grid struct {
	n, h, w, c int
	values     []float32
}

func (a grid) at(n, y, x, c int) float64 {
	return float64(a.values[((n*a.h+y)*a.w+x)*a.c+c])
}

func (a grid) tensor() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(a.values, a.n, a.h, a.w, a.c)
}

func randomGrid(random *rand.Rand, n, h, w, c int) grid {
	a := grid{n, h, w, c, make([]float32, n*h*w*c)}
	for i := range a.values {
		a.values[i] = float32(random.NormFloat64())
	}
	return a
}

func TestSamePadding(t *testing.T) {
	// By TensorFlow's rule: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
	cases := []struct {
		name            string
		n, size, stride int
		want            padding
	}{
		{"stride 1 is centered", 7, 3, 1, padding{1, 1}},
		{"an even side at stride 2 is padded at the end", 224, 3, 2, padding{0, 1}},
		{"five taps: one more at the end", 56, 5, 2, padding{1, 2}},
		{"an odd side at stride 2 is centered", 7, 3, 2, padding{1, 1}},
		{"a single tap needs none", 9, 1, 2, padding{0, 0}},
	}
	for _, c := range cases {
		if got := samePadding(c.n, c.size, c.stride); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDepthwise(t *testing.T) {
	cases := []struct {
		name            string // the reason for the case
		h, w            int
		size, stride, c int
		inference       bool
	}{
		{"stride 1", 5, 6, 3, 1, 4, false},
		{"stride 2 pads an even side at the end only", 6, 8, 3, 2, 3, false},
		{"five taps on odd sides", 7, 5, 5, 2, 2, false},
		{"the form without a gradient", 6, 8, 5, 2, 3, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			x, k := randomGrid(random, 2, c.h, c.w, c.c), randomGrid(random, c.size, c.size, 1, c.c)
			got, dims := modelstest.Apply(t, func(x *Node) *Node {
				return depthwiseConv(x, Const(x.Graph(), k.tensor()), c.stride, c.inference)
			}, x.tensor())
			rows, columns := samePadding(c.h, c.size, c.stride), samePadding(c.w, c.size, c.stride)
			var want []float64 // the definition, as plain loops
			for n := range 2 {
				for y := range dims[1] {
					for z := range dims[2] {
						for ch := range c.c {
							sum := 0.0
							for i := range c.size {
								for j := range c.size {
									yy, zz := y*c.stride+i-rows[0], z*c.stride+j-columns[0]
									if yy >= 0 && yy < c.h && zz >= 0 && zz < c.w {
										sum += x.at(n, yy, zz, ch) * k.at(i, j, 0, ch)
									}
								}
							}
							want = append(want, sum)
						}
					}
				}
			}
			if wantDims := []int{2, (c.h + c.stride - 1) / c.stride, (c.w + c.stride - 1) / c.stride, c.c}; !slices.Equal(dims, wantDims) {
				t.Fatalf("shape %v, want %v", dims, wantDims)
			}
			modelstest.WantClose(t, "output", got, want, layerTolerance)
		})
	}
}

func TestMaxPool(t *testing.T) {
	cases := []struct {
		name   string // the reason for the case
		side   int
		stride int
		around padding
		want   int // output side; for stride 2 Caffe's ceil((side-3)/2)+1
	}{
		{"Caffe rounds an even side up", 6, 2, padding{0, 1}, 3},
		{"an odd side fits as it is", 7, 2, padding{0, 1}, 3},
		{"stride 1 keeps the side", 5, 1, padding{1, 1}, 5},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := randomGrid(rand.New(rand.NewPCG(3, 4)), 2, c.side, c.side, 3)
			for i := range x.values {
				x.values[i] -= 3 // padding with zeros would win
			}
			got, dims := modelstest.Apply(t, func(x *Node) *Node {
				y := maxPool(x, 3, c.stride, c.around)
				weight := AddScalar(IotaFull(x.Graph(), y.Shape()), 1)
				return Concatenate([]*Node{Reshape(y, -1), Reshape(Gradient(ReduceAllSum(Mul(y, weight)), x)[0], -1)}, 0)
			}, x.tensor())
			if want := 2*c.want*c.want*3 + len(x.values); dims[0] != want {
				t.Fatalf("%d values, want %d: an output side of %d", dims[0], want, c.want)
			}
			var want []float64
			gradient := make([]float64, len(x.values)) // each output's weight goes to its largest input
			for n := range 2 {
				for y := range c.want {
					for z := range c.want {
						for ch := range 3 {
							best, at := math.Inf(-1), 0
							for yy := max(0, y*c.stride-c.around[0]); yy < min(c.side, y*c.stride-c.around[0]+3); yy++ {
								for zz := max(0, z*c.stride-c.around[0]); zz < min(c.side, z*c.stride-c.around[0]+3); zz++ {
									if v := x.at(n, yy, zz, ch); v > best {
										best, at = v, ((n*c.side+yy)*c.side+zz)*3+ch
									}
								}
							}
							want = append(want, best)
							gradient[at] += float64(len(want))
						}
					}
				}
			}
			modelstest.WantClose(t, "output", got[:len(want)], want, layerTolerance)
			modelstest.WantClose(t, "gradient", got[len(want):], gradient, layerTolerance)
		})
	}
}

func TestResponseNorm(t *testing.T) {
	x := randomGrid(rand.New(rand.NewPCG(5, 6)), 1, 2, 2, 7)
	for i := range x.values {
		x.values[i] *= 200 // so that the sum of squares counts
	}
	got, _ := modelstest.Apply(t, responseNorm, x.tensor())
	var want []float64 // x / (1 + 1e-4/5 * sum over 5 channels of x^2)^0.75
	for i := range x.values {
		sum := 0.0
		for c := max(0, i%7-2); c <= min(6, i%7+2); c++ {
			v := float64(x.values[i-i%7+c])
			sum += v * v
		}
		want = append(want, float64(x.values[i])/math.Pow(1+1e-4/5*sum, 0.75))
	}
	modelstest.WantClose(t, "output", got, want, layerTolerance)
}

// TestConvNorm has numbers by hand: kernel [[1, 2], [3, 4]] over channels,
// variance 3.999 + epsilon 0.001 = 4, so scale = gamma/2.
func TestConvNorm(t *testing.T) {
	store := newVariables(t, []InitialValue{
		{Scope: "layer", Name: kernelName, Value: tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 1, 1, 2, 2)},
		{Scope: "layer", Name: gammaName, Value: tensors.FromFlatDataAndDimensions([]float32{2, 4}, 2)},
		{Scope: "layer", Name: betaName, Value: tensors.FromFlatDataAndDimensions([]float32{10, -1}, 2)},
		{Scope: "layer", Name: meanName, Value: tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)},
		{Scope: "layer", Name: varianceName, Value: tensors.FromFlatDataAndDimensions([]float32{3.999, 3.999}, 2)},
	})
	// Pixel (1, 1): conv (4, 6) -> (4-1)*1+10 = 13, (6-2)*2-1 = 7.
	// Pixel (0, 5): conv (15, 20) -> (15-1)*1+10 = 24, (20-2)*2-1 = 35.
	for name, inference := range map[string]bool{"with a gradient": false, "without one": true} {
		got := runModel(t, store, tensors.FromFlatDataAndDimensions([]float32{1, 1, 0, 5}, 1, 1, 2, 2), func(x *Node) *Node {
			if inference {
				ForInference(store.Scope("layer"), x.Graph())
			}
			return convNorm(store.Scope("layer"), x, 2, 1, 1, 1e-3)
		})
		modelstest.WantClose(t, "output "+name, got, []float64{13, 7, 24, 35}, layerTolerance)
	}
}
