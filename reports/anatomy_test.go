package reports

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/runs"
)

// By hand: three seeds, one of them an older record without matrices; an entry that one seed lacks is the
// other's.
func TestAnatomyMatrices(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	cell := func(seed int, c *runs.Correlation) runs.Cell {
		return runs.Cell{Key: runs.Key{Seed: seed}, Correlation: c}
	}
	first := &runs.Correlation{
		LearnerMatrix: [][]*float64{{v(0.1), v(0.2)}, {v(0.2), nil}},
		ScoreMatrix:   [][]*float64{{v(1), v(-0.5)}, {v(-0.5), v(1)}},
		Blocks:        &runs.DimensionBlocks{Sizes: []int{2, 1}, Matrix: [][]*float64{{v(0.1), v(0.2)}, {v(0.2), nil}}},
	}
	second := &runs.Correlation{
		LearnerMatrix: [][]*float64{{v(0.3), nil}, {nil, nil}},
		ScoreMatrix:   [][]*float64{{v(1), v(0.75)}, {v(0.75), v(1)}},
		Blocks:        &runs.DimensionBlocks{Sizes: []int{1, 2}, Matrix: [][]*float64{{nil, v(0.2)}, {v(0.2), v(0.1)}}},
	}
	got := anatomyOf([]runs.Cell{cell(1, first), cell(2, nil), cell(3, &runs.Correlation{}), cell(4, second)}, nil)
	want := &Anatomy{
		Seeds:         []int{1, 4},
		LearnerMatrix: [][]*float64{{v(0.2), v(0.2)}, {v(0.2), nil}},
		ScoreMatrix:   [][]*float64{{v(1), v(0.125)}, {v(0.125), v(1)}},
		// The seeds' blocks are different ones: no mean.
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := anatomyOf([]runs.Cell{cell(2, nil), cell(3, &runs.Correlation{})}, nil); got != nil {
		t.Errorf("records of before: %+v, want nil", got)
	}
	three := &runs.Correlation{LearnerMatrix: [][]*float64{{v(1)}, {v(1)}, {v(1)}}}
	if got := anatomyOf([]runs.Cell{cell(1, first), cell(2, three)}, nil); got.LearnerMatrix != nil {
		t.Errorf("two and three learners: %v, want nil", got.LearnerMatrix)
	}
}

// By hand: 40 steps are 20 points of 2, of which those with shares are kept; a batch without a pair
// of a kind says nothing of it.
func TestWeightShares(t *testing.T) {
	step := func(n int, bins ...[2][]float64) runs.TrainStep { return runs.TrainStep{Step: n, WeightBins: bins} }
	got := weightShares([][]runs.TrainStep{
		{step(1, [2][]float64{{1, 0}, {0, 0}}), step(2, [2][]float64{{0, 1}, {0.25, 0.75}}), step(3), step(40, [2][]float64{{1, 0}, {0, 0}})},
		{step(1, [2][]float64{{0.5, 0.5}, {0.75, 0.25}}), step(2)},
	})
	want := &WeightShares{
		Steps:    []float64{4. / 3, 40},
		Positive: [][][]float64{{{0.5, 0.5}, {1, 0}}},
		Negative: [][][]float64{{{0.5, 0.5}, {0, 0}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := weightShares([][]runs.TrainStep{{step(1), step(2)}}); got != nil {
		t.Errorf("no shares: %v, want nil", got)
	}
	one := [2][]float64{{1}, {1}}
	if got := weightShares([][]runs.TrainStep{{step(1, one)}, {step(1, one, one)}}); got != nil {
		t.Errorf("one and two learners: %v, want nil", got)
	}
}

func TestLearnerRecallMeans(t *testing.T) {
	of := func(r1, r2 float64) map[string]float64 { return map[string]float64{"R@1": r1, "R@2": r2} }
	if got, want := commonMeans([]map[string]float64{of(0.25, 0.5), of(0.75, 1)}), of(0.5, 0.75); !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := commonMeans([]map[string]float64{of(0.25, 0.5), nil}); len(got) != 0 {
		t.Errorf("one seed of before there were recalls: %v, want none", got)
	}
}
