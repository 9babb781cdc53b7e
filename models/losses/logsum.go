package losses

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// logSum is log(sum of exp(x)) over an axis, which it drops; if one is set, log(1 + sum of exp(x)).
// Only the entries of x where mask, of its shape, is true are summed; without any the result is 0.
// Terms are taken relative to the largest, so that none overflows, and the entries left out give no
// NaN to a gradient.
func logSum(x, mask *Node, axis int, one bool) *Node {
	none := ZerosLike(x)
	some := GreaterThan(ReduceAndKeep(ConvertDType(mask, x.DType()), ReduceSum, axis), ScalarZero(x.Graph(), x.DType()))
	fixed := StopGradient(x) // the largest cancels out
	largest := InsertAxes(MaskedReduceMax(fixed, mask, axis), axis)
	largest = Where(some, largest, ZerosLike(largest))
	if one {
		largest = Max(largest, ZerosLike(largest))
	}
	term := Exp(Where(mask, Sub(x, largest), none))
	sum := ReduceAndKeep(Where(mask, term, none), ReduceSum, axis)
	if one {
		sum = Add(sum, Exp(Neg(largest)))
	}
	sum = Where(some, sum, OnesLike(sum))
	return Squeeze(Add(Log(sum), largest), axis)
}
