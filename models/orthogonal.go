package models

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
)

// orthogonalMatrices returns embedding matrices [width, d_m] whose columns,
// those of all learners together, are orthonormal. Where there are more than
// width columns, they are orthonormal in blocks of width, and columns of
// different blocks are independent.
//
// A column has length 1; one of a Xavier-uniform matrix has about
// sqrt(2 width / (width + d_m)), between 1 and 1.42. The scale is that of the
// diversity losses' constraint over output units, and cosines do not depend on
// it; a step of a given rate turns a shorter column further.
func orthogonalMatrices(seed uint64, width int, sizes []int) []*tensors.Tensor {
	sum := 0
	for _, d := range sizes {
		sum += d
	}
	var columns [][]float64
	for block := 0; len(columns) < sum; block++ {
		columns = append(columns, orthonormalColumns(seed, block, width, min(width, sum-len(columns)))...)
	}
	var out []*tensors.Tensor
	for _, d := range sizes {
		values := make([]float32, width*d)
		for j, column := range columns[:d] {
			for i, v := range column {
				values[i*d+j] = float32(v)
			}
		}
		columns = columns[d:]
		out = append(out, tensors.FromFlatDataAndDimensions(values, width, d))
	}
	return out
}

// orthonormalColumns returns n <= width orthonormal columns, uniformly distributed
// (Haar): Gram-Schmidt on a matrix of normal numbers, which is its QR
// decomposition with a positive diagonal of R, as uniformity demands (Mezzadri
// 2007, https://arxiv.org/abs/math-ph/0609050, section 5). Each column is
// projected twice, which makes it orthogonal to rounding (Giraud et al. 2005,
// https://doi.org/10.1007/s00211-005-0615-4).
func orthonormalColumns(seed uint64, block, width, n int) [][]float64 {
	random := stream(seed, "orthogonal", block)
	columns := make([][]float64, n)
	for j := range columns {
		column := make([]float64, width)
		for i := range column {
			column[i] = random.NormFloat64()
		}
		for range 2 {
			for _, before := range columns[:j] {
				floats.AddScaled(column, -floats.Dot(before, column), before)
			}
		}
		floats.Scale(1/math.Sqrt(floats.Dot(column, column)), column)
		columns[j] = column
	}
	return columns
}
