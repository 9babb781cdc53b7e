package main

import (
	"errors"
	"strings"
	"testing"

	"bierbench/runs"
)

func TestThresholds(t *testing.T) {
	row := func(metric, verdict string, delta float64) *runs.Diff {
		return &runs.Diff{Rows: []runs.Comparison{{Metric: metric, Verdict: verdict, Delta: delta}}}
	}
	refused := func(a, b []int) *runs.Diff {
		return &runs.Diff{Rows: []runs.Comparison{{Reason: "a reason", SeedsA: a, SeedsB: b}}}
	}
	for _, c := range []struct {
		name   string
		limits []string
		diff   *runs.Diff
		want   error
	}{
		{"any fall, without a threshold", nil, row("R@1", runs.Worse, -0.0001), errRegression},
		{"a fall within it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.004), nil},
		{"a fall of just it is not beyond it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.005), nil},
		{"a fall beyond it", []string{"R@1=0.5"}, row("R@1", runs.Worse, -0.0051), errRegression},
		{"that of another metric", []string{"R@1=50"}, row("MAP@R", runs.Worse, -0.0051), errRegression},
		{"a fall that is noise", []string{"R@1=0.5"}, row("R@1", runs.Noise, -0.2), nil},
		{"a collapsed row has no verdict", nil, row("R@1", "", -0.2), nil},
		{"a gain", []string{"R@1=0.5"}, row("R@1", runs.Better, 0.2), nil},
		{"a group that B does not have", nil, refused([]int{0}, nil), errLost},
		{"a group that A does not have", nil, refused(nil, []int{0}), nil},
		{"a group of both that cannot be compared", nil, refused([]int{0}, []int{0}), nil},
	} {
		limits, err := parseThresholds(c.limits, []string{"R@1", "MAP@R"})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := limits.check(c.diff); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
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
