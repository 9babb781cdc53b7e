package models

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// boosted is the loss of an ensemble of M learners on one batch of N images.
type boosted struct {
	total      *Node   // scalar: the mean of learner
	learner    []*Node // M scalars: sum over pairs of W w^m l^m
	weights    []*Node // M x [N, N]: w^m, constants for the gradient
	ensemble   []*Node // M x [N, N]: A_m, the activations of the first m learners together
	meanWeight []*Node // M scalars: sum of W w^m over sum of W
}

// boostedLoss trains learner m on the pairs that the learners before it get
// wrong. embeddings are the learners' raw outputs, M x [N, d_m]; labels is
// int32 [N]. The rules are those of BIER's papers (eta) and of the authors'
// released script (additive); with none every learner sees every pair alike.
func boostedLoss(c Config, embeddings []*Node, labels *Node) boosted {
	if len(embeddings) == 0 {
		panic(errors.New("boosted loss: no learners"))
	}
	loss, err := LossNamed(c.Loss)
	if err != nil {
		panic(err)
	}
	labels.AssertRank(1)
	n := labels.Shape().Dim(0)
	p := newPairs(c, labels, embeddings[0].DType())
	sum := ReduceAllSum(p.weights)

	var b boosted
	weights := OnesLike(p.weights)
	ensemble := ZerosLike(p.weights)
	if c.Boosting == BoostingAdditive {
		ensemble = AddScalar(ensemble, c.BoostingStart)
	}
	for m, f := range embeddings {
		f.AssertDims(n, -1)
		activation := loss.activation(c, cosine(f), p.same)
		weighted := Mul(p.weights, weights)
		b.learner = append(b.learner, ReduceAllSum(Mul(weighted, loss.term(activation))))
		b.weights = append(b.weights, weights)
		b.meanWeight = append(b.meanWeight, ratio(ReduceAllSum(weighted), sum))

		ensemble = StopGradient(combine(c, m+1, ensemble, activation))
		b.ensemble = append(b.ensemble, ensemble)
		weights = StopGradient(nextWeights(c, loss, ensemble, p.same))
	}
	b.total = DivScalar(sumNodes(b.learner), len(b.learner))
	return b
}

// combine returns A_m from A_(m-1) and learner m's activation, m from 1.
// Without boosting there is no ensemble in training: it stays at 0.
func combine(c Config, m int, ensemble, activation *Node) *Node {
	switch c.Boosting {
	case BoostingNone:
		return ensemble
	case BoostingAdditive:
		return Add(ensemble, MulScalar(activation, c.Shrinkage))
	default:
		eta := learnerEta(m)
		return Add(MulScalar(ensemble, 1-eta), MulScalar(activation, eta))
	}
}

// nextWeights returns w^(m+1) [N, N] from A_m; weights are not renormalised.
func nextWeights(c Config, loss Loss, ensemble, same *Node) *Node {
	switch c.Boosting {
	case BoostingNone:
		return OnesLike(ensemble)
	case BoostingEta:
		return loss.weight(ensemble)
	case BoostingAdditive:
		g, dtype := ensemble.Graph(), ensemble.DType()
		factor := Where(same, ScalarOne(g, dtype), Scalar(g, dtype, c.NegativeFactor))
		return Mul(loss.weight(ensemble), factor)
	default:
		panic(fmt.Errorf("boosted loss: boosting: %q is not one of %q", c.Boosting, []string{BoostingNone, BoostingEta, BoostingAdditive}))
	}
}

// learnerEta is the step of learner m, from 1: 2/(m+1).
func learnerEta(m int) float64 { return 2 / float64(m+1) }

// ratio returns a/b for scalars, 0 where b is 0.
func ratio(a, b *Node) *Node {
	zero, one := ScalarZero(b.Graph(), b.DType()), ScalarOne(b.Graph(), b.DType())
	some := GreaterThan(b, zero)
	return Where(some, Div(a, Where(some, b, one)), zero)
}
