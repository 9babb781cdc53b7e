package runs

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   Summary
	}{
		{"no value", nil, Summary{}},
		{"one value has no interval", []float64{0.5}, Summary{Seeds: []int{1}, Mean: 0.5, Low: 0.5, High: 0.5}},
		{"equal values", []float64{0.5, 0.5}, Summary{Seeds: []int{1, 2}, Mean: 0.5, Low: 0.5, High: 0.5}},
		// By hand: sd sqrt(2.5); t(0.975, 4) = 2.776445105 from printed tables.
		{"five values", []float64{1, 2, 3, 4, 5}, Summary{
			Seeds: []int{1, 2, 3, 4, 5}, Mean: 3, SD: 1.58113883,
			Low: 3 - 1.96324316, High: 3 + 1.96324316,
		}},
		// t(0.975, 1) = 12.706204736.
		{"two values", []float64{0, 1}, Summary{Seeds: []int{1, 2}, Mean: 0.5, SD: 0.70710678, Low: 0.5 - 6.35310237, High: 0.5 + 6.35310237}},
	} {
		var seeds []int
		for i := range tt.values {
			seeds = append(seeds, i+1)
		}
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-7 }) // digits of the tables
		if d := cmp.Diff(tt.want, Summarize(tt.values, seeds), near); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestGroups(t *testing.T) {
	cell := func(method string, seed int, status string, r1 float64) Cell {
		c := doneCell(cellKey(method, seed))
		c.Status = status
		c.Evaluations = []Evaluation{{
			Protocol: "p", At: "last", Metrics: map[string]float64{"R@1": r1},
			Bounds: map[string][2]float64{"R@1": {r1, r1}},
		}}
		return c
	}
	collapsed := cell("b", 3, Done, 0.9)
	collapsed.Evaluations[0].Bounds["R@1"] = [2]float64{0.2, 1}
	groups := Groups([]Cell{cell("b", 10, Done, 0.4), cell("a", 1, Done, 0.1), cell("b", 2, Failed, 0), collapsed})
	if len(groups) != 2 || groups[0].Group.Method != "b" || !slices.Equal(groups[0].Seeds(), []int{2, 3, 10}) {
		t.Fatalf("groups = %+v, want b with seeds by number, then a", groups)
	}
	got, ok := groups[0].Summary("p", "last", "R@1")
	if !ok || !slices.Equal(got.Seeds, []int{3, 10}) || math.Abs(got.Mean-0.3) > 1e-12 {
		t.Errorf("summary = %+v, want 0.3: the pessimistic 0.2 and 0.4, without the failed seed", got)
	}
	if _, ok := groups[0].Summary("p", "last", "R@2"); ok {
		t.Error("a metric that no cell has was summarised")
	}
}
