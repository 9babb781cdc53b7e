package models

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// Under scale "boost" the dot product of two test vectors is the boosted
// ensemble's score sum a_m s_m, and under "size" a learner's share is (d_m/d)^2.
func TestTestVectorScores(t *testing.T) {
	const tolerance = 1e-12 // a few float64 roundings
	const images = 4
	sizes := []int{2, 4, 6}
	random := rand.New(rand.NewPCG(4, 4))
	inputs := make([]*tensors.Tensor, len(sizes))
	for m, d := range sizes {
		values := make([]float64, images*d)
		for i := range values {
			values[i] = random.NormFloat64()
		}
		inputs[m] = tensors.FromFlatDataAndDimensions(values, images, d)
	}
	backend := modelstest.GoBackend(t)
	tests := map[string][]float64{ // scale -> a learner's share of the score
		ScaleBoost: {1. / 6, 1. / 3, 1. / 2},
		ScaleSize:  {1. / 36, 1. / 9, 1. / 4},
		ScaleNone:  {1, 1, 1},
	}
	for scale, shares := range tests {
		t.Run(scale, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			c.Scale = scale
			results := modelstest.Evaluate(t, backend, inputs, func(in []*Node) []*Node {
				v := testVector(c, in)
				scores := DotGeneral(v, []int{1}, nil, v, []int{1}, nil)
				out := []*Node{scores}
				for _, f := range in {
					unit := losses.Normalise(f)
					out = append(out, DotGeneral(unit, []int{1}, nil, unit, []int{1}, nil))
				}
				return out
			})
			for i, got := range results[0] {
				want := 0.0
				for m, a := range shares {
					want += a * results[1+m][i]
				}
				if math.Abs(got-want) > tolerance {
					t.Errorf("score %d: got %g, want %g", i, got, want)
				}
			}
		})
	}
}
