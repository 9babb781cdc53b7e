package runs

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// GroupCells is a group and its cells, by ascending seed.
type GroupCells struct {
	Group Group
	Cells []Cell
}

// Groups sorts cells into groups, in the order of their first cells.
func Groups(cells []Cell) []GroupCells {
	var groups []GroupCells
	at := make(map[Group]int)
	for _, c := range cells {
		i, ok := at[c.Group]
		if !ok {
			i = len(groups)
			at[c.Group] = i
			groups = append(groups, GroupCells{Group: c.Group})
		}
		groups[i].Cells = append(groups[i].Cells, c)
	}
	for _, g := range groups {
		slices.SortFunc(g.Cells, func(a, b Cell) int { return a.Seed - b.Seed })
	}
	return groups
}

// Done returns the group with its finished cells alone.
func (g GroupCells) Done() GroupCells {
	done := GroupCells{Group: g.Group}
	for _, c := range g.Cells {
		if c.Status == Done {
			done.Cells = append(done.Cells, c)
		}
	}
	return done
}

// Seeds returns the seeds of the cells.
func (g GroupCells) Seeds() []int {
	seeds := make([]int, len(g.Cells))
	for i, c := range g.Cells {
		seeds[i] = c.Seed
	}
	return seeds
}

// Summary summarises a metric of an evaluation over the finished cells that have it; false if none
// has. A collapsed metric counts with its pessimistic bound.
func (g GroupCells) Summary(protocol, at, metric string) (Summary, bool) {
	var values []float64
	var seeds []int
	for _, c := range g.Done().Cells {
		e, ok := c.Evaluation(protocol, at)
		if !ok {
			continue
		}
		if v, ok := e.Value(metric); ok {
			values, seeds = append(values, v), append(seeds, c.Seed)
		}
	}
	return Summarize(values, seeds), len(values) > 0
}

// Evaluation returns the evaluation on a protocol at a state of the model.
func (c Cell) Evaluation(protocol, at string) (Evaluation, bool) {
	for _, e := range c.Evaluations {
		if e.Protocol == protocol && e.At == at {
			return e, true
		}
	}
	return Evaluation{}, false
}

// Value returns a metric, or its pessimistic bound where it is collapsed.
func (e Evaluation) Value(metric string) (float64, bool) {
	v, ok := e.Metrics[metric]
	if ok && e.Collapsed(metric) {
		v = e.Bounds[metric][0]
	}
	return v, ok
}

// Summarize returns mean, standard deviation and 95% interval of a metric over seeds: mean -+
// t(0.975, n-1) sd / sqrt(n), Student's interval. values and seeds are [n]; no values give a zero
// Summary.
func Summarize(values []float64, seeds []int) Summary {
	s := Summary{Seeds: slices.Clone(seeds)}
	n := len(values)
	if n == 0 {
		return s
	}
	s.Mean = stat.Mean(values, nil)
	s.Low, s.High = s.Mean, s.Mean
	if n == 1 {
		return s
	}
	s.SD = stat.StdDev(values, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975) * s.SD / math.Sqrt(float64(n))
	s.Low, s.High = s.Mean-half, s.Mean+half
	return s
}

// The names of metrics besides R@K.
const (
	mapAtR     = "MAP@R"
	rPrecision = "R-precision"
)

// recallAt returns K of a metric R@K.
func recallAt(metric string) (k int, ok bool) {
	digits, ok := strings.CutPrefix(metric, "R@")
	if !ok {
		return 0, false
	}
	k, err := strconv.Atoi(digits)
	return k, err == nil && k > 0
}

// compareMetrics orders metrics as tables show them: R@K by K, MAP@R, R-precision, others by name.
func compareMetrics(a, b string) int {
	rank := func(m string) int {
		if k, ok := recallAt(m); ok {
			return k
		}
		switch m {
		case mapAtR:
			return math.MaxInt - 2
		case rPrecision:
			return math.MaxInt - 1
		}
		return math.MaxInt
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}
