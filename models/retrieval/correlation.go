package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/xla"
)

// correlationRows is how many vectors are multiplied at a time: 32 MiB of
// float64 at 512 dimensions.
const correlationRows = 8192

// Correlations says how redundant embeddings are. r is Pearson's correlation of
// two dimensions over the images; a dimension that never varies has none and is
// left out. A mean over nothing is nil, or 0 in Dimensions.
type Correlations struct {
	Learners   *float64 // mean |r| over pairs of dimensions of different learners
	Dimensions float64  // mean |r| over all pairs of different dimensions

	// LearnerMatrix is mean |r| between the dimensions of two learners, [M][M];
	// on the diagonal over pairs of different dimensions of one.
	LearnerMatrix [][]*float64
	// ScoreMatrix is Pearson's correlation of two learners' scores s^i, s^j over
	// all pairs of different images, [M][M]; nil where a learner's scores are
	// all equal. A score is the dot product of a learner's slices.
	ScoreMatrix [][]*float64
	// Blocks are the sizes of blocks of consecutive dimensions, at most
	// mostBlocks or one for each learner; none crosses a learner's border.
	Blocks []int
	// BlockMatrix is to Blocks what LearnerMatrix is to the learners.
	BlockMatrix [][]*float64
}

// Correlation returns the correlations of embeddings, row-major [images, width]; sizes are the
// widths of the learners, in order, and sum to width. Sums are float64. NaN and infinite numbers
// are an error.
func Correlation(ctx context.Context, b *xla.Backend, embeddings []float32, width int, sizes []int) (*Correlations, error) {
	return correlation(ctx, b, embeddings, width, sizes)
}

func correlation[T float32 | float64](ctx context.Context, b *xla.Backend, embeddings []T, width int, sizes []int) (*Correlations, error) {
	r, center, scale, err := pearson(ctx, b, embeddings, width)
	if err != nil {
		return nil, fmt.Errorf("correlation: %w", err)
	}
	learner := make([]int, 0, width) // of every dimension
	for m, d := range sizes {
		for range d {
			learner = append(learner, m)
		}
	}
	if len(learner) != width {
		return nil, fmt.Errorf("correlation: sizes %v sum to %d; want %d", sizes, len(learner), width)
	}
	c := &Correlations{
		Learners:      meanAbsolute(r, width, func(i, j int) bool { return learner[i] != learner[j] }),
		LearnerMatrix: meanBlocks(r, width, sizes),
		ScoreMatrix:   scoreCorrelation(embeddings, r, center, scale, sizes),
		Blocks:        cutBlocks(sizes),
	}
	if all := meanAbsolute(r, width, func(int, int) bool { return true }); all != nil {
		c.Dimensions = *all
	}
	c.BlockMatrix = meanBlocks(r, width, c.Blocks)
	return c, nil
}

// meanAbsolute averages |r_ij| over the pairs i < j that are wanted and not NaN; it is nil if there
// is none.
func meanAbsolute(r []float64, width int, wanted func(i, j int) bool) *float64 {
	sum, n := 0.0, 0
	for i := range width {
		for j := i + 1; j < width; j++ {
			if v := r[i*width+j]; wanted(i, j) && !math.IsNaN(v) {
				sum += math.Abs(v)
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}

// pearson returns the correlations r [width, width] between the columns of
// values, row-major [n, width]; NaN in the rows and columns of a constant one.
// With them come the columns' moments.
func pearson[T float32 | float64](ctx context.Context, b *xla.Backend, values []T, width int) (r, center, scale []float64, err error) {
	if width < 1 || len(values) == 0 || len(values)%width != 0 {
		return nil, nil, nil, fmt.Errorf("%d numbers of width %d; want a matrix", len(values), width)
	}
	center, scale = columnMoments(values, width)
	for j, s := range scale {
		if math.IsNaN(center[j]) || math.IsInf(center[j], 0) || math.IsInf(s, 0) {
			return nil, nil, nil, fmt.Errorf("the embedding has NaN or infinite numbers in dimension %d", j)
		}
	}
	// The correlation is the product of the standardised matrix with itself,
	// summed over blocks of rows.
	exec, err := NewExec(b.Backend, func(sum, z *Node) *Node {
		return Add(sum, DotGeneral(z, []int{0}, nil, z, []int{0}, nil))
	})
	if err != nil {
		return nil, nil, nil, err
	}
	defer exec.Finalize()
	n := len(values) / width
	rows := min(n, correlationRows)
	sum := tensors.FromScalarAndDimensions(0.0, width, width)
	for from := 0; from < n; from += rows {
		if ctx.Err() != nil {
			return nil, nil, nil, ctx.Err()
		}
		z := make([]float64, rows*width) // rows past the last are zero and add nothing
		for i, v := range values[from*width : min(from+rows, n)*width] {
			j := i % width
			z[i] = (float64(v) - center[j]) * scale[j]
		}
		block := tensors.FromFlatDataAndDimensions(z, rows, width)
		stop := b.Watch("correlation of a block of embeddings")
		next, failure := exec.Call1(sum, block)
		if failure == nil {
			failure = next.ConstBytes(func([]byte) {}) // the device reads its inputs until it is there
		}
		stop()
		if failure = errors.Join(failure, b.CheckPlugin(), sum.FinalizeAll(), block.FinalizeAll()); failure != nil {
			return nil, nil, nil, failure
		}
		sum = next
	}
	r, err = tensors.CopyFlatData[float64](sum)
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range r {
		if scale[i/width] == 0 || scale[i%width] == 0 {
			r[i] = math.NaN()
		}
	}
	return r, center, scale, nil
}

// columnMoments returns the mean of every column and 1 over the root of its sum of squared
// deviations; the latter is 0 for a constant column.
func columnMoments[T float32 | float64](values []T, width int) (center, scale []float64) {
	center, scale = make([]float64, width), make([]float64, width)
	varies := make([]bool, width)
	for i, v := range values {
		j := i % width
		center[j] += float64(v)
		if v != values[j] {
			varies[j] = true
		}
	}
	n := float64(len(values) / width)
	for j := range center {
		center[j] /= n
	}
	for i, v := range values {
		d := float64(v) - center[i%width]
		scale[i%width] += d * d
	}
	for j, s := range scale {
		if varies[j] {
			scale[j] = 1 / math.Sqrt(s)
		} else {
			scale[j] = 0
		}
	}
	return center, scale
}
