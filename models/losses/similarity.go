package losses

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// NormFloor is the shortest vector that is normalised by its own length
// (the authors' code); shorter ones are divided by the floor.
const NormFloor = 1e-5

// Normalise divides every row of f [N, d] by its length, floored at
// NormFloor. At or below the floor the length is a constant for the gradient,
// also at zero, so no row gives a NaN.
func Normalise(f *Node) *Node {
	f.AssertRank(2)
	g, dtype := f.Graph(), f.DType()
	square := ReduceAndKeep(Square(f), ReduceSum, 1)
	above := GreaterThan(square, Scalar(g, dtype, NormFloor*NormFloor))
	// The root is taken of 1 where its gradient, infinite at 0, is not wanted.
	length := Where(above, Sqrt(Where(above, square, ScalarOne(g, dtype))), Scalar(g, dtype, NormFloor))
	return Div(f, length)
}

// cosineMatrix returns the cosines [N, N] between the rows of f [N, d].
func cosineMatrix(f *Node) *Node {
	unit := Normalise(f)
	return DotGeneral(unit, []int{1}, nil, unit, []int{1}, nil)
}
