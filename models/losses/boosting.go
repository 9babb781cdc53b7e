package losses

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"bierbench/models/xla"
)

// Boosted is the loss of an ensemble of M learners on one batch of N images.
// What is boosted, and the shape of its weights, depends on the rule: the
// loss's terms for none, eta and additive, similarities [N, columns] for
// gradient and for a loss without terms.
type Boosted struct {
	Total      *Node   // scalar: the mean of learner
	Learner    []*Node // M scalars: with terms sum of W w^m l^m, else L(s^m), whose gradient is weighted
	weights    []*Node // M: w^m, constants for the gradient
	ensemble   []*Node // M: A_m or S_m, of the first m learners together
	MeanWeight []*Node // M scalars: sum of W w^m over sum of W
	Bins       *Node   // [M, 2, WeightBins]: how the weights are distributed, see weightShares
}

// Boost returns the loss that trains each learner on what the learners before it get wrong. It
// panics if a shape or a setting is wrong. embeddings are the learners' raw outputs, M x [N, d_m];
// proxies are the learners' proxies, M x [classes*proxies, d_m], nil for a loss without proxies;
// labels is int32 [N], counted from 0 if there are proxies. Rules eta (BIER's papers) and additive
// (the authors' released script) weight the terms of a loss by the slope of l at the ensemble's
// activation. Rule gradient does so for any loss: what flows back through a similarity is
// multiplied by the loss's derivative at the ensemble's similarity, as a share of the largest that
// it can be. With rule none every weight is 1.
func Boost(c Config, embeddings, proxies []*Node, labels *Node) Boosted {
	loss, err := For(c)
	if err != nil {
		panic(err)
	}
	if len(embeddings) == 0 || proxies != nil && len(proxies) != len(embeddings) {
		panic(fmt.Errorf("boosted loss: %d learners with %d tables of proxies", len(embeddings), len(proxies)))
	}
	n, dtype := labels.Shape().Dim(0), embeddings[0].DType()
	p := newPairs(c, labels, dtype)
	if loss.proxies != nil {
		if proxies == nil {
			panic(errors.New("boosted loss: the loss compares with proxies, and there are none"))
		}
		each := loss.proxies()
		p = newProxyPairs(labels, proxies[0].Shape().Dim(0)/each, each, dtype)
	}
	var b Boosted
	boosting := newRule(c, loss, p)
	for m, f := range embeddings {
		f.AssertDims(n, -1)
		boosting.pairs.width = f.Shape().Dim(1)
		var similarity, penalty *Node
		if loss.proxies == nil {
			similarity = cosineMatrix(f)
		} else {
			unit := Normalise(proxies[m])
			similarity = xla.Product(Normalise(f), Transpose(unit, 0, 1))
			if loss.penalty != nil {
				penalty = loss.penalty(unit)
			}
		}
		similarity.AssertDims(p.same.Shape().Dimensions...)
		learner := boosting.learner(similarity)
		if penalty != nil {
			learner = Add(learner, penalty)
		}
		b.Learner = append(b.Learner, learner)
		b.weights = append(b.weights, boosting.weights)
		b.MeanWeight = append(b.MeanWeight, ratioOrZero(ReduceAllSum(Mul(boosting.static, boosting.weights)), ReduceAllSum(boosting.static)))
		if m+1 < len(embeddings) { // the ensemble's similarities weight the learner that is trained next
			boosting.pairs.width = embeddings[m+1].Shape().Dim(1)
		}
		boosting.advance(m+1, similarity)
		b.ensemble = append(b.ensemble, boosting.ensemble)
	}
	b.Total = DivScalar(sumLearners(b.Learner), len(b.Learner))
	b.Bins = boosting.distribution(b.weights)
	return b
}

// A rule is a boosting rule and its state between two learners.
type rule struct {
	config   Config
	loss     Loss
	pairs    pairs
	onTerms  bool  // the loss's terms are boosted, else similarities
	static   *Node // W, of the shape of what is boosted
	weights  *Node // of the next learner
	ensemble *Node // of the learners so far
}

func newRule(c Config, loss Loss, p pairs) *rule {
	r := &rule{config: c, loss: loss, pairs: p, static: p.weights}
	switch c.Boosting {
	case BoostingNone, BoostingEta, BoostingAdditive:
		r.onTerms = loss.terms != nil
		if !r.onTerms && c.Boosting != BoostingNone {
			panic(fmt.Errorf("boosted loss: boosting: rule %s needs a loss that is a sum over pairs or triplets", c.Boosting))
		}
	case BoostingGradient:
	default:
		panic(fmt.Errorf("boosted loss: boosting: %q is not one of %q", c.Boosting,
			[]string{BoostingNone, BoostingEta, BoostingAdditive, BoostingGradient}))
	}
	if r.onTerms {
		r.static = loss.terms.weights(p)
	}
	r.weights, r.ensemble = OnesLike(r.static), ZerosLike(r.static)
	if c.Boosting == BoostingAdditive {
		r.ensemble = AddScalar(r.ensemble, c.BoostingStart)
	}
	return r
}

// learner returns the loss, a scalar, of the next learner's similarities under its weights.
func (r *rule) learner(similarity *Node) *Node {
	if r.onTerms {
		term := r.loss.terms.term(r.loss.terms.activation(similarity, r.pairs))
		return ReduceAllSum(Mul(Mul(r.static, r.weights), term))
	}
	if r.config.Boosting == BoostingGradient {
		weights := r.weights
		similarity = IdentityWithCustomGradient(similarity, func(_, v *Node) *Node { return Mul(v, weights) })
	}
	return r.loss.evaluate(similarity, r.pairs)
}

// advance adds learner m, counted from 1, to the ensemble and sets the weights of the next learner.
// They are not renormalised. Without boosting there is no ensemble in training: it stays at 0.
func (r *rule) advance(m int, similarity *Node) {
	c, before := r.config, r.ensemble
	joined := similarity
	if r.onTerms {
		joined = r.loss.terms.activation(similarity, r.pairs)
	}
	switch c.Boosting {
	case BoostingNone:
		return
	case BoostingAdditive:
		r.ensemble = StopGradient(Add(before, MulScalar(joined, c.Shrinkage)))
		factor := Where(r.negatives(), Scalar(before.Graph(), before.DType(), c.NegativeFactor), OnesLike(before))
		r.weights = StopGradient(Mul(r.slope(), factor))
	default:
		eta := learnerEta(m)
		r.ensemble = StopGradient(Add(MulScalar(before, 1-eta), MulScalar(joined, eta)))
		if r.onTerms {
			r.weights = StopGradient(r.slope())
		} else {
			r.weights = StopGradient(r.derivative())
		}
	}
}

// negatives is true for the negative pairs if pairs are boosted; no triplet is negative.
func (r *rule) negatives() *Node {
	if r.static.Shape().EqualDimensions(r.pairs.negative.Shape()) {
		return r.pairs.negative
	}
	return LessThan(r.static, ZerosLike(r.static))
}

// slope is -l'(A) at the ensemble's activations.
func (r *rule) slope() *Node {
	at := Identity(r.ensemble) // a gradient does not reach a node behind StopGradient itself
	return Neg(Gradient(ReduceAllSum(r.loss.terms.term(at)), at)[0])
}

// derivative is |dL/dS| at the ensemble's similarities, divided by the largest value that it can
// have for that entry or, if the loss states no bound, by the largest among the batch's entries of
// its kind, positive or negative.
func (r *rule) derivative() *Node {
	at := Identity(r.ensemble)
	size := Abs(Gradient(r.loss.evaluate(at, r.pairs), at)[0])
	if r.loss.bound != nil {
		return ratioOrZero(size, r.loss.bound(r.pairs))
	}
	share := func(kind *Node) *Node {
		sizes := Where(kind, size, ZerosLike(size))
		return ratioOrZero(sizes, BroadcastToShape(ReduceAllMax(sizes), sizes.Shape()))
	}
	return Add(share(r.pairs.positive), share(r.pairs.negative))
}

// learnerEta is the step of learner m, counted from 1: 2/(m+1).
func learnerEta(m int) float64 { return 2 / float64(m+1) }

// ratioOrZero returns a/b, entry by entry, 0 where b is 0. b is not negative.
func ratioOrZero(a, b *Node) *Node {
	some := GreaterThan(b, ZerosLike(b))
	return Where(some, Div(a, Where(some, b, OnesLike(b))), ZerosLike(b))
}

// sumLearners adds scalars.
func sumLearners(losses []*Node) *Node {
	sum := losses[0]
	for _, l := range losses[1:] {
		sum = Add(sum, l)
	}
	return sum
}
