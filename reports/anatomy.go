package reports

import (
	"math"
	"slices"

	"bierbench/runs"
)

// Anatomy says how alike the learners of a group's models are and how boosting weighted their
// pairs. Each entry is the mean over the done seeds that have it.
type Anatomy struct {
	Seeds         []int                 `json:"seeds"`                      // those whose records have matrices
	LearnerMatrix [][]*float64          `json:"learner_matrix,omitempty"`   // as in runs.Correlation
	ScoreMatrix   [][]*float64          `json:"score_matrix,omitempty"`     // likewise
	Blocks        *runs.DimensionBlocks `json:"dimension_blocks,omitempty"` // likewise
	Weights       *WeightShares         `json:"weights,omitempty"`          // nil where no training recorded them
}

// WeightShares says how the boosting weights of each learner were distributed over training:
// [learner][point][bin], the share of the pairs of a kind whose weight was in each tenth of the
// possible range. The shares of a point sum to 1, or are 0 where no batch had a pair of the kind.
type WeightShares struct {
	Steps    []float64     `json:"steps"` // the middle of each point's steps
	Positive [][][]float64 `json:"positive"`
	Negative [][][]float64 `json:"negative"`
}

// weightPoints is the number of points of training for which the distribution is kept: as many
// bands as can be told apart side by side.
const weightPoints = 20

// anatomyOf averages over done cells and their training steps; nil where no record has any of it,
// as in older records.
func anatomyOf(done []runs.Cell, steps [][]runs.TrainStep) *Anatomy {
	a := &Anatomy{Seeds: []int{}, Weights: weightShares(steps)}
	var learners, scores, blocks [][][]*float64
	var sizes [][]int
	for _, c := range done {
		if c.Correlation == nil || c.Correlation.LearnerMatrix == nil {
			continue
		}
		a.Seeds = append(a.Seeds, c.Seed)
		learners = append(learners, c.Correlation.LearnerMatrix)
		scores = append(scores, c.Correlation.ScoreMatrix)
		if b := c.Correlation.Blocks; b != nil {
			sizes = append(sizes, b.Sizes)
			blocks = append(blocks, b.Matrix)
		}
	}
	if len(a.Seeds) == 0 && a.Weights == nil {
		return nil
	}
	a.LearnerMatrix, a.ScoreMatrix = meanMatrix(learners), meanMatrix(scores)
	if len(sizes) > 0 && !slices.ContainsFunc(sizes, func(s []int) bool { return !slices.Equal(s, sizes[0]) }) {
		if m := meanMatrix(blocks); m != nil {
			a.Blocks = &runs.DimensionBlocks{Sizes: sizes[0], Matrix: m}
		}
	}
	return a
}

// meanMatrix averages matrices entry by entry over those that have the entry, to six decimals; nil
// where their shapes differ.
func meanMatrix(matrices [][][]*float64) [][]*float64 {
	if len(matrices) == 0 {
		return nil
	}
	mean := make([][]*float64, len(matrices[0]))
	for i, row := range matrices[0] {
		mean[i] = make([]*float64, len(row))
		for j := range row {
			sum, n := 0.0, 0
			for _, m := range matrices {
				if len(m) != len(mean) || len(m[i]) != len(row) {
					return nil
				}
				if m[i][j] != nil {
					sum += *m[i][j]
					n++
				}
			}
			if n > 0 {
				v := math.Round(sum/float64(n)*1e6) / 1e6
				mean[i][j] = &v
			}
		}
	}
	return mean
}

// weightShares averages the distributions of boosting weights over seeds and over the steps of a
// point; nil where there is none or the seeds do not have the same learners.
func weightShares(seeds [][]runs.TrainStep) *WeightShares {
	last, learners := 0, 0
	for _, steps := range seeds {
		for _, s := range steps {
			last = max(last, s.Step)
			if s.WeightBins == nil {
				continue
			}
			if learners > 0 && len(s.WeightBins) != learners {
				return nil
			}
			learners = len(s.WeightBins)
		}
	}
	if learners == 0 {
		return nil
	}
	width := (last + weightPoints - 1) / weightPoints
	type sum struct {
		steps, n float64
		shares   [][2]shareSum // of each learner
	}
	points := make([]sum, (last+width-1)/width)
	for _, steps := range seeds {
		for _, s := range steps {
			if s.WeightBins == nil || s.Step < 1 {
				continue
			}
			p := &points[(s.Step-1)/width]
			if p.shares == nil {
				p.shares = make([][2]shareSum, learners)
			}
			p.steps += float64(s.Step)
			p.n++
			for m, kinds := range s.WeightBins {
				for kind, shares := range kinds {
					p.shares[m][kind].add(shares)
				}
			}
		}
	}
	w := &WeightShares{Positive: make([][][]float64, learners), Negative: make([][][]float64, learners)}
	for _, p := range points {
		if p.n == 0 {
			continue
		}
		w.Steps = append(w.Steps, p.steps/p.n)
		for m := range learners {
			w.Positive[m] = append(w.Positive[m], p.shares[m][0].mean())
			w.Negative[m] = append(w.Negative[m], p.shares[m][1].mean())
		}
	}
	return w
}

// shareSum sums distributions.
type shareSum struct {
	n    float64
	bins []float64
}

// add adds a distribution. One without pairs, all 0, is ignored.
func (s *shareSum) add(shares []float64) {
	if s.bins == nil {
		s.bins = make([]float64, len(shares))
	}
	total := 0.0
	for i, v := range shares {
		total += v
		if i < len(s.bins) {
			s.bins[i] += v
		}
	}
	if total > 0 {
		s.n++
	}
}

// mean returns the mean distribution, rounded to four decimals as each distribution is.
func (s shareSum) mean() []float64 {
	mean := make([]float64, len(s.bins))
	for i, v := range s.bins {
		mean[i] = math.Round(v/max(s.n, 1)*1e4) / 1e4
	}
	return mean
}
