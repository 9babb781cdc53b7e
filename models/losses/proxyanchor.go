package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// proxyAnchor takes every proxy as an anchor among the images of a batch:
//
//	1/|P+| sum_(p in P+) log(1 + sum_(x of p's class) exp(-alpha (s - delta))) +
//	1/|P|  sum_(p in P)  log(1 + sum_(x of another)   exp(+alpha (s + delta)))
//
// P are all proxies, one a class, and P+ those whose class is in the batch.
// The derivative by s is a softmax over the anchor's images times alpha over
// |P+| or |P|, which bounds it.
func proxyAnchor() Loss {
	var k struct{ alpha, delta float64 }
	return Loss{
		Name:   "proxy_anchor",
		Title:  "Proxy-Anchor",
		Source: "Kim et al. 2020, arXiv 2003.13911, eq. 4",
		Reweighted: "each proxy's similarity with each image, by the image's share of the ensemble's sum for the proxy: a " +
			"proxy's hardest positives and negatives",
		Constants: []Constant{
			{Name: "alpha", value: &k.alpha, Default: 32, Min: 1e-6, Max: math.Inf(1), Does: "steepness"},
			{
				Name: "delta", value: &k.delta, Default: 0.1, Min: 0, Max: 2,
				Does: "margin: positives want a cosine above it, negatives one below its negative",
			},
		},
		proxies: func() int { return 1 },
		value: func(similarity *Node, p pairs) *Node {
			alpha, delta := k.alpha, k.delta
			pull := logSum(MulScalar(AddScalar(similarity, -delta), -alpha), p.positive, 0, true)
			push := logSum(MulScalar(AddScalar(similarity, delta), alpha), p.negative, 0, true)
			// An anchor without positives has a sum of 0.
			return Add(Mul(ReduceAllSum(pull), reciprocalCount(presentClasses(p))), ReduceAllMean(push))
		},
		bound: func(p pairs) *Node {
			alpha := OnesLike(p.weights)
			alpha = MulScalar(alpha, k.alpha)
			return Where(p.positive, Mul(alpha, reciprocalCount(presentClasses(p))), DivScalar(alpha, p.classes))
		},
	}
}

// presentClasses counts the classes that have an image in the batch, a scalar.
func presentClasses(p pairs) *Node {
	return ReduceAllSum(ReduceMax(ConvertDType(p.positive, p.weights.DType()), 0))
}
