package models

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"bierbench/models/losses"
)

// testVector joins the learners' outputs, M x [N, d_m], to the vectors by which images are compared
// at test time, [N, sum d_m]: slices of unit length, each scaled. A dot product of two such vectors
// is their score.
func testVector(c Config, embeddings []*Node) *Node {
	sizes := make([]int, len(embeddings))
	for m, f := range embeddings {
		f.AssertDims(embeddings[0].Shape().Dim(0), -1)
		sizes[m] = f.Shape().Dim(1)
	}
	parts := make([]*Node, len(embeddings))
	for m, factor := range sliceScales(c.Scale, sizes) {
		parts[m] = MulScalar(losses.Normalise(embeddings[m]), factor)
	}
	return Concatenate(parts, 1)
}

// sliceScales returns the factor of every learner's slice: d_m/d, or the root
// of the learner's share of the boosted score, or 1.
func sliceScales(scale string, sizes []int) []float64 {
	sum := 0
	for _, d := range sizes {
		sum += d
	}
	factors := make([]float64, len(sizes))
	for i, d := range sizes {
		switch scale {
		case ScaleSize:
			factors[i] = float64(d) / float64(sum)
		case ScaleBoost:
			factors[i] = math.Sqrt(learnerShare(i+1, len(sizes)))
		case ScaleNone:
			factors[i] = 1
		default:
			panic(fmt.Errorf("test vector: scale: %q is not one of %q", scale, []string{ScaleSize, ScaleBoost, ScaleNone}))
		}
	}
	return factors
}

// learnerShare is the weight a_m of learner m of n, from 1, in the score of
// the ensemble boosted by rule eta: 2m/(n(n+1)).
func learnerShare(m, n int) float64 { return 2 * float64(m) / float64(n*(n+1)) }
