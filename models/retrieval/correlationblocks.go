package retrieval

import "math"

// mostBlocks is the largest number of blocks of dimensions to which a correlation matrix is
// averaged, unless there are more learners.
const mostBlocks = 32

// cutBlocks cuts every learner's dimensions into blocks that differ by one
// dimension at most: as many as mostBlocks allows in all, at least one each.
func cutBlocks(sizes []int) []int {
	pieces := make([]int, len(sizes))
	for most := 1; ; most++ { // dimensions of a block
		total := 0
		for m, d := range sizes {
			pieces[m] = (d + most - 1) / most
			total += pieces[m]
		}
		if total <= max(mostBlocks, len(sizes)) {
			break
		}
	}
	var blocks []int
	for m, d := range sizes {
		for k := range pieces[m] {
			blocks = append(blocks, d*(k+1)/pieces[m]-d*k/pieces[m])
		}
	}
	return blocks
}

// meanBlocks averages |r_ij|, [width, width], over the pairs i != j of each two blocks of
// consecutive dimensions whose sizes are given. An entry is nil if every r_ij of it is NaN.
func meanBlocks(r []float64, width int, sizes []int) [][]*float64 {
	n := len(sizes)
	sum, count := make([]float64, n*n), make([]int, n*n)
	block := make([]int, 0, width) // of every dimension
	for k, d := range sizes {
		for range d {
			block = append(block, k)
		}
	}
	for i := range width {
		for j := i + 1; j < width; j++ {
			if v := r[i*width+j]; !math.IsNaN(v) {
				at := block[i]*n + block[j]
				sum[at] += math.Abs(v)
				count[at]++
			}
		}
	}
	return symmetricMatrix(n, func(k, l int) *float64 {
		if count[k*n+l] == 0 {
			return nil
		}
		mean := sum[k*n+l] / float64(count[k*n+l])
		return &mean
	})
}

// symmetricMatrix returns the matrix [n][n] whose entries at k <= l are at(k, l).
func symmetricMatrix(n int, at func(k, l int) *float64) [][]*float64 {
	m := make([][]*float64, n)
	for k := range m {
		m[k] = make([]*float64, n)
	}
	for k := range n {
		for l := k; l < n; l++ {
			m[k][l] = at(k, l)
			m[l][k] = m[k][l]
		}
	}
	return m
}
