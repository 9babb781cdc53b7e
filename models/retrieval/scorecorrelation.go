package retrieval

import "math"

// scoreNoise is the part of a sum of squares that is rounding: scores that vary
// less are equal.
const scoreNoise = 1e-12

// scoreCorrelation returns Pearson's correlation of learners' scores over the
// pairs of different images, [M][M]. r, center and scale are those of pearson.
//
// No score is computed. With a learner's slice z_i = c + u_i, c its mean, the
// score z_i z_j is |c|^2 + c u_i + c u_j + u_i u_j. Over all pairs, i = j among
// them, the last three sum to 0 and are orthogonal for any two learners a, b, so
// that the sum of products of deviations is
//
//	2 n sum_i (c_a u^a_i)(c_b u^b_i) + |U_a^T U_b|^2 (Frobenius),
//
// U_a^T U_b being the covariances of the dimensions. The pairs i = j are then
// taken out.
func scoreCorrelation[T float32 | float64](values []T, r, center, scale []float64, sizes []int) [][]*float64 {
	width, n := len(center), len(values)/len(center)
	from := make([]int, len(sizes)+1)
	for m, d := range sizes {
		from[m+1] = from[m] + d
	}
	// Deviations of the scores of images with themselves: [M][n], and their sums.
	own, total := make([][]float64, len(sizes)), make([]float64, len(sizes))
	for m := range sizes {
		own[m] = make([]float64, n)
		for i := range n {
			deviation := 0.0
			for k := from[m]; k < from[m+1]; k++ {
				u := float64(values[i*width+k]) - center[k]
				deviation += u * (u + 2*center[k]) // z^2 - c^2
			}
			own[m][i] = deviation
			total[m] += deviation
		}
	}
	covariance := func(a, b int) (c, size float64) {
		linear, square := 0.0, 0.0
		for k := from[a]; k < from[a+1]; k++ {
			for l := from[b]; l < from[b+1]; l++ {
				if scale[k] > 0 && scale[l] > 0 {
					g := r[k*width+l] / (scale[k] * scale[l])
					linear += center[k] * center[l] * g
					square += g * g
				}
			}
		}
		diagonal := 0.0
		for i := range n {
			diagonal += own[a][i] * own[b][i]
		}
		all := 2*float64(n)*linear + square
		return all - diagonal - total[a]*total[b]/float64(n*(n-1)), all + diagonal
	}
	deviation := make([]float64, len(sizes)) // 0 where no score differs
	for m := range sizes {
		if c, size := covariance(m, m); n > 2 && c > scoreNoise*size {
			deviation[m] = math.Sqrt(c)
		}
	}
	return symmetricMatrix(len(sizes), func(a, b int) *float64 {
		if deviation[a] == 0 || deviation[b] == 0 {
			return nil
		}
		rho := 1.0
		if a != b {
			c, _ := covariance(a, b)
			rho = c / (deviation[a] * deviation[b])
		}
		return &rho
	})
}
