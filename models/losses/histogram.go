package losses

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// histogram is the probability that a negative pair is more similar than a positive one, from a
// histogram of each kind with R nodes t_1 = -1 .. t_R = 1, 2/(R-1) apart: a similarity is shared
// linearly between the two nodes about it, and L = sum_r h-_r sum_(q <= r) h+_q. Ordered pairs are
// counted, which gives the histograms of unordered ones. Without positives or without negatives the
// loss is 0.
//
// The derivative by a pair is the other kind's share at the node above (for a
// negative) or below it (for a positive), over the node distance and the number
// of pairs of its own kind.
func histogram() Loss {
	var k struct{ bins float64 }
	return Loss{
		Name:  "histogram",
		Title: "histogram",
		Source: "Ustinova and Lempitsky 2016, arXiv 1611.00822, section 3; 150 nodes of a published PyTorch version: " +
			"the paper finds their number of little effect",
		Reweighted: "each pair's similarity, by how many pairs of the other kind the ensemble puts beside it",
		Constants: []Constant{
			{Name: "bins", value: &k.bins, Default: 150, Min: 2, Max: 10000, Integer: true, Does: "nodes of the histograms"},
		},
		layers: func(int) int { return int(k.bins) },
		value: func(similarity *Node, p pairs) *Node {
			nodes := int(k.bins)
			spread := sharedNodes(similarity, nodes)
			positive, negative := meanOverPairs(spread, p.positive), meanOverPairs(spread, p.negative)
			g := similarity.Graph()
			below := ConvertDType(LowerTriangular(g, nodes), similarity.DType()) // [r, q], 1 where q <= r
			cumulative := ReduceSum(Mul(below, InsertAxes(positive, 0)), 1)
			return ReduceAllSum(Mul(negative, cumulative))
		},
		// One pair's derivative can reach 1/(node distance * pairs of its
		// kind), but only where all pairs of the other kind are beside one
		// node: that says nothing of batches that occur, so none is stated.
	}
}

// sharedNodes is how each similarity is shared between nodes, [N, N, nodes]: between the two about
// it, by closeness. Outside of [-1, 1], where rounding puts some similarities, the same lines go
// on, so that the shares always sum to 1.
func sharedNodes(similarity *Node, nodes int) *Node {
	g := similarity.Graph()
	place := MulScalar(AddScalar(similarity, 1), float64(nodes-1)/2) // from 0 at -1 to nodes-1 at 1
	lower := StopGradient(ClipScalar(Floor(place), 0, float64(nodes-2)))
	above := InsertAxes(Sub(place, lower), -1)
	index := ConvertDType(lower, dtypes.Int32)
	low := OneHot(index, nodes, place.DType())
	high := OneHot(Add(index, ScalarOne(g, dtypes.Int32)), nodes, place.DType())
	return Add(low, Mul(Sub(high, low), above))
}

// meanOverPairs is the mean of spread [N, N, nodes] over the pairs of a kind, [nodes]; 0 without
// such pairs.
func meanOverPairs(spread, kind *Node) *Node {
	mask := InsertAxes(ConvertDType(kind, spread.DType()), -1)
	return Mul(ReduceSum(Mul(spread, mask), 0, 1), reciprocalCount(ReduceAllSum(mask)))
}
