package runs

import (
	"slices"

	"bierbench/runs/internal/paired"
)

// largestClasses is the number of classes that a row names in each direction.
const largestClasses = 10

// classes returns how the rate of hits changed by class. va and vb are [seeds][queries], 1 for a
// hit and 0 for a miss; class and index are [queries].
func (row *Comparison) classes(s paired.Sample, va, vb [][]float64, class []int32, index []int) *Classes {
	all := make([]ClassChange, len(s.Count))
	for i, c := range index {
		all[c].Class = int(class[i])
		all[c].Queries++
	}
	rate := func(sums [][]float64, c int) float64 {
		total := 0.0
		for _, seed := range sums {
			total += seed[c]
		}
		return total / (s.Count[c] * float64(len(sums)))
	}
	var summary Classes
	for c := range all {
		x := &all[c]
		x.A, x.B = rate(s.A, c), rate(s.B, c)
		x.Delta = x.B - x.A
		switch {
		case x.Delta > 0:
			summary.Better++
		case x.Delta < 0:
			summary.Worse++
		default:
			summary.Equal++
		}
	}
	for i, seed := range row.SeedsA {
		j := slices.Index(row.SeedsB, seed)
		if j < 0 {
			continue
		}
		for q, c := range index {
			switch a, b := va[i][q], vb[j][q]; {
			case b > a:
				all[c].Gained++
			case b < a:
				all[c].Lost++
			}
		}
	}
	slices.SortStableFunc(all, func(x, y ClassChange) int {
		switch {
		case x.Delta > y.Delta:
			return -1
		case x.Delta < y.Delta:
			return 1
		}
		return 0
	})
	gains, losses := min(summary.Better, largestClasses), min(summary.Worse, largestClasses)
	summary.Largest = append([]ClassChange{}, all[:gains]...)
	summary.Largest = append(summary.Largest, all[len(all)-losses:]...)
	return &summary
}
