package reports_test

import (
	"os"

	"bierbench/reports"
	"bierbench/runs"
)

// A comparison of two runs for a terminal.
func ExampleDiffText() {
	group := runs.Group{Dataset: "cub", Variant: "mini-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}
	d := &runs.Diff{A: "before", B: "after", Rows: []runs.Comparison{{
		A: group, B: group, Protocol: "cub-loo", At: runs.AtLast, Metric: "R@1", SeedsA: []int{1, 2, 3}, SeedsB: []int{1, 2, 3},
		MeanA: 0.5203, MeanB: 0.5461, Delta: 0.0258, Low: 0.0102, High: 0.0414, Detectable: 0.0297, P: 0.0021, PHolm: 0.0021, Verdict: runs.Better,
	}}}
	if err := reports.DiffText(d, os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// after against before
	// A is run before, B is run after; Δ is B − A.
	// Better or worse: p, corrected for all rows of the table (Holm), is below 0.05. ~: no difference was shown.
	// Of simulated tables without a difference, with 2 to 10 seeds, about one in twenty at most had a better or worse row.
	// Finds is the true difference that the row would find in four of five cases.
	// 1 better, 0 worse, 0 no difference shown (~), 0 without a verdict.
	//
	// cub-loo
	// cub.mini-s64-jpeg
	// Group                   Metric    A %    B %   Δ pt     95% int. pt  Finds pt  p Holm  Verdict  Gained/lost
	// ───────────────────────────────────────────────────────────────────────────────────────────────────────────
	// convnet-frozen/bier-64  R@1     52.03  54.61  +2.58  [+1.02, +4.14]      2.97  0.0021  better             –
}
