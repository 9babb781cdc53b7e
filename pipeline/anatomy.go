package pipeline

import (
	"context"
	"math"

	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/runs"
)

// addLearners adds the share of one draw to R@K of every learner. whole holds the metrics of the
// same search with all learners.
func addLearners(ctx context.Context, b *xla.Backend, s retrieval.Search, sizes []int, whole map[string]float64,
	draws int, e *runs.Evaluation,
) error {
	recalls, err := retrieval.LearnerRecalls(ctx, b, s, sizes, whole)
	if err != nil {
		return err
	}
	if e.Learners == nil {
		for _, r := range recalls {
			e.Learners = append(e.Learners, runs.Learner{
				Size: r.Size, Recalls: map[string]float64{}, CumulativeRecalls: map[string]float64{},
			})
		}
	}
	for i, r := range recalls {
		l := &e.Learners[i]
		for name := range r.Alone {
			l.Recalls[name] += r.Alone[name] / float64(draws)
			l.CumulativeRecalls[name] += r.Cumulative[name] / float64(draws)
		}
		l.R1, l.Cumulative = l.Recalls["R@1"], l.CumulativeRecalls["R@1"]
	}
	return nil
}

// correlationRecord returns the correlations of an embedding as a record keeps them. The blocks are
// for drawing, so their numbers are rounded.
func correlationRecord(c *retrieval.Correlations) *runs.Correlation {
	blocks := &runs.DimensionBlocks{Sizes: c.Blocks}
	for _, row := range c.BlockMatrix {
		rounded := make([]*float64, len(row))
		for j, v := range row {
			if v != nil {
				short := round4(*v)
				rounded[j] = &short
			}
		}
		blocks.Matrix = append(blocks.Matrix, rounded)
	}
	return &runs.Correlation{
		Learners: c.Learners, Dimensions: c.Dimensions,
		LearnerMatrix: c.LearnerMatrix, ScoreMatrix: c.ScoreMatrix, Blocks: blocks,
	}
}

// roundedShares returns the distribution of boosting weights, rounded to four decimals, which
// halves its length as text.
func roundedShares(bins [][2][]float64) [][2][]float64 {
	out := make([][2][]float64, len(bins))
	for m, kinds := range bins {
		for k, shares := range kinds {
			for _, v := range shares {
				out[m][k] = append(out[m][k], round4(v))
			}
		}
	}
	return out
}

// round4 rounds to four decimals.
func round4(v float64) float64 { return math.Round(v*1e4) / 1e4 }
