package losses

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// pairs is what the labels of a batch of N images say about the entries of a
// matrix of similarities: of all ordered pairs of images [N, N], or of images
// and proxies [N, classes*proxies].
type pairs struct {
	labels  *Node // int32 [N], the image's class, counted from 0 among the training classes
	classes int   // number of training classes; 0 where columns are images
	proxies int   // columns of each class, one class after the other; 0 where columns are images
	width   int   // of the learner's embedding from which the similarities are computed

	same     *Node // bool: image and column are of one class; true on the diagonal of images
	positive *Node // bool: same, but not an image with itself
	negative *Node // bool: of different classes
	weights  *Node // W_ij, 0 for an image with itself
}

// newPairs describes all ordered pairs of images. labels is int32 [N]. Positive and negative pairs
// are weighted so that each kind sums to 1: W_ij = [i != j] (y_ij/Npos + (1-y_ij)/Nneg). As in the
// authors' code the positive count may include the N self pairs, which no sum contains; positives
// then sum to (K-1)/K for K images of a class. A count of zero gives the weight 0.
func newPairs(c Config, labels *Node, dtype dtypes.DType) pairs {
	labels.AssertRank(1)
	g, n := labels.Graph(), labels.Shape().Dim(0)
	same := Equal(InsertAxes(labels, 1), InsertAxes(labels, 0))
	same.AssertDims(n, n)
	square := shapes.Make(dtypes.Int32, n, n)
	different := NotEqual(Iota(g, square, 0), Iota(g, square, 1))
	selves := 0
	if c.PosCount == WithDiagonal {
		selves = n
	}
	p := pairs{labels: labels, same: same, positive: LogicalAnd(same, different), negative: LogicalNot(same)}
	p.weigh(dtype, selves)
	return p
}

// newProxyPairs describes the pairs of images and proxies; proxies is how many proxies each of the
// classes has. Every image has positives, and the weights are those of newPairs.
func newProxyPairs(labels *Node, classes, proxies int, dtype dtypes.DType) pairs {
	labels.AssertRank(1)
	if classes < 2 || proxies < 1 {
		panic(fmt.Errorf("losses: proxies: %d classes of %d; want at least 2 of at least 1", classes, proxies))
	}
	g, n := labels.Graph(), labels.Shape().Dim(0)
	column := Iota(g, shapes.Make(dtypes.Int32, n, classes*proxies), 1)
	same := Equal(InsertAxes(labels, 1), DivScalar(column, proxies))
	same.AssertDims(n, classes*proxies)
	p := pairs{labels: labels, classes: classes, proxies: proxies, same: same, positive: same, negative: LogicalNot(same)}
	p.weigh(dtype, 0)
	return p
}

// weigh sets the weights; extra is added to the count of positives.
func (p *pairs) weigh(dtype dtypes.DType, extra int) {
	positive, negative := ConvertDType(p.positive, dtype), ConvertDType(p.negative, dtype)
	p.weights = Add(
		Mul(positive, reciprocalCount(AddScalar(ReduceAllSum(positive), extra))),
		Mul(negative, reciprocalCount(ReduceAllSum(negative))),
	)
}

// reciprocalCount returns 1/n for a scalar count n, and 0 for a count of 0.
func reciprocalCount(n *Node) *Node {
	one := ScalarOne(n.Graph(), n.DType())
	return Where(GreaterOrEqual(n, one), Div(one, Max(n, one)), ScalarZero(n.Graph(), n.DType()))
}
