package models

import (
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// binomialDeviance is the loss of BIER: with a = alpha (s - beta) c, c = 1 for
// a positive and -C for a negative pair, l = log(1 + exp(-a)).
func binomialDeviance() Loss {
	cost := func(c Config, p pairs) *Node {
		g, dtype := p.weights.Graph(), p.weights.DType()
		return Where(p.same, ScalarOne(g, dtype), Scalar(g, dtype, -c.constant("C")))
	}
	return Loss{
		Name:       "binomial_deviance",
		Title:      "binomial deviance",
		Source:     "Yi et al. 2014, arXiv 1407.4979, eq. 4; constants of BIER's code",
		Reweighted: "each pair's term",
		Constants: []Constant{
			{Name: "alpha", Default: 2, Min: 1e-6, Max: math.Inf(1), Does: "steepness"},
			{Name: "beta", Default: 0.5, Min: -1, Max: 1, Does: "the cosine that separates positives from negatives"},
			{Name: "C", Default: 25, Min: 1e-6, Max: math.Inf(1), Does: "cost of a negative pair"},
		},
		terms: &terms{
			activation: func(c Config, similarity *Node, p pairs) *Node {
				return Mul(MulScalar(AddScalar(similarity, -c.constant("beta")), c.constant("alpha")), cost(c, p))
			},
			weights: func(p pairs) *Node { return p.weights },
			term:    func(_ Config, activation *Node) *Node { return Softplus(Neg(activation)) },
		},
		bound: func(c Config, p pairs) *Node {
			return Mul(p.weights, MulScalar(Abs(cost(c, p)), c.constant("alpha")))
		},
	}
}
