package models

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Adam's constants (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980,
// algorithm 1). The library's optimizer has one rate for all variables and
// decays biases too; here every part has a rate of its own.
const (
	adamBeta1   = 0.9
	adamBeta2   = 0.999
	adamEpsilon = 1e-8
)

// The scopes of the two moments; under each, a parameter keeps its own scope.
const (
	firstMoment  = "/adam/first"
	secondMoment = "/adam/second"
)

// addMoments creates the moments of every trainable variable under scope, as
// zeros, and returns the trainable variables in their fixed order.
func addMoments(store *model.Store) []*model.Variable {
	var trainable []*model.Variable
	for v := range store.IterVariables() {
		if v.Trainable {
			trainable = append(trainable, v)
		}
	}
	for _, v := range trainable {
		for _, moment := range []string{firstMoment, secondMoment} {
			zeros := tensors.FromShape(v.Shape())
			store.VariableWithValue(moment+v.Path(), zeros).SetTrainable(false)
		}
	}
	return trainable
}

// momentCorrections returns the factors that make the moments unbiased after step updates:
// 1/(1-beta1^step) and 1/(1-beta2^step).
func momentCorrections(step int) (first, second float32) {
	return float32(1 / (1 - math.Pow(adamBeta1, float64(step)))), float32(1 / (1 - math.Pow(adamBeta2, float64(step))))
}

// adam updates v and its moments in the graph. gradient has v's shape; rate and
// the two corrections are float32 scalars.
func adam(store *model.Store, v *model.Variable, gradient, rate, first, second *Node) {
	g := gradient.Graph()
	if !gradient.Shape().Equal(shapes.Make(v.DType(), v.Shape().Dimensions...)) {
		panic("models: adam: gradient of " + v.Path() + " has shape " + gradient.Shape().String() + ", want " + v.Shape().String())
	}
	m := store.GetVariable(firstMoment + v.Path())
	s := store.GetVariable(secondMoment + v.Path())
	mean := Add(MulScalar(m.NodeValue(g), adamBeta1), MulScalar(gradient, 1-adamBeta1))
	square := Add(MulScalar(s.NodeValue(g), adamBeta2), MulScalar(Square(gradient), 1-adamBeta2))
	m.SetNodeValue(mean)
	s.SetNodeValue(square)
	step := Div(Mul(mean, first), AddScalar(Sqrt(Mul(square, second)), adamEpsilon))
	v.SetNodeValue(Sub(v.NodeValue(g), Mul(step, rate)))
}
