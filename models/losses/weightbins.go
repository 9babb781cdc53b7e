package losses

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// WeightBins is the number of equal parts of [0, 1] in which boosting weights are counted.
const WeightBins = 10

// distribution returns, for every learner, the shares of the positive and of the negative pairs
// whose weight lies in each tenth of its range, [M, 2, WeightBins]. The range is from 0 to 1, for
// negatives under rule additive from 0 to the factor of negatives. Each row sums to 1, or to 0 if
// the batch has no pair of its kind. Triplets count as positives. The last bin also takes weights
// above the range, which a hinge's slope may reach.
func (r *rule) distribution(weights []*Node) *Node {
	negative := r.negatives()
	positive := LogicalAnd(GreaterThan(r.static, ZerosLike(r.static)), LogicalNot(negative))
	top := 1.0
	if r.config.Boosting == BoostingAdditive {
		top = r.config.NegativeFactor
	}
	rows := make([]*Node, len(weights))
	for m, w := range weights {
		shares := weightShares(w, positive)
		others := ZerosLike(shares)
		if r.static.Rank() == 2 { // triplets are none, and counting all N^3 takes several times as long as their loss
			others = weightShares(DivScalar(w, top), negative)
		}
		rows[m] = InsertAxes(Concatenate([]*Node{InsertAxes(shares, 0), InsertAxes(others, 0)}, 0), 0)
	}
	return Concatenate(rows, 0)
}

// weightShares returns [WeightBins]: the share of the weights of a kind in
// each bin.
func weightShares(w, kind *Node) *Node {
	w, kind = Reshape(w, -1), Reshape(kind, -1)
	g, dtype := w.Graph(), w.DType()
	bin := ConvertDType(MinScalar(MulScalar(w, WeightBins), WeightBins-1), dtypes.Int32)
	hot := Mul(OneHot(bin, WeightBins, dtype), InsertAxes(ConvertDType(kind, dtype), 1))
	counts := ReduceSum(hot, 0)
	counts.AssertDims(WeightBins)
	total := ReduceAllSum(counts)
	return Where(GreaterThan(total, ScalarZero(g, dtype)), Div(counts, Max(total, ScalarOne(g, dtype))), ZerosLike(counts))
}
