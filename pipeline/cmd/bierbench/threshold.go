package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/runs"
)

// thresholds are the percentage points that each metric may fall by. A metric without a threshold
// must not fall at all.
type thresholds map[string]float64

// parseThresholds reads limits of the form METRIC=POINTS. metrics are those that are compared.
func parseThresholds(limits, metrics []string) (thresholds, error) {
	t := thresholds{}
	for _, limit := range limits {
		metric, text, found := strings.Cut(limit, "=")
		points, err := strconv.ParseFloat(text, 64)
		if !found || metric == "" || err != nil || math.IsNaN(points) || points < 0 || points > 100 {
			return nil, fmt.Errorf("--threshold %q: want METRIC=POINTS, such as R@1=0.5, with 0 to 100 percentage points", limit)
		}
		if _, twice := t[metric]; twice {
			return nil, fmt.Errorf("--threshold %q: %s has a threshold already", limit, metric)
		}
		if !slices.Contains(metrics, metric) && !slices.Equal(metrics, []string{"all"}) {
			return nil, fmt.Errorf("--threshold %q: %s is not compared, want one of %s or more --metrics",
				limit, metric, strings.Join(metrics, ", "))
		}
		t[metric] = points
	}
	return t, nil
}

// check returns errRegression where a row is worse and fell by more than the threshold of its
// metric, and errLost where A has results of a group and B has none.
func (t thresholds) check(d *runs.Diff) error {
	// A delta is a fraction, here times 100: half a millionth of a point comes from rounding.
	const dust = 5e-7
	switch {
	case slices.ContainsFunc(d.Rows, func(c runs.Comparison) bool {
		return c.Verdict == runs.Worse && -100*c.Delta > t[c.Metric]+dust
	}):
		return errRegression
	case slices.ContainsFunc(d.Rows, func(c runs.Comparison) bool {
		return c.Reason != "" && len(c.SeedsA) > 0 && len(c.SeedsB) == 0
	}):
		return errLost
	}
	return nil
}
