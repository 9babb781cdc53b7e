package retrieval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"bierbench/models/internal/modelstest"
)

// By hand: columns a, -a, a constant and one that is uncorrelated with a.
func TestCorrelationNumbers(t *testing.T) {
	values := []float32{
		1, -1, 0.1, 1,
		2, -2, 0.1, -2,
		3, -3, 0.1, 1,
	}
	none := math.NaN() // nil
	tests := map[string]struct {
		sizes    []int
		learners float64
		matrix   [][]float64
	}{
		"one learner":                   {[]int{4}, none, [][]float64{{1. / 3}}},
		"a | -a and the others":         {[]int{1, 3}, 0.5, [][]float64{{none, 0.5}, {0.5, 0}}}, // |r| 1 with -a, 0 with the last
		"a, -a | the others":            {[]int{2, 2}, 0, [][]float64{{1, 0}, {0, none}}},       // the constant is left out
		"each its own":                  {[]int{1, 1, 1, 1}, 1. / 3, [][]float64{{none, 1, none, 0}, {1, none, none, 0}, {none, none, none, none}, {0, 0, none, none}}},
		"the constant alone, then none": {[]int{2, 1, 1}, 0, [][]float64{{1, none, 0}, {none, none, none}, {0, none, none}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Correlation(t.Context(), modelstest.GoBackend(t), values, 4, test.sizes)
			if err != nil {
				t.Fatal(err)
			}
			sameNumbers(t, "learners", [][]*float64{{got.Learners}}, [][]float64{{test.learners}})
			sameNumbers(t, "dimensions", [][]*float64{{&got.Dimensions}}, [][]float64{{1. / 3}})
			sameNumbers(t, "matrix of learners", got.LearnerMatrix, test.matrix)
			// Four dimensions are four blocks.
			sameNumbers(t, "matrix of blocks", got.BlockMatrix, tests["each its own"].matrix)
		})
	}
}

// sameNumbers compares a matrix; NaN is nil.
func sameNumbers(t *testing.T, name string, got [][]*float64, want [][]float64) {
	t.Helper()
	const tolerance = 1e-12 // float64 sums of few numbers
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
	}
	for i := range want {
		for j, w := range want[i] {
			switch g := got[i][j]; {
			case math.IsNaN(w) != (g == nil):
				t.Errorf("%s [%d][%d]: %v, want %g", name, i, j, g, w)
			case g != nil && math.Abs(*g-w) > tolerance:
				t.Errorf("%s [%d][%d]: %.15g, want %.15g", name, i, j, *g, w)
			}
		}
	}
}

// By hand: three images whose pairs (1,2), (1,3), (2,3) have the scores
// 2, 3, 6 by learner 1, the products of 1, 2, 3; -2, -3, -6 cannot be products,
// but 6, 3, 2 are those of 3, 2, 1; the third gives all pairs 1.
func TestScoreCorrelationNumbers(t *testing.T) {
	values := []float32{
		1, 3, 1,
		2, 2, 1,
		3, 1, 1,
	}
	got, err := Correlation(t.Context(), modelstest.GoBackend(t), values, 3, []int{1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	// Deviations -5/3, -2/3, 7/3 and 7/3, -2/3, -5/3: -22/3 over 26/3.
	none := math.NaN()
	sameNumbers(t, "scores", got.ScoreMatrix, [][]float64{{1, -11. / 13, none}, {-11. / 13, 1, none}, {none, none, none}})

	for name, images := range map[string][]float32{
		"one image":            {1, 2},
		"two images, one pair": {1, 2, 3, 4},
		"three at equal angles, but for what float32 rounds": {1, 0, -0.5, float32(math.Sqrt(0.75)), -0.5, -float32(math.Sqrt(0.75))},
		"three equal":                   {0.1, 0.2, 0.1, 0.2, 0.1, 0.2},
		"three, their scores are all 0": {0, 0, 0, 0, 0, 0},
	} {
		got, err := Correlation(t.Context(), modelstest.GoBackend(t), images, 2, []int{2})
		if err != nil {
			t.Fatal(err)
		}
		sameNumbers(t, name, got.ScoreMatrix, [][]float64{{none}})
	}
}

// Against the definition: every score of every pair, for learners that agree in
// part, with an offset that all images share as in a trained embedding.
func TestScoreCorrelationAgainstPairs(t *testing.T) {
	const n, width, tolerance = 60, 9, 1e-11 // float64, sums of 1770 products
	sizes := []int{2, 3, 4}
	random := rand.New(rand.NewPCG(4, 4))
	values := make([]float64, 0, n*width)
	for range n {
		shared := random.NormFloat64()
		for range width {
			values = append(values, 1.5+0.5*shared+random.NormFloat64())
		}
	}
	var columns []float64 // scores of the pairs i < j, a column for each learner
	for i := range n {
		for j := i + 1; j < n; j++ {
			from := 0
			for _, d := range sizes {
				columns = append(columns, product64(values[i*width:][from:from+d], values[j*width:][from:from+d]))
				from += d
			}
		}
	}
	want, _, _, err := pearson(t.Context(), modelstest.GoBackend(t), columns, len(sizes))
	if err != nil {
		t.Fatal(err)
	}
	got, err := correlation(t.Context(), modelstest.GoBackend(t), values, width, sizes)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got.ScoreMatrix {
		for j, v := range row {
			if w := want[i*len(sizes)+j]; math.Abs(*v-w) > tolerance {
				t.Errorf("[%d][%d]: %.15g, want %.15g", i, j, *v, w)
			}
		}
	}
	if off := want[1]; off < 0.1 || off > 0.9 {
		t.Errorf("the test's learners correlate by %g; want something between", off)
	}
}

// The matrices hold what the means say: over the pairs of different learners,
// and over all, weighted by how many pairs an entry stands for.
func TestCorrelationMatricesAndMeans(t *testing.T) {
	const n, width, tolerance = 50, 70, 1e-12
	random := rand.New(rand.NewPCG(2, 4))
	values := make([]float32, n*width)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	sizes := []int{11, 20, 39}
	got, err := Correlation(t.Context(), modelstest.GoBackend(t), values, width, sizes)
	if err != nil {
		t.Fatal(err)
	}
	mean := func(matrix [][]*float64, sizes []int, diagonal bool) float64 {
		sum, pairs := 0.0, 0
		for i := range sizes {
			for j := i; j < len(sizes); j++ {
				count := sizes[i] * sizes[j]
				if i == j {
					count = sizes[i] * (sizes[i] - 1) / 2
				}
				if count > 0 && (diagonal || i != j) {
					sum += float64(count) * *matrix[i][j]
					pairs += count
				}
				if matrix[i][j] != matrix[j][i] && *matrix[i][j] != *matrix[j][i] {
					t.Errorf("[%d][%d] is not symmetric", i, j)
				}
			}
		}
		return sum / float64(pairs)
	}
	for name, pair := range map[string][2]float64{
		"learners, of different ones": {mean(got.LearnerMatrix, sizes, false), *got.Learners},
		"learners, all":               {mean(got.LearnerMatrix, sizes, true), got.Dimensions},
		"blocks, all":                 {mean(got.BlockMatrix, got.Blocks, true), got.Dimensions},
	} {
		if math.Abs(pair[0]-pair[1]) > tolerance {
			t.Errorf("%s: mean %.15g, want %.15g", name, pair[0], pair[1])
		}
	}
}

func TestCutBlocks(t *testing.T) {
	for name, test := range map[string]struct{ sizes, want []int }{
		"the papers' learners": {[]int{96, 160, 256}, slices.Repeat([]int{16}, 32)},
		"one learner":          {[]int{512}, slices.Repeat([]int{16}, 32)},
		"few dimensions":       {[]int{2, 1}, []int{1, 1, 1}},
		"one too many":         {[]int{33}, append([]int{1}, slices.Repeat([]int{2}, 16)...)},    // 17 blocks of 2 at most
		"a learner of one":     {[]int{1, 63}, append([]int{1}, slices.Repeat([]int{3}, 21)...)}, // of 2 they would be 33
		"many learners":        {slices.Repeat([]int{3}, 40), slices.Repeat([]int{3}, 40)},
	} {
		t.Run(name, func(t *testing.T) {
			got := cutBlocks(test.sizes)
			at, border := 0, 0
			for _, d := range test.sizes { // the learners' borders are among the blocks'
				border += d
				sum := 0
				for sum < d && at < len(got) {
					sum += got[at]
					at++
				}
				if sum != d {
					t.Fatalf("%v cuts through the border at %d", got, border)
				}
			}
			if at != len(got) || len(got) > max(mostBlocks, len(test.sizes)) {
				t.Errorf("%d blocks: %v", len(got), got)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
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
	got, err := Correlation(t.Context(), modelstest.GoBackend(t), values, 2, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	// 1000+v keeps 14 bits of v's fraction, all of i/1024.
	if math.Abs(*got.Learners-1) > 1e-9 || *got.Learners != got.Dimensions {
		t.Errorf("learners %.12g, dimensions %.12g; want 1", *got.Learners, got.Dimensions)
	}
}

func TestCorrelationRefuses(t *testing.T) {
	b := modelstest.GoBackend(t)
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
			if _, err := Correlation(t.Context(), b, test.values, test.width, test.sizes); err == nil {
				t.Error("no error")
			}
		})
	}
	got, err := Correlation(t.Context(), b, []float32{1, 2, 1, 2}, 2, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if got.Learners != nil || got.Dimensions != 0 || got.LearnerMatrix[0][1] != nil || got.ScoreMatrix[1][1] != nil {
		t.Errorf("a collapsed embedding: %+v; want nil and 0", got)
	}
}
