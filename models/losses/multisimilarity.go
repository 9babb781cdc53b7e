package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// multiSimilarity is the multi-similarity loss. An anchor keeps the negatives
// with s > min(positives) - epsilon and the positives with
// s < max(negatives) + epsilon, and of those it has
//
//	log(1 + sum_p exp(-alpha (s - lambda)))/alpha + log(1 + sum_n exp(beta (s - lambda)))/beta,
//
// mean over all N images. An anchor that lacks positives or negatives has none.
// Which pairs are kept is a constant for the gradient.
//
// The derivative by a pair is its share of 1 + the sum, over N: largest where
// it is the only one kept and lies at the wrong end of [-1, 1].
func multiSimilarity() Loss {
	var k struct{ alpha, beta, lambda, epsilon float64 }
	return Loss{
		Name:  "multi_similarity",
		Title: "multi-similarity",
		Source: "Wang et al. 2019, arXiv 1904.06627, eqs. 11, 12, 15; alpha, beta and epsilon of the paper, lambda of " +
			"the authors' code (the paper has 1; the code's beta is 40)",
		Reweighted: "each pair's similarity, by its share in its anchor's sum over pairs of its kind: 0 for what the " +
			"ensemble's similarities do not keep",
		Constants: []Constant{
			{Name: "alpha", value: &k.alpha, Default: 2, Min: 1e-6, Max: math.Inf(1), Does: "steepness for positives"},
			{Name: "beta", value: &k.beta, Default: 50, Min: 1e-6, Max: math.Inf(1), Does: "steepness for negatives"},
			{Name: "lambda", value: &k.lambda, Default: 0.5, Min: -1, Max: 1, Does: "the cosine from which a pair counts on its own"},
			{Name: "epsilon", value: &k.epsilon, Default: 0.1, Min: 0, Max: 2, Does: "how far from violating the order a pair may be and is kept"},
		},
		value: func(similarity *Node, p pairs) *Node {
			positive, negative := minedPairs(similarity, p, k.epsilon)
			alpha, beta := k.alpha, k.beta
			beyond := AddScalar(similarity, -k.lambda)
			each := Add(
				DivScalar(logSum(MulScalar(beyond, -alpha), positive, 1, true), alpha),
				DivScalar(logSum(MulScalar(beyond, beta), negative, 1, true), beta),
			)
			return DivScalar(ReduceAllSum(each), each.Shape().Dim(0))
		},
		bound: func(p pairs) *Node {
			lambda, n := k.lambda, float64(p.same.Shape().Dim(0))
			largest := func(exponent float64) *Node {
				return Scalar(p.weights.Graph(), p.weights.DType(), 1/(1+math.Exp(-exponent))/n)
			}
			bound := Where(p.same, largest(k.alpha*(1+lambda)), largest(k.beta*(1-lambda)))
			return Where(LogicalOr(p.positive, p.negative), bound, ZerosLike(bound))
		},
	}
}

// minedPairs returns which pairs an anchor keeps, bool [N, N]: those that are out of order with
// another of its pairs, or would be by less than epsilon.
func minedPairs(similarity *Node, p pairs, epsilon float64) (positive, negative *Node) {
	s := StopGradient(similarity)
	dtype := s.DType()
	// Without a positive or a negative there is an infinity, which keeps none.
	furthest := Neg(InsertAxes(MaskedReduceMax(Neg(s), p.positive, 1), 1))
	nearest := InsertAxes(MaskedReduceMax(s, p.negative, 1), 1)
	both := LogicalAnd(
		GreaterThan(ReduceAndKeep(ConvertDType(p.positive, dtype), ReduceSum, 1), ScalarZero(s.Graph(), dtype)),
		GreaterThan(ReduceAndKeep(ConvertDType(p.negative, dtype), ReduceSum, 1), ScalarZero(s.Graph(), dtype)),
	)
	positive = LogicalAnd(LogicalAnd(p.positive, both), LessThan(AddScalar(s, -epsilon), nearest))
	negative = LogicalAnd(LogicalAnd(p.negative, both), GreaterThan(AddScalar(s, epsilon), furthest))
	return positive, negative
}
