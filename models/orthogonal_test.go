package models

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// columnsOf returns the columns of matrices, those of all together.
func columnsOf(matrices []*tensors.Tensor) (columns [][]float64) {
	for _, w := range matrices {
		values := tensors.MustCopyFlatData[float32](w)
		width, d := w.Shape().Dim(0), w.Shape().Dim(1)
		for j := range d {
			column := make([]float64, width)
			for i := range column {
				column[i] = float64(values[i*d+j])
			}
			columns = append(columns, column)
		}
	}
	return columns
}

// Columns of all learners together are orthonormal, in blocks of width where
// there are more; blocks are not each other's copies.
func TestOrthogonal(t *testing.T) {
	const tolerance = 1e-5 // of numbers in float32
	for name, c := range map[string]struct {
		width int
		sizes []int
	}{
		"an ensemble":              {128, []int{10, 20, 30}},
		"as many as inputs":        {64, []int{24, 40}},
		"one learner":              {96, []int{33}},
		"a learner in two blocks":  {16, []int{10, 20, 5}}, // blocks end after 16 and 32 columns
		"the papers' largest list": {1024, LearnerSizes(512, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			matrices := orthogonalMatrices(7, c.width, c.sizes)
			for m, d := range c.sizes {
				if dims := matrices[m].Shape().Dimensions; !slices.Equal(dims, []int{c.width, d}) {
					t.Fatalf("matrix %d is %v, want [%d %d]", m, dims, c.width, d)
				}
			}
			columns := columnsOf(matrices)
			for i := range columns {
				for j := range i + 1 {
					want := 0.0
					if i == j {
						want = 1
					}
					dot := 0.0
					for k := range columns[i] {
						dot += columns[i][k] * columns[j][k]
					}
					sameBlock := i/c.width == j/c.width
					if sameBlock && math.Abs(dot-want) > tolerance || !sameBlock && math.Abs(dot) > 1-1e-3 {
						t.Fatalf("columns %d and %d: product %g", i, j, dot)
					}
				}
			}
			if !slices.Equal(slices.Concat(columns...), slices.Concat(columnsOf(orthogonalMatrices(7, c.width, c.sizes))...)) {
				t.Error("the same seed gave other bits")
			}
			if slices.Equal(columns[0], columnsOf(orthogonalMatrices(8, c.width, c.sizes))[0]) {
				t.Error("another seed gave the same")
			}
		})
	}
}

// The distribution is uniform: the trace of a Haar matrix has mean 0 and
// variance 1 (Diaconis and Shahshahani 1994, theorem 4). A QR decomposition
// whose signs are not fixed has a mean far from 0.
func TestOrthogonalIsUniform(t *testing.T) {
	const n, draws = 4, 3000
	const tolerance = 5 / 54.0 // five standard errors of a mean of 3,000 numbers of variance 1; the variance's is below twice that
	mean, square := 0.0, 0.0
	for seed := range uint64(draws) {
		trace := 0.0
		for j, column := range orthonormalColumns(seed, 0, n, n) {
			trace += column[j]
		}
		mean += trace / draws
		square += trace * trace / draws
	}
	if math.Abs(mean) > tolerance || math.Abs(square-1) > 2*tolerance {
		t.Errorf("trace: mean %.3f, mean square %.3f; want 0 and 1", mean, square)
	}
}
