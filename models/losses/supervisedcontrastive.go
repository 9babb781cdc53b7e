package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// supervisedContrastive is the softmax of an anchor's similarities with all
// other images, in which each of its positives should win: with temperature T
// and P_i positives of image i,
//
//	l_i = -1/P_i sum_p log( exp(s_ip/T) / sum_(a != i) exp(s_ia/T) ),
//
// L_out of the paper, mean over the images that have a positive, as in the
// authors' code. With two images of each class there is one positive, and l_i
// is NT-Xent, the InfoNCE of the batch: log(1 + sum_n exp((s_in - s_ip)/T)).
// The N-pair loss (Sohn 2016, eq. 3) has that form too; it takes T = 1,
// embeddings that are not normalised and one image of every other class.
//
// The derivative by s_ij is (q_ij - [positive]/P_i) / (T A) with q_ij the
// softmax and A the number of such images. Cosines lie in [-1, 1], so q lies
// between 1/(1 + (N-2) exp(2/T)) and 1/(1 + (N-2) exp(-2/T)).
func supervisedContrastive() Loss {
	var k struct{ temperature float64 }
	return Loss{
		Name:       "supervised_contrastive",
		Title:      "supervised contrastive",
		Source:     "Khosla et al. 2020, arXiv 2004.11362, eq. 2, L_out",
		Reweighted: "each pair's similarity: a positive by how far the ensemble's softmax is from 1/P, a negative by its softmax",
		Constants: []Constant{
			{Name: "temperature", value: &k.temperature, Default: 0.1, Min: 1e-6, Max: math.Inf(1), Does: "the cosines are divided by it"},
		},
		value: func(similarity *Node, p pairs) *Node {
			s := DivScalar(similarity, k.temperature)
			others := LogicalOr(p.positive, p.negative)
			shares, anchors := positiveShares(p)
			// sum_i [P_i > 0] (log sum exp - mean of positives)
			total := Sub(ReduceAllSum(Mul(logSum(s, others, 1, false), ReduceSum(shares, 1))), ReduceAllSum(Mul(s, shares)))
			return Mul(total, reciprocalCount(anchors))
		},
		bound: func(p pairs) *Node {
			t, others := k.temperature, float64(p.same.Shape().Dim(0)-2)
			least, most := 1/(1+others*math.Exp(2/t)), 1/(1+others*math.Exp(-2/t))
			shares, anchors := positiveShares(p)
			positive := Max(AddScalar(shares, -least), AddScalar(Neg(shares), most))
			// Only anchors with a positive are in the loss.
			negative := MulScalar(Mul(ConvertDType(p.negative, shares.DType()), ReduceAndKeep(shares, ReduceSum, 1)), most)
			bound := Where(p.positive, positive, negative)
			return DivScalar(Mul(bound, reciprocalCount(anchors)), t)
		},
	}
}

// positiveShares returns 1/P_i for the positive pairs of image i, else 0, [N, N], and the number of
// images that have positives, a scalar.
func positiveShares(p pairs) (shares, anchors *Node) {
	positive := ConvertDType(p.positive, p.weights.DType())
	shares = ratioOrZero(positive, BroadcastToShape(ReduceAndKeep(positive, ReduceSum, 1), positive.Shape()))
	return shares, ReduceAllSum(ReduceMax(positive, 1))
}
