package losses

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// marginLoss is the margin loss with distance-weighted negatives. With
// D = sqrt(2 - 2s), y = 1 for a positive and -1 for a negative pair,
// l = max(0, alpha + y (D - beta)). The paper draws a negative for each
// positive pair from those of its anchor with D < nonzero_loss_cutoff, with
// probability q ~ 1/density(max(D, cutoff)), the density being that of
// distances on the unit sphere of the embedding's d dimensions:
// log q = (2-d) log D - (d-3)/2 log(1 - D^2/4) + constant. Here nothing is
// drawn: every negative counts by its q, which is the expectation of the draw.
// So with P_a positives of anchor a
//
//	L = ( sum_(a,p) l_ap + sum_a P_a sum_n q_an l_an ) / ( the same sums of [l > 0] ),
//
// as in the authors' code, which divides by the number of pairs with a loss;
// this is the quotient of both expectations. An anchor with no negative that
// near draws all its negatives alike; with nonzero_loss_cutoff = alpha + beta
// they have no loss. q and the divisor are constants for the gradient. beta is
// not learnt.
//
// d is the width of the learner that is trained; at the ensemble's similarities
// it is that of the learner which is trained next.
func marginLoss() Loss {
	var k struct{ alpha, beta, cutoff, nonzeroLossCutoff float64 }
	return Loss{
		Name:   "margin",
		Title:  "margin, distance-weighted",
		Source: "Wu et al. 2017, arXiv 1706.07567, sections 4.1 and 4.2; cutoffs of the authors' code",
		Reweighted: "each pair's similarity: 0 once the ensemble has it beyond its margin; negatives by how likely the " +
			"ensemble would draw them; both by 1/D, the derivative of the distance",
		Constants: []Constant{
			{Name: "alpha", value: &k.alpha, Default: 0.2, Min: 0, Max: 2, Does: "half the gap between distances of positives and negatives"},
			{Name: "beta", value: &k.beta, Default: 1.2, Min: 0, Max: 2, Does: "the distance that separates positives from negatives"},
			{Name: "cutoff", value: &k.cutoff, Default: 0.5, Min: 1e-2, Max: 2, Does: "nearer negatives are drawn as if they were that far"},
			{
				Name: "nonzero_loss_cutoff", value: &k.nonzeroLossCutoff, Default: 1.4, Min: 1e-2, Max: 2,
				Does: "negatives that far or further are not drawn",
			},
		},
		value: func(similarity *Node, p pairs) *Node {
			d := unitDistance(similarity)
			zeros := ZerosLike(d)
			dtype := d.DType()
			gap := MulScalar(AddScalar(d, -k.beta), -1)
			missing := AddScalar(Where(p.same, Neg(gap), gap), k.alpha)
			lossy := GreaterThan(missing, zeros)

			positive := ConvertDType(p.positive, dtype)
			counted := Add(positive, Mul(ReduceAndKeep(positive, ReduceSum, 1), drawProbabilities(similarity, p, k.cutoff, k.nonzeroLossCutoff)))
			counted = StopGradient(Where(lossy, counted, zeros))
			count := ReduceAllSum(counted)
			return Div(ReduceAllSum(Mul(counted, Where(lossy, missing, zeros))),
				Where(GreaterThan(count, ScalarZero(d.Graph(), dtype)), count, OnesLike(count)))
		},
		// The divisor depends on the batch's similarities, and the slope of a
		// distance has no bound where it nears 0.
	}
}

// distanceFloor is the shortest distance that has a gradient: in float32
// cosines cannot tell shorter ones from 0, where the slope is infinite.
const distanceFloor = 1e-3

// unitDistance is the Euclidean distance between unit vectors of that cosine,
// sqrt(2 - 2s), floored at distanceFloor.
func unitDistance(similarity *Node) *Node {
	square := MulScalar(OneMinus(similarity), 2)
	above := GreaterThan(square, Scalar(square.Graph(), square.DType(), distanceFloor*distanceFloor))
	floor := Scalar(square.Graph(), square.DType(), distanceFloor)
	return Where(above, Sqrt(Where(above, square, OnesLike(square))), floor)
}

// drawProbabilities is the probability that each anchor draws each image, [N, N]: 0 for images that
// are not negatives. Negatives nearer than cutoff are drawn as if they were that far; negatives at
// end or further are not drawn. A row sums to 1, or to 0 where it has no negatives.
func drawProbabilities(similarity *Node, p pairs, cutoff, end float64) *Node {
	if p.width < 1 {
		panic(fmt.Errorf("losses: margin: width %d of the embedding; want at least 1", p.width))
	}
	similarity = StopGradient(similarity)
	dtype, width := similarity.DType(), float64(p.width)
	d := MaxScalar(unitDistance(similarity), cutoff)
	negative := ConvertDType(p.negative, dtype)
	allowed := LogicalAnd(p.negative, LessThan(d, Scalar(d.Graph(), dtype, end)))

	d = Where(allowed, d, OnesLike(d))
	away := MaxScalar(OneMinus(MulScalar(Square(d), 0.25)), math.Pow(2, -20)) // float32 rounds it to 0 near opposite images
	logs := Sub(MulScalar(Log(d), 2-width), MulScalar(Log(away), (width-3)/2))
	largest := InsertAxes(MaskedReduceMax(logs, allowed, 1), 1)
	near := GreaterThan(ReduceAndKeep(ConvertDType(allowed, dtype), ReduceSum, 1), ScalarZero(d.Graph(), dtype))
	largest = Where(near, largest, ZerosLike(largest))
	// Weights are relative to the largest of their anchor, so that they do not all underflow.
	weights := Where(allowed, Exp(Where(allowed, Sub(logs, largest), ZerosLike(logs))), ZerosLike(logs))
	weights = Where(BroadcastToShape(near, weights.Shape()), weights, negative)
	return StopGradient(ratioOrZero(weights, BroadcastToShape(ReduceAndKeep(weights, ReduceSum, 1), weights.Shape())))
}
