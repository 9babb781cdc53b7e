package models

import (
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
)

// pairs is what the labels of a batch of N images say about all its ordered
// pairs.
type pairs struct {
	same    *Node // bool [N, N]: both images are of one class; true on the diagonal
	weights *Node // [N, N] W_ij, 0 on the diagonal
}

// newPairs weights positive and negative pairs so that each kind sums to 1:
// W_ij = [i != j] (y_ij/Npos + (1-y_ij)/Nneg). As in the authors' code the
// positive count may include the N self pairs, which no sum contains;
// positives then sum to (K-1)/K for K images of a class. A count of zero gives
// the weight 0. labels is an integer vector [N].
func newPairs(c Config, labels *Node, dtype dtypes.DType) pairs {
	labels.AssertRank(1)
	g, n := labels.Graph(), labels.Shape().Dim(0)
	same := Equal(InsertAxes(labels, 1), InsertAxes(labels, 0))
	same.AssertDims(n, n)
	square := shapes.Make(dtypes.Int32, n, n)
	different := NotEqual(Iota(g, square, 0), Iota(g, square, 1))

	positive := ConvertDType(LogicalAnd(same, different), dtype)
	negative := ConvertDType(LogicalNot(same), dtype)
	positives := ReduceAllSum(positive)
	if c.PosCount == WithDiagonal {
		positives = AddScalar(positives, n)
	}
	weights := Add(
		Mul(positive, reciprocalCount(positives)),
		Mul(negative, reciprocalCount(ReduceAllSum(negative))),
	)
	return pairs{same: same, weights: weights}
}

// reciprocalCount returns 1/n for a scalar count, 0 for none.
func reciprocalCount(n *Node) *Node {
	one := ScalarOne(n.Graph(), n.DType())
	return Where(GreaterOrEqual(n, one), Div(one, Max(n, one)), ScalarZero(n.Graph(), n.DType()))
}
