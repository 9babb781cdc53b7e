package models

import (
	"fmt"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// diversity is a loss that keeps learners apart.
type diversity struct {
	total *Node   // scalar, lambda_div (sum of terms + lambda_w sum of constraints)
	terms []*Node // scalars, one for each pair of learners

	outputs         []*Node // adversarial: g_ij(r_j) [N, d_i], as terms; activation: r_i [N, d_i]
	regressorNorms  []*Node // adversarial: scalars, as terms
	regressorBiases []*Node // adversarial: scalars, as terms
	embeddingNorms  []*Node // scalars, one for each learner
}

// weigh fills the total; constraints is the sum of all of them.
func (d *diversity) weigh(c Config, constraints *Node) {
	d.total = MulScalar(Add(sumNodes(d.terms), MulScalar(constraints, c.LambdaW)), c.LambdaDiv)
}

// keepsApart reports whether a configuration has a diversity loss during
// training. One learner has nothing to be kept apart from.
func (c Config) keepsApart() bool { return c.Diversity != DiversityNone && len(c.Learners) > 1 }

// diversityLoss is the loss that c.Diversity names. x is the pooled feature
// [N, width]; matrices are M x [width, d_m]; the regressors are found below ctx.
func diversityLoss(ctx *context.Context, c Config, x *Node, matrices []*Node) diversity {
	switch c.Diversity {
	case DiversityActivation:
		return activationLoss(c, x, matrices)
	case DiversityAdversarial:
		return adversarialLoss(c, x, matrices, regressors(ctx, c, x.Graph()))
	}
	panic(fmt.Errorf("diversity: %q has no loss", c.Diversity))
}

// unitNorm is the mean over the kept axis of (sum of w^2 - 1)^2 for a matrix
// w [in, out]. AxisIn keeps the input units, as the authors' code does for the
// adversarial loss; AxisOut the output units, as it does for the activation
// loss.
func unitNorm(w *Node, axis string) *Node {
	w.AssertRank(2)
	summed := 1
	if axis == AxisOut {
		summed = 0
	}
	return ReduceAllMean(Square(AddScalar(ReduceSum(Square(w), summed), -1)))
}

// sumNodes adds nodes of one shape.
func sumNodes(nodes []*Node) *Node {
	sum := nodes[0]
	for _, n := range nodes[1:] {
		sum = Add(sum, n)
	}
	return sum
}
