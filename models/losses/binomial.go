package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// binomialDeviance is the loss of BIER: with a = alpha (s - beta) c, c = 1 for
// a positive and -C for a negative pair, l = log(1 + exp(-a)).
func binomialDeviance() Loss {
	var k struct{ alpha, beta, c float64 }
	cost := func(p pairs) *Node {
		g, dtype := p.weights.Graph(), p.weights.DType()
		return Where(p.same, ScalarOne(g, dtype), Scalar(g, dtype, -k.c))
	}
	return Loss{
		Name:       "binomial_deviance",
		Title:      "binomial deviance",
		Source:     "Yi et al. 2014, arXiv 1407.4979, eq. 4; constants of BIER's code",
		Reweighted: "each pair's term",
		Constants: []Constant{
			{Name: "alpha", value: &k.alpha, Default: 2, Min: 1e-6, Max: math.Inf(1), Does: "steepness"},
			{Name: "beta", value: &k.beta, Default: 0.5, Min: -1, Max: 1, Does: "the cosine that separates positives from negatives"},
			{Name: "C", value: &k.c, Default: 25, Min: 1e-6, Max: math.Inf(1), Does: "cost of a negative pair"},
		},
		terms: &terms{
			activation: func(similarity *Node, p pairs) *Node {
				return Mul(MulScalar(AddScalar(similarity, -k.beta), k.alpha), cost(p))
			},
			weights: func(p pairs) *Node { return p.weights },
			term:    func(activation *Node) *Node { return Softplus(Neg(activation)) },
		},
		bound: func(p pairs) *Node {
			return Mul(p.weights, MulScalar(Abs(cost(p)), k.alpha))
		},
	}
}
