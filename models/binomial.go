package models

import (
	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// binomialDeviance is the loss of BIER: with a = alpha (s - beta) c, c = 1 for
// a positive and -C for a negative pair, l = log(1 + exp(-a)).
func binomialDeviance() Loss {
	return Loss{
		Name:  "binomial_deviance",
		Title: "binomial deviance",
		activation: func(c Config, similarity, same *Node) *Node {
			g, dtype := similarity.Graph(), similarity.DType()
			cost := Where(same, ScalarOne(g, dtype), Scalar(g, dtype, -c.C))
			return Mul(MulScalar(AddScalar(similarity, -c.Beta), c.Alpha), cost)
		},
		term:   func(activation *Node) *Node { return Softplus(Neg(activation)) },
		weight: func(activation *Node) *Node { return Sigmoid(Neg(activation)) },
	}
}
