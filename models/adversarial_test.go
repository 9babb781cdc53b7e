package models

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// Gradients of the adversarial loss against central differences. The reversed
// gradient is no derivative of the loss: for the matrices it is that of
// constraints minus terms, for the regressors that of the loss.
func TestAdversarialGradient(t *testing.T) {
	const step, tolerance = 1e-5, 1e-7 // error of a central difference is O(step^2), rounding 1e-16/step
	const n, width, hidden, learners = 5, 4, 6, 3
	sizes := []int{2, 3, 4}
	for _, axis := range []string{AxisIn, AxisOut} {
		t.Run(axis, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			c.LambdaDiv, c.LambdaW, c.NormAxis = 0.3, 0.2, axis
			shapes := [][]int{{n, width}}
			for _, d := range sizes {
				shapes = append(shapes, []int{width, d})
			}
			for i, earlier := range sizes {
				for _, later := range sizes[i+1:] {
					shapes = append(shapes, []int{later, hidden}, []int{hidden}, []int{hidden, earlier}, []int{earlier})
				}
			}
			random := rand.New(rand.NewPCG(2, 3))
			values := make([][]float64, len(shapes))
			for i, s := range shapes {
				values[i] = make([]float64, tensors.FromScalarAndDimensions(0.0, s...).Size())
				for k := range values[i] {
					values[i][k] = random.NormFloat64() / 2
				}
			}
			inputs := func() []*tensors.Tensor {
				out := make([]*tensors.Tensor, len(shapes))
				for i, s := range shapes {
					out[i] = tensors.FromFlatDataAndDimensions(values[i], s...)
				}
				return out
			}
			exec, err := NewExec(modelstest.LogicBackend(t).Backend, func(in []*Node) []*Node {
				var rs []regressor
				for i := 1 + learners; i < len(in); i += 4 {
					rs = append(rs, regressor{W1: in[i], B1: in[i+1], W2: in[i+2], B2: in[i+3]})
				}
				d := adversarialLoss(c, in[0], in[1:1+learners], rs)
				terms := MulScalar(sumNodes(d.terms), c.LambdaDiv)
				// total = constraints + terms, so constraints - terms = total - 2 terms.
				return append([]*Node{d.total, Sub(d.total, MulScalar(terms, 2))}, Gradient(d.total, in...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			gradients := modelstest.Execute(t, exec, inputs())[2:]
			for _, v := range gradients[0] {
				if v != 0 {
					t.Fatalf("the pooled feature gets the gradient %v; want none", gradients[0])
				}
			}
			first := 1 + learners
			modelstest.CheckGradient(t, values[1:first], gradients[1:first], step, tolerance, func() float64 { return modelstest.Execute(t, exec, inputs())[1][0] })
			modelstest.CheckGradient(t, values[first:], gradients[first:], step, tolerance, func() float64 { return modelstest.Execute(t, exec, inputs())[0][0] })
		})
	}
}

// A zero feature and zero matrices must not give a NaN; the constraints alone
// are left: (0-1)^2 for each of three matrices, two regressor layers a pair.
func TestAdversarialZero(t *testing.T) {
	c := DefaultConfig(Frozen)
	c.LambdaDiv, c.LambdaW = 1, 1
	zero := func(dims ...int) *tensors.Tensor { return tensors.FromScalarAndDimensions(float32(0), dims...) }
	inputs := []*tensors.Tensor{zero(3, 4), zero(4, 2), zero(4, 2), zero(2, 5), zero(5), zero(5, 2), zero(2)}
	results := modelstest.Evaluate(t, modelstest.LogicBackend(t), inputs, func(in []*Node) []*Node {
		d := adversarialLoss(c, in[0], in[1:3], []regressor{{W1: in[3], B1: in[4], W2: in[5], B2: in[6]}})
		return append([]*Node{d.total}, Gradient(d.total, in...)...)
	})
	if got := results[0][0]; got != 4 {
		t.Errorf("total %g, want 4", got)
	}
	for i, g := range results[1:] {
		for _, v := range g {
			if v != 0 {
				t.Errorf("gradient %d: %v, want zeros", i, g)
				break
			}
		}
	}
}

// A list of regressors that does not fit the learners is an error.
func TestAdversarialRefuses(t *testing.T) {
	c := DefaultConfig(Frozen)
	_, err := CallOnce(modelstest.LogicBackend(t).Backend, func(x, w *Node) *Node {
		return adversarialLoss(c, x, []*Node{w, w}, nil).total
	}, [][]float32{{1, 2}}, [][]float32{{1}, {2}})
	if err == nil {
		t.Fatal("no error")
	}
}
