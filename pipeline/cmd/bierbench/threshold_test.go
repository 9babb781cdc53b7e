package main

import (
	"strings"
	"testing"

	"bierbench/runs"
)

func TestThresholds(t *testing.T) {
	row := func(metric, verdict string, delta float64) *runs.Diff {
		return &runs.Diff{Rows: []runs.Comparison{{Metric: metric, Verdict: verdict, Delta: delta}}}
	}
	for _, c := range []struct {
		name   string
		limits []string
		diff   *runs.Diff
		fails  bool
	}{
		{"any fall, without a threshold", nil, row("R@1", runs.Worse, -0.0001), true},
		{"a fall within it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.004), false},
		{"a fall of just it is not beyond it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.005), false},
		{"a fall beyond it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.0051), true},
		{"that of another metric", []string{"R@1=50"}, row("MAP@R", runs.Worse, -0.0051), true},
		{"a fall that is noise", []string{"R@1=0.5"}, row("R@1", runs.Noise, -0.2), false},
		{"a collapsed row has no verdict", nil, row("R@1", "", -0.2), false},
		{"a gain", []string{"R@1=0.5"}, row("R@1", runs.Better, 0.2), false},
	} {
		limits, err := parseThresholds(c.limits, []string{"R@1", "MAP@R"})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := limits.exceeded(c.diff); got != c.fails {
			t.Errorf("%s: fails %v, want %v", c.name, got, c.fails)
		}
	}
	for _, c := range []struct {
		limits []string
		want   string
	}{
		{[]string{"R@1"}, "want METRIC=POINTS"},
		{[]string{"=1"}, "want METRIC=POINTS"},
		{[]string{"R@1=much"}, "want METRIC=POINTS"},
		{[]string{"R@1=-1"}, "want METRIC=POINTS"},
		{[]string{"R@1=NaN"}, "want METRIC=POINTS"},
		{[]string{"R@1=101"}, "want METRIC=POINTS"},
		{[]string{"R@1=1", "R@1=2"}, "has a threshold already"},
		{[]string{"R@7=1"}, "is not compared"},
	} {
		if _, err := parseThresholds(c.limits, []string{"R@1", "MAP@R"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.limits, err, c.want)
		}
	}
}
