package losses

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// triplet is the triplet loss on cosines: over all T ordered triplets of an
// anchor a, another image p of its class and an image n of another class,
// a mean of l = max(0, -A)^power, A = s_ap - s_an - margin. Its terms are
// shaped [N, N, N], in the order a, p, n, and have W = 1/T.
func triplet() Loss {
	var k struct{ margin, power float64 }
	return Loss{
		Name:   "triplet",
		Title:  "triplet",
		Source: "Schroff et al. 2015, arXiv 1503.03832, section 3.1, on cosines with all triplets and the margin of BIER, arXiv 1801.04815",
		Reweighted: "each triplet's term: with power 1 a triplet is on while the ensemble violates its margin and off " +
			"after; rule gradient weights a pair by the share of its triplets that are on",
		Constants: []Constant{
			{Name: "margin", value: &k.margin, Default: 0.01, Min: 0, Max: 2, Does: "by how much a positive's cosine must exceed a negative's"},
			hingePower(&k.power),
		},
		layers: func(n int) int { return n },
		terms: &terms{
			activation: func(similarity *Node, p pairs) *Node {
				return AddScalar(tripletGain(similarity), -k.margin)
			},
			weights: func(p pairs) *Node {
				valid := ConvertDType(validTriplets(p), p.weights.DType())
				return Mul(valid, reciprocalCount(ReduceAllSum(valid)))
			},
			term:  func(activation *Node) *Node { return hingeTerm(activation, k.power) },
			hinge: true,
		},
		// The pair (a, p) is in as many triplets as a has negatives, (a, n) in
		// as many as a has positives. Cosines lie in [-1, 1], so that each
		// misses its margin by at most margin + 2.
		bound: func(p pairs) *Node {
			dtype := p.weights.DType()
			positive, negative := ConvertDType(p.positive, dtype), ConvertDType(p.negative, dtype)
			positives, negatives := ReduceAndKeep(positive, ReduceSum, 1), ReduceAndKeep(negative, ReduceSum, 1)
			in := Add(Mul(positive, negatives), Mul(negative, positives))
			each := reciprocalCount(ReduceAllSum(Mul(positives, negatives)))
			return Mul(MulScalar(in, hingeSlope(k.margin+2, k.power)), each)
		},
	}
}

// tripletSemihard is the triplet loss of semi-hard negatives: those that are
// less similar to the anchor than the positive is, by less than the margin. It
// is the mean over all such triplets of the batch; a positive pair without such
// a negative, because all are further away or closer than the positive, adds
// nothing, and a batch without one has the loss 0. (FaceNet takes one such
// negative in a large batch; TensorFlow's version the closest negative that is
// further away than the positive, or the furthest where there is none.) Which
// triplets are semi-hard is a constant for the gradient.
func tripletSemihard() Loss {
	var k struct{ margin float64 }
	return Loss{
		Name:       "triplet_semihard",
		Title:      "triplet, semi-hard",
		Source:     "Schroff et al. 2015, arXiv 1503.03832, section 3.2, on cosines; their 0.2 is between squared distances, which are 2 - 2s",
		Reweighted: "each pair's similarity, by the number of triplets that are semi-hard to the ensemble and contain it",
		Constants: []Constant{
			{Name: "margin", value: &k.margin, Default: 0.2, Min: 1e-6, Max: 2, Does: "by how much a positive's cosine must exceed a negative's"},
		},
		layers: func(n int) int { return n },
		value: func(similarity *Node, p pairs) *Node {
			gain := tripletGain(similarity)
			g, dtype := gain.Graph(), gain.DType()
			margin := Scalar(g, dtype, k.margin)
			semihard := LogicalAnd(validTriplets(p), LogicalAnd(GreaterThan(gain, ScalarZero(g, dtype)), LessThan(gain, margin)))
			count := ReduceAllSum(ConvertDType(semihard, dtype))
			return Mul(ReduceAllSum(Where(semihard, Sub(margin, gain), ZerosLike(gain))), StopGradient(reciprocalCount(count)))
		},
		// The number of semi-hard triplets is the batch's own, so no bound is
		// known before the similarities are.
	}
}

// validTriplets is true for (a, p, n) where p is another image of a's class
// and n is of another class, [N, N, N].
func validTriplets(p pairs) *Node {
	n := p.same.Shape().Dim(0)
	cube := func(mask *Node, axis int) *Node { return BroadcastToDims(InsertAxes(mask, axis), n, n, n) }
	return LogicalAnd(cube(p.positive, 2), cube(p.negative, 1))
}

// tripletGain is s_ap - s_an, [N, N, N] in the order a, p, n.
func tripletGain(similarity *Node) *Node {
	return Sub(InsertAxes(similarity, 2), InsertAxes(similarity, 1))
}
