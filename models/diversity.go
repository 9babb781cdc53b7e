package models

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// The values of DiversityConfig's options that name a choice.
const (
	DiversityNone        = "none"
	DiversityActivation  = "activation"  // BIER's: squared products of the learners' outputs, during training
	DiversityAdversarial = "adversarial" // A-BIER's regressors with gradient reversal, during training

	AxisIn  = "in"  // unit-norm terms: one norm per input unit, summed over outputs
	AxisOut = "out" // one norm per output unit, summed over inputs
)

// DiversityConfig says which loss keeps the learners apart during training.
type DiversityConfig struct {
	Diversity string  `json:"diversity"`  // none, activation or adversarial; during training
	LambdaDiv float64 `json:"lambda_div"` // weight of the whole diversity term
	LambdaW   float64 `json:"lambda_w"`   // weight of its unit-norm constraints
	Hidden    int     `json:"hidden"`     // hidden units of a regressor
	NormAxis  string  `json:"norm_axis"`  // in or out; empty is the loss's own
}

// defaultDiversity returns the settings without a diversity loss, with the weights of the authors'
// script for a configuration that chooses one.
func defaultDiversity() DiversityConfig {
	return DiversityConfig{Diversity: DiversityNone, LambdaDiv: 5e-5, LambdaW: 1e5, Hidden: 512}
}

// validate returns an error that names every setting that cannot be trained.
func (c DiversityConfig) validate() error {
	var v validation
	v.oneOf("diversity", c.Diversity, DiversityNone, DiversityActivation, DiversityAdversarial)
	v.check(c.LambdaDiv >= 0, "lambda_div: %g; want at least 0", c.LambdaDiv)
	v.check(c.LambdaW >= 0, "lambda_w: %g; want at least 0", c.LambdaW)
	v.within("hidden", c.Hidden, 1, MaxSize)
	v.oneOf("norm_axis", c.NormAxis, "", AxisIn, AxisOut)
	return v.err()
}

// normAxis returns asked or, if that is empty, the axis of the diversity loss in the authors' code.
func normAxis(asked, loss string) string {
	switch {
	case asked != "":
		return asked
	case loss == DiversityActivation:
		return AxisOut
	default:
		return AxisIn
	}
}

// A diversity is a loss that keeps learners apart.
type diversity struct {
	total *Node   // scalar, lambda_div (sum of terms + lambda_w sum of constraints)
	terms []*Node // scalars, one for each pair of learners

	outputs         []*Node // adversarial: g_ij(r_j) [N, d_i], as terms; activation: r_i [N, d_i]
	regressorNorms  []*Node // adversarial: scalars, as terms
	regressorBiases []*Node // adversarial: scalars, as terms
	embeddingNorms  []*Node // scalars, one for each learner
}

// weigh sets the total; constraints is the sum of all constraints.
func (d *diversity) weigh(c Config, constraints *Node) {
	d.total = MulScalar(Add(sumNodes(d.terms), MulScalar(constraints, c.LambdaW)), c.LambdaDiv)
}

// keepsApart reports whether a configuration has a diversity loss during
// training. One learner has nothing to be kept apart from.
func (c Config) keepsApart() bool { return c.Diversity != DiversityNone && len(c.Learners) > 1 }

// diversityLoss returns the loss that c.Diversity names. x is the pooled feature [N, width];
// matrices are M x [width, d_m]; the regressors are found below scope.
func diversityLoss(scope *model.Scope, c Config, x *Node, matrices []*Node) diversity {
	switch c.Diversity {
	case DiversityActivation:
		return activationLoss(c, x, matrices)
	case DiversityAdversarial:
		return adversarialLoss(c, x, matrices, regressorNodes(scope, c, x.Graph()))
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
