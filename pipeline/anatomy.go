package pipeline

import (
	"context"
	"math"

	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/runs"
)

// addLearners adds one draw's share of every learner's R@K. whole is the
// metrics of the same search over all learners.
func addLearners(ctx context.Context, b *xla.Backend, s retrieval.Search, sizes []int, whole map[string]float64, draws int, e *runs.Evaluation) error {
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

// correlationRecord is what is kept of an embedding's correlations. The numbers
// of blocks are for drawing: they are rounded.
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

// roundedShares returns the distribution of boosting weights with four decimals:
// without, it is twice as long as text.
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

func round4(v float64) float64 { return math.Round(v*1e4) / 1e4 }
