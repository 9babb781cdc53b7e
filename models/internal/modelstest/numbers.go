package modelstest

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/xla"
)

// Farthest returns where got and want differ most and by how much: absolute
// below 1, relative above. NaN equals NaN.
func Farthest(got, want []float64) (index int, off float64) {
	for i, w := range want {
		d := math.Abs(got[i]-w) / max(1, math.Abs(w))
		switch {
		case math.IsNaN(w) && math.IsNaN(got[i]):
			d = 0
		case math.IsNaN(d):
			d = math.Inf(1)
		}
		if d > off {
			index, off = i, d
		}
	}
	return index, off
}

// Matrix returns rows as a float64 tensor.
func Matrix(rows [][]float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(slices.Concat(rows...), len(rows), len(rows[0]))
}

// Vector returns values as a float64 tensor of one axis.
func Vector(values []float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values))
}

// Evaluate runs a graph once and returns its outputs as flat numbers.
func Evaluate(tb testing.TB, b *xla.Backend, inputs []*tensors.Tensor, graph func(inputs []*Node) []*Node) [][]float64 {
	tb.Helper()
	exec, err := NewExec(b.Backend, graph)
	if err != nil {
		tb.Fatal(err)
	}
	defer exec.Finalize()
	return Execute(tb, exec, inputs)
}

// Execute runs a compiled graph.
func Execute(tb testing.TB, exec *Exec, inputs []*tensors.Tensor) [][]float64 {
	tb.Helper()
	args := make([]any, len(inputs))
	for i, x := range inputs {
		args[i] = x
	}
	results, err := exec.Call(args...)
	if err != nil {
		tb.Fatal(err)
	}
	out := make([][]float64, len(results))
	for i, r := range results {
		out[i] = float64Values(tb, r)
	}
	return out
}

// float64Values returns a tensor's values as float64.
func float64Values(tb testing.TB, x *tensors.Tensor) []float64 {
	tb.Helper()
	var out []float64
	x.MustConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []float64:
			out = slices.Clone(v)
		case []float32:
			for _, f := range v {
				out = append(out, float64(f))
			}
		default:
			tb.Fatalf("tensor of %T", flat)
		}
	})
	return out
}

// CheckGradient compares gradients with central differences of value, which
// reads the values in place.
func CheckGradient(t *testing.T, values, gradients [][]float64, step, tolerance float64, value func() float64) {
	t.Helper()
	for m := range values {
		for i, want := range Differences(values[m], step, value) {
			if got := gradients[m][i]; math.Abs(got-want) > tolerance*max(1, math.Abs(want)) || math.IsNaN(got) {
				t.Errorf("input %d, number %d: gradient %g, want %g by differences", m, i, got, want)
			}
		}
	}
}

// Apply executes a graph function of one input on the shared backend, and returns the output's
// values, row-major, and dimensions.
func Apply(t *testing.T, f func(x *Node) *Node, x *tensors.Tensor) ([]float32, []int) {
	t.Helper()
	out, err := CallOnce(Backend(t).Backend, f, x)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out), out.Shape().Dimensions
}

// WantClose compares float32 values with what they should be; the tolerance is absolute below 1 and
// relative above.
func WantClose(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tolerance*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// Differences are central differences of value, which reads values in place.
func Differences(values []float64, step float64, value func() float64) []float64 {
	out := make([]float64, len(values))
	for i, at := range values {
		values[i] = at + step
		up := value()
		values[i] = at - step
		out[i] = (up - value()) / (2 * step)
		values[i] = at
	}
	return out
}
