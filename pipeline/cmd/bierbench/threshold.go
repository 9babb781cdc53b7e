package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bierbench/runs"
)

// thresholds are by how many percentage points a metric may fall; one that is
// not there must not fall at all.
type thresholds map[string]float64

// parseThresholds reads METRIC=POINTS of each limit. metrics are those that are
// compared.
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
			return nil, fmt.Errorf("--threshold %q: %s is not compared, want one of %s or more --metrics", limit, metric, strings.Join(metrics, ", "))
		}
		t[metric] = points
	}
	return t, nil
}

// check returns errRegression where a row is worse and fell by more than its
// metric may, and errLost where A has results of a group and B has none.
func (t thresholds) check(d *runs.Diff) error {
	// Points are fractions times 100: half a millionth is rounding, not a fall.
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
