package losses

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// For a sum over pairs, weighting what flows back through a similarity is
// weighting the pair's term: on binomial deviance, whose derivative is known in
// closed form, rule gradient, by autodiff, must give eta's weights and gradients.
func TestGradientRuleIsEta(t *testing.T) {
	const tolerance = 1e-12 // float64
	labels := []int32{4, 1, 4, 9, 1, 1, 7}
	sizes := []int{2, 3, 4, 5}
	for _, count := range []string{WithDiagonal, WithoutDiagonal} {
		t.Run(count, func(t *testing.T) {
			y, outputs := ensembleInputs(rand.New(rand.NewPCG(7, 9)), labels, sizes)
			inputs := []*tensors.Tensor{y}
			for m, d := range sizes {
				inputs = append(inputs, tensors.FromFlatDataAndDimensions(outputs[m], len(labels), d))
			}
			backend := modelstest.GoBackend(t)
			of := func(rule string) [][]float64 {
				c := DefaultConfig()
				c.Boosting, c.PosCount = rule, count
				return modelstest.Evaluate(t, backend, inputs, func(in []*Node) []*Node {
					b := Boost(c, in[1:], nil, in[0])
					out := Gradient(b.Total, in[1:]...)
					p := newPairs(c, in[0], in[1].DType())
					for _, w := range b.weights { // an image with itself is no pair
						out = append(out, Where(LogicalOr(p.positive, p.negative), w, ZerosLike(w)))
					}
					return append(out, b.MeanWeight...)
				})
			}
			eta, gradient := of(BoostingEta), of(BoostingGradient)
			for i := range eta {
				if j, off := modelstest.Farthest(gradient[i], eta[i]); off > tolerance {
					t.Errorf("output %d, number %d: got %g, want eta's %g", i, j, gradient[i][j], eta[i][j])
				}
			}
			// Weights of the second learner that are all 1 or all 0 would compare nothing.
			if w := eta[len(sizes)+1]; w[1] == w[3] || w[1] <= 0 || w[1] >= 1 {
				t.Errorf("weights of the second learner: %v", w)
			}
		})
	}
}

// The distribution of weights, by hand: two positive pairs and four negative
// ones, in both orders.
func TestWeightShares(t *testing.T) {
	c := DefaultConfig()
	backend := modelstest.GoBackend(t)
	labels := tensors.FromFlatDataAndDimensions([]int32{0, 0, 1, 1}, 4)
	w := [][]float64{{9, .05, .5, 1}, {.05, 9, 0, .99}, {.5, 0, 9, .31}, {1, .99, .39, 9}}
	for name, test := range map[string]struct {
		rule string
		want []float64
	}{
		"of 1":                  {BoostingEta, []float64{.5, 0, 0, .5, 0, 0, 0, 0, 0, 0, .25, 0, 0, 0, 0, .25, 0, 0, 0, .5}},
		"negatives of a factor": {BoostingAdditive, []float64{.5, 0, 0, .5, 0, 0, 0, 0, 0, 0, .25, 0, .25, 0, .25, .25, 0, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Boosting = test.rule
			got := modelstest.Evaluate(t, backend, []*tensors.Tensor{labels, modelstest.Matrix(w)}, func(in []*Node) []*Node {
				r := newRule(c, binomialDeviance(), newPairs(c, in[0], in[1].DType()))
				return []*Node{r.distribution([]*Node{in[1]})}
			})[0]
			if i, off := modelstest.Farthest(got, test.want); off > 1e-12 {
				t.Errorf("share %d: got %v, want %v", i, got, test.want)
			}
		})
	}
}
