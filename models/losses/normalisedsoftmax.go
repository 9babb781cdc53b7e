package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// normalisedSoftmax is the cross-entropy of an image's cosines s with one proxy
// a class, l = -log(exp(s_y/T) / sum_c exp(s_c/T)), mean over the batch.
// Its derivative by s_c is (p_c - [c = y]) / (N T), p the softmax: at most
// 1/(N T), which an image of a class of its own comes near where it is
// certain of a wrong one.
func normalisedSoftmax() Loss {
	var k struct{ temperature float64 }
	return Loss{
		Name:       "normalised_softmax",
		Title:      "normalised softmax",
		Source:     "Zhai and Wu 2019, arXiv 1811.12649",
		Reweighted: "each image's similarity with each proxy: with its own by 1 - p, with another by p, p the ensemble's softmax there",
		Constants: []Constant{
			{Name: "temperature", value: &k.temperature, Default: 0.05, Min: 1e-6, Max: math.Inf(1), Does: "the cosines are divided by it"},
		},
		proxies: func() int { return 1 },
		value: func(similarity *Node, p pairs) *Node {
			return crossEntropy(MulScalar(similarity, 1/k.temperature), p.same)
		},
		bound: func(p pairs) *Node {
			return constantBound(p, 1/k.temperature/float64(p.same.Shape().Dim(0)))
		},
	}
}

// crossEntropy is the mean over images of -log softmax(logits) at their class,
// a scalar. logits are [N, classes]; own is true once in each row.
func crossEntropy(logits, own *Node) *Node {
	logits.AssertDims(own.Shape().Dimensions...)
	logs := LogSoftmax(logits, 1)
	return Neg(DivScalar(ReduceAllSum(Where(own, logs, ZerosLike(logs))), logits.Shape().Dim(0)))
}

// constantBound is one bound for all entries.
func constantBound(p pairs, bound float64) *Node {
	return MulScalar(OnesLike(p.weights), bound)
}
