package losses

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// centreFloor is added below the root of a squared distance between centres,
// whose slope is infinite at 0 (the authors' code).
const centreFloor = 1e-5

// softTriple is a softmax over classes of several centres each. An image's
// similarity with class c is S_c = sum_k q_k s_ck, q the softmax of s_ck/gamma
// over the class's centres; its loss is
//
//	-log(exp(lambda (S_y - delta)) / (exp(lambda (S_y - delta)) + sum_(c != y) exp(lambda S_c))),
//
// mean over the batch. Centres of a class are drawn together, so that those
// not needed become one: tau times their mean distance, in the authors' code
// sum_(j < k) sqrt(2 - 2 w_j w_k) / (classes K (K-1)).
func softTriple() Loss {
	var k struct{ centres, gamma, lambda, delta, tau float64 }
	centres := func() int { return int(k.centres) }
	return Loss{
		Name:   "soft_triple",
		Title:  "SoftTriple",
		Source: "Qian et al. 2019, arXiv 1909.05235; scale and floor of the penalty as in the authors' code",
		Reweighted: "each image's similarity with each centre: with its own class by 1 - p, with another by p, p the " +
			"ensemble's softmax over classes there, times the centre's share q of its class",
		Constants: []Constant{
			{Name: "centres", value: &k.centres, Default: 10, Min: 1, Max: 100, Does: "proxies of a class", Integer: true},
			{Name: "gamma", value: &k.gamma, Default: 0.1, Min: 1e-6, Max: math.Inf(1), Does: "temperature of the softmax over a class's centres"},
			{
				Name: "lambda", value: &k.lambda, Default: 20, Min: 1e-6, Max: math.Inf(1),
				Does: "steepness: 1/temperature of the softmax over classes",
			},
			{Name: "delta", value: &k.delta, Default: 0.01, Min: 0, Max: 2, Does: "margin of an image's own class"},
			{Name: "tau", value: &k.tau, Default: 0.2, Min: 0, Max: math.Inf(1), Does: "weight of the distances between a class's centres"},
		},
		proxies: centres,
		value: func(similarity *Node, p pairs) *Node {
			n, gamma := p.same.Shape().Dim(0), k.gamma
			single := Reshape(similarity, n, p.classes, p.proxies)
			share := Softmax(MulScalar(single, 1/gamma), 2)
			relaxed := ReduceSum(Mul(share, single), 2)
			own := Squeeze(Slice(Reshape(p.same, n, p.classes, p.proxies), AxisRange(), AxisRange(), AxisElem(0)), 2)
			margin := Where(own, Scalar(relaxed.Graph(), relaxed.DType(), k.delta), ZerosLike(relaxed))
			return crossEntropy(MulScalar(Sub(relaxed, margin), k.lambda), own)
		},
		bound: func(p pairs) *Node {
			return constantBound(p, k.lambda*centreSlope(p.proxies)/float64(p.same.Shape().Dim(0)))
		},
		penalty: func(proxies *Node) *Node { return centrePenalty(k.tau, centres(), proxies) },
	}
}

// centrePenalty is the penalty for k unit centres of each class,
// [classes*k, d_m], a scalar.
func centrePenalty(tau float64, k int, proxies *Node) *Node {
	g, dtype := proxies.Graph(), proxies.DType()
	if k < 2 || tau == 0 {
		return ScalarZero(g, dtype)
	}
	classes := proxies.Shape().Dim(0) / k
	grouped := Reshape(proxies, classes, k, -1)
	similarity := DotGeneral(grouped, []int{2}, []int{0}, grouped, []int{2}, []int{0})
	similarity.AssertDims(classes, k, k)
	// Rounding may take a cosine above 1.
	distances := Sqrt(MaxScalar(AddScalar(MulScalar(similarity, -2), 2+centreFloor), centreFloor))
	cube := shapes.Make(dtypes.Int32, classes, k, k)
	once := LessThan(Iota(g, cube, 1), Iota(g, cube, 2))
	return MulScalar(ReduceAllSum(Where(once, distances, ZerosLike(distances))), tau/float64(classes*k*(k-1)))
}

// centreSlope is the largest derivative of a class's similarity by that of one
// of its k centres. At the share q it is q (1 + ln q + H), H the entropy of all
// shares, which is the largest where the others' are equal:
// q (1 + (1-q) ln((k-1) q/(1-q))). In absolute value no derivative below 0 is
// larger.
func centreSlope(k int) float64 {
	if k < 2 {
		return 1
	}
	slope := func(q float64) float64 { return q * (1 + (1-q)*math.Log(float64(k-1)*q/(1-q))) }
	// It rises up to one maximum between 1/2 and 1: thirds close in on it.
	lo, hi := 0.5, 1.0
	for range 100 {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if slope(a) < slope(b) {
			lo = a
		} else {
			hi = b
		}
	}
	return slope((lo + hi) / 2)
}
