package losses

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// By math.Log and math.Exp, relative to the largest term where a plain sum
// overflows; masked entries are there to overflow if they are touched.
func TestLogSum(t *testing.T) {
	const huge = 1e300
	for name, test := range map[string]struct {
		x    []float64
		mask []bool
		one  bool
		want float64
		grad []float64
	}{
		"plain":                {[]float64{1, 2, 3}, []bool{true, true, true}, false, math.Log(math.Exp(1) + math.Exp(2) + math.Exp(3)), []float64{math.Exp(-2) / (1 + math.Exp(-1) + math.Exp(-2)), math.Exp(-1) / (1 + math.Exp(-1) + math.Exp(-2)), 1 / (1 + math.Exp(-1) + math.Exp(-2))}},
		"masked":               {[]float64{1, huge, 3}, []bool{true, false, true}, false, math.Log(math.Exp(1) + math.Exp(3)), []float64{1 / (1 + math.Exp(2)), 0, 1 / (1 + math.Exp(-2))}},
		"one more":             {[]float64{-1, huge, -3}, []bool{true, false, true}, true, math.Log(1 + math.Exp(-1) + math.Exp(-3)), []float64{math.Exp(-1) / (1 + math.Exp(-1) + math.Exp(-3)), 0, math.Exp(-3) / (1 + math.Exp(-1) + math.Exp(-3))}},
		"large":                {[]float64{1000, 1001, -1000}, []bool{true, true, true}, true, 1001 + math.Log(1+math.Exp(-1)), []float64{1 / (1 + math.E), 1 / (1 + math.Exp(-1)), 0}},
		"small":                {[]float64{-1000, -1001, -2000}, []bool{true, true, true}, false, -1000 + math.Log(1+math.Exp(-1)), []float64{1 / (1 + math.Exp(-1)), 1 / (1 + math.E), 0}},
		"small beside one":     {[]float64{-1000, -1001, -2000}, []bool{true, true, true}, true, 0, []float64{0, 0, 0}},
		"no entry":             {[]float64{huge, -huge, 0}, []bool{false, false, false}, false, 0, []float64{0, 0, 0}},
		"no entry beside one":  {[]float64{huge, -huge, 0}, []bool{false, false, false}, true, 0, []float64{0, 0, 0}},
		"one entry and itself": {[]float64{7, huge, huge}, []bool{true, false, false}, false, 7, []float64{1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			for axis, dims := range [][]int{{3, 1}, {1, 3}} {
				x := tensors.FromFlatDataAndDimensions(test.x, dims...)
				mask := tensors.FromFlatDataAndDimensions(test.mask, dims...)
				got := modelstest.Evaluate(t, modelstest.GoBackend(t), []*tensors.Tensor{x, mask}, func(in []*Node) []*Node {
					sum := logSum(in[0], in[1], axis, test.one)
					sum.AssertDims(1)
					return []*Node{sum, Gradient(ReduceAllSum(sum), in[0])[0]}
				})
				if _, off := modelstest.Farthest(got[0], []float64{test.want}); !(off <= 1e-13) {
					t.Errorf("axis %d: got %.17g, want %.17g", axis, got[0][0], test.want)
				}
				if i, off := modelstest.Farthest(got[1], test.grad); !(off <= 1e-13) {
					t.Errorf("axis %d: gradient %d: got %g, want %g", axis, i, got[1][i], test.grad[i])
				}
			}
		})
	}
}
