package models

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/xla"
)

// A regressor is a network from the output of a later learner j to that of an earlier learner i:
// relu(r W1 + B1) W2 + B2.
type regressor struct {
	W1, B1 *Node // [d_j, hidden], [hidden]
	W2, B2 *Node // [hidden, d_i], [d_i]
}

// addRegressors creates a regressor for each pair of learners: Xavier-uniform
// weights and zero biases.
func addRegressors(scope *model.Scope, c Config) {
	for i, earlier := range c.Learners {
		for j := i + 1; j < len(c.Learners); j++ {
			in := xla.Below(scope, regressorScope, pairName(i, j))
			random := stream(c.Seed, "regressor", i*len(c.Learners)+j)
			in.VariableWithValue("weights1", xavier(random, c.Learners[j], c.Hidden))
			in.VariableWithValue("biases1", tensors.FromFlatDataAndDimensions(make([]float32, c.Hidden), c.Hidden))
			in.VariableWithValue("weights2", xavier(random, c.Hidden, earlier))
			in.VariableWithValue("biases2", tensors.FromFlatDataAndDimensions(make([]float32, earlier), earlier))
		}
	}
}

// regressorNodes returns g_ij for every pair i < j, in the order 01, 02, ..., 12, ...
func regressorNodes(scope *model.Scope, c Config, g *Graph) []regressor {
	var out []regressor
	for i := range c.Learners {
		for j := i + 1; j < len(c.Learners); j++ {
			in := xla.Below(scope, regressorScope, pairName(i, j))
			out = append(out, regressor{
				W1: xla.Variable(in, g, "weights1", c.Learners[j], c.Hidden), B1: xla.Variable(in, g, "biases1", c.Hidden),
				W2: xla.Variable(in, g, "weights2", c.Hidden, c.Learners[i]), B2: xla.Variable(in, g, "biases2", c.Learners[i]),
			})
		}
	}
	return out
}

// adversarialLoss is the diversity loss of A-BIER. Regressors learn to tell an
// earlier learner's output from a later one's; the reversed gradient makes the
// embedding matrices undo what they find. x is the pooled feature [N, width],
// which gets no gradient; matrices are M x [width, d_m]; regressors are in the
// order 01, 02, ..., 12, ... of (earlier, later).
func adversarialLoss(c Config, x *Node, matrices []*Node, regressors []regressor) diversity {
	m := len(matrices)
	if m < 2 || len(regressors) != m*(m-1)/2 {
		panic(fmt.Errorf("adversarial loss: %d learners and %d regressors; want at least 2 learners and a regressor for each pair", m,
			len(regressors)))
	}
	x.AssertRank(2)
	features := StopGradient(x)
	axis := normAxis(c.NormAxis, DiversityAdversarial)
	outputs := make([]*Node, m)
	var d diversity
	for i, w := range matrices {
		w.AssertDims(x.Shape().Dim(1), -1)
		outputs[i] = reverseGradient(xla.Product(features, w))
		d.embeddingNorms = append(d.embeddingNorms, unitNorm(w, axis))
	}
	for i := range m {
		for j := i + 1; j < m; j++ {
			g := regressors[len(d.terms)]
			out := g.forward(outputs[j], outputs[i].Shape().Dim(1))
			d.outputs = append(d.outputs, out)
			d.terms = append(d.terms, Neg(ReduceAllMean(Square(Mul(outputs[i], out)))))
			d.regressorNorms = append(d.regressorNorms, Add(unitNorm(g.W1, axis), unitNorm(g.W2, axis)))
			d.regressorBiases = append(d.regressorBiases, Add(longBias(g.B1), longBias(g.B2)))
		}
	}
	d.weigh(c, Add(Add(sumNodes(d.regressorNorms), sumNodes(d.regressorBiases)), sumNodes(d.embeddingNorms)))
	return d
}

// forward maps r [N, d_j] to [N, width].
func (g regressor) forward(r *Node, width int) *Node {
	g.W1.AssertDims(r.Shape().Dim(1), -1)
	hidden := g.W1.Shape().Dim(1)
	g.B1.AssertDims(hidden)
	g.W2.AssertDims(hidden, width)
	g.B2.AssertDims(width)
	h := Add(xla.Product(r, g.W1), Reshape(g.B1, 1, hidden))
	h = Max(ZerosLike(h), h)
	return Add(xla.Product(h, g.W2), Reshape(g.B2, 1, width))
}

// reverseGradient passes x on and negates its gradient.
func reverseGradient(x *Node) *Node {
	return IdentityWithCustomGradient(x, func(_, v *Node) *Node { return Neg(v) })
}

// longBias is max(0, |b|^2 - 1) for a vector b.
func longBias(b *Node) *Node {
	b.AssertRank(1)
	excess := AddScalar(ReduceAllSum(Square(b)), -1)
	return Max(ZerosLike(excess), excess)
}
