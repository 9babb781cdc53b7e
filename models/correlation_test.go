package models

import (
	"math"
	"testing"
)

// By hand: columns a, -a, a constant and one that is uncorrelated with a.
func TestCorrelationNumbers(t *testing.T) {
	const tolerance = 1e-12 // float64 sums of small integers
	values := []float32{
		1, -1, 0.1, 1,
		2, -2, 0.1, -2,
		3, -3, 0.1, 1,
	}
	tests := map[string]struct {
		sizes    []int
		learners float64 // NaN: nil
	}{
		"one learner":                   {[]int{4}, math.NaN()},
		"a | -a and the others":         {[]int{1, 3}, 0.5},          // |r| 1 with -a, 0 with the last
		"a, -a | the others":            {[]int{2, 2}, 0},            // the constant is left out
		"each its own":                  {[]int{1, 1, 1, 1}, 1. / 3}, // pairs (a,-a), (a,last), (-a,last)
		"the constant alone, then none": {[]int{2, 1, 1}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			learners, dimensions, err := Correlation(t.Context(), goBackend(t), values, 4, test.sizes)
			if err != nil {
				t.Fatal(err)
			}
			if math.IsNaN(test.learners) != (learners == nil) {
				t.Errorf("learners %v, want %g", learners, test.learners)
			} else if learners != nil && math.Abs(*learners-test.learners) > tolerance {
				t.Errorf("learners %g, want %g", *learners, test.learners)
			}
			if math.Abs(dimensions-1./3) > tolerance {
				t.Errorf("dimensions %g, want 1/3", dimensions)
			}
		})
	}
}

// More rows than a block, an offset that would swallow a float32 sum: two
// columns that agree but for their scale.
func TestCorrelationBlocks(t *testing.T) {
	const n = correlationRows + 17
	values := make([]float32, 0, 2*n)
	for i := range n {
		v := float32(i%1000) / 1024
		values = append(values, 1000+v, -v)
	}
	learners, dimensions, err := Correlation(t.Context(), goBackend(t), values, 2, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	// 1000+v keeps 14 bits of v's fraction, all of i/1024.
	if math.Abs(*learners-1) > 1e-9 || *learners != dimensions {
		t.Errorf("learners %.12g, dimensions %.12g; want 1", *learners, dimensions)
	}
}

func TestCorrelationRefuses(t *testing.T) {
	b := goBackend(t)
	nan := float32(math.NaN())
	for name, test := range map[string]struct {
		values []float32
		width  int
		sizes  []int
	}{
		"no numbers":     {nil, 2, []int{1, 1}},
		"not a matrix":   {[]float32{1, 2, 3}, 2, []int{1, 1}},
		"sizes":          {[]float32{1, 2, 3, 4}, 2, []int{1}},
		"NaN":            {[]float32{1, nan, 3, 4}, 2, []int{1, 1}},
		"width below 1":  {[]float32{1}, 0, nil},
		"infinite, late": {[]float32{1, 2, 3, float32(math.Inf(-1))}, 2, []int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Correlation(t.Context(), b, test.values, test.width, test.sizes); err == nil {
				t.Error("no error")
			}
		})
	}
	learners, dimensions, err := Correlation(t.Context(), b, []float32{1, 2, 1, 2}, 2, []int{1, 1})
	if err != nil || learners != nil || dimensions != 0 {
		t.Errorf("a collapsed embedding: %v %g %v; want nil 0", learners, dimensions, err)
	}
}
