package reports

import (
	"math"
	"slices"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// resultsOf returns a group's result on each protocol of its finished cells.
func resultsOf(run string, g runs.Group, done []runs.Cell, diff *runs.Diff) []Result {
	type id struct{ protocol, at string }
	var order []id
	found := map[id][]runs.Evaluation{}
	seeds := map[id][]int{}
	selections := map[id][]*runs.Selection{}
	for _, c := range done {
		for _, e := range c.Evaluations {
			k := id{e.Protocol, e.At}
			order = appendNew(order, k)
			found[k] = append(found[k], e)
			seeds[k] = append(seeds[k], c.Seed)
			if k.at != runs.AtLast && c.Selection != nil {
				selections[k] = append(selections[k], c.Selection)
			}
		}
	}
	var out []Result
	for _, k := range order {
		evaluations := found[k]
		first := evaluations[0]
		r := Result{
			Run: run, Group: g, Protocol: k.protocol, At: k.at, Seeds: seeds[k],
			Queries: first.Queries, Gallery: first.Gallery, Excluded: first.Excluded,
			Learners:   learnersOf(evaluations, seeds[k]),
			Selections: selections[k], Chosen: runs.SelectionLabel(selections[k]...),
		}
		if k.at != runs.AtLast && r.Chosen == "" { // nothing is known of the choice
			r.Chosen = k.at
		}
		var names []string
		for _, e := range evaluations {
			r.TestHashes = appendNew(r.TestHashes, e.TestHash)
			for name := range e.Metrics {
				names = appendNew(names, name)
			}
		}
		slices.SortFunc(names, compareMetrics)
		for _, name := range names {
			m := metricOf(name, evaluations, seeds[k])
			m.Versus = comparisonOf(diff, r, name)
			r.Metrics = append(r.Metrics, m)
		}
		out = append(out, r)
	}
	return out
}

// testLooks returns how often the models of all seeds together were compared by their test results;
// absent where they were not.
func (r Result) testLooks() table.Entry {
	if r.At != runs.AtPeek {
		return table.Entry{}
	}
	looks := 0
	for _, s := range r.Selections {
		looks += s.TestLooks
	}
	return table.Entry{Value: looks}
}

// metricOf summarizes one metric over a group's seeds. A seed at which ties decide it counts with
// its pessimistic bound.
func metricOf(name string, evaluations []runs.Evaluation, seeds []int) Metric {
	m := Metric{Name: name}
	var have []int
	for i, e := range evaluations {
		v, ok := e.Value(name)
		if !ok {
			continue
		}
		bounds, bounded := e.Bounds[name]
		if !bounded {
			bounds = [2]float64{v, v}
		}
		m.Collapsed = m.Collapsed || e.Collapsed(name)
		have = append(have, seeds[i])
		m.Values = append(m.Values, v)
		m.Pessimistic += bounds[0]
		m.Optimistic += bounds[1]
	}
	m.Pessimistic /= float64(len(have))
	m.Optimistic /= float64(len(have))
	m.Summary = runs.Summarize(m.Values, have)
	return m
}

// learnersOf summarizes an ensemble's learners over seeds; nil where the seeds do not have the same
// learners.
func learnersOf(evaluations []runs.Evaluation, seeds []int) []Learner {
	var out []Learner
	for i, l := range evaluations[0].Learners {
		var alone, cumulative []float64
		var recalls, cumulativeRecalls []map[string]float64
		for _, e := range evaluations {
			if len(e.Learners) != len(evaluations[0].Learners) || e.Learners[i].Size != l.Size {
				return nil
			}
			alone = append(alone, e.Learners[i].R1)
			cumulative = append(cumulative, e.Learners[i].Cumulative)
			recalls = append(recalls, e.Learners[i].Recalls)
			cumulativeRecalls = append(cumulativeRecalls, e.Learners[i].CumulativeRecalls)
		}
		out = append(out, Learner{
			Size: l.Size, R1: runs.Summarize(alone, seeds), Cumulative: runs.Summarize(cumulative, seeds),
			Recalls: commonMeans(recalls), CumulativeRecalls: commonMeans(cumulativeRecalls),
		})
	}
	return out
}

// commonMeans averages the entries that all maps have.
func commonMeans(all []map[string]float64) map[string]float64 {
	mean := map[string]float64{}
	for name := range all[0] {
		sum, n := 0.0, 0
		for _, m := range all {
			if v, ok := m[name]; ok {
				sum += v
				n++
			}
		}
		if n == len(all) {
			mean[name] = sum / float64(n)
		}
	}
	return mean
}

// comparisonOf returns the comparison of a result with its base.
func comparisonOf(d *runs.Diff, r Result, metric string) *runs.Comparison {
	if d == nil {
		return nil
	}
	fits := func(of, value string) bool { return of == value || of == "" } // refused for all
	for _, c := range d.Rows {
		refused := c.Reason != "" && fits(c.Protocol, r.Protocol) && fits(c.At, r.At) && fits(c.Metric, metric)
		if c.B == r.Group && (refused || c.Protocol == r.Protocol && c.At == r.At && c.Metric == metric) {
			c.Classes = nil // the diff's page has them
			return &c
		}
	}
	return nil
}

// curvePoints is the number of points that a training curve keeps: more than a chart can tell
// apart.
const curvePoints = 120

// meanCurve averages training over seeds; nil where nothing was trained. Seeds that stopped early
// count up to their last step.
func meanCurve(seeds [][]runs.TrainStep) *Curve {
	last := 0
	learners := 0
	for _, steps := range seeds {
		for _, s := range steps {
			last = max(last, s.Step)
			learners = max(learners, len(s.Learners))
		}
	}
	if last == 0 {
		return nil
	}
	c := &Curve{Width: (last + curvePoints - 1) / curvePoints}
	n := (last + c.Width - 1) / c.Width
	points := make([]curvePoint, n)
	for _, steps := range seeds {
		for _, s := range steps {
			if s.Step >= 1 {
				points[(s.Step-1)/c.Width].add(s, learners)
			}
		}
	}
	c.Learners, c.Weights = make([][]float64, learners), make([][]float64, learners)
	for _, p := range points {
		if p.n == 0 {
			continue
		}
		c.Steps = append(c.Steps, p.step/p.n)
		c.Loss = append(c.Loss, p.loss/p.n)
		c.Total = append(c.Total, p.total/p.n)
		c.Rate = append(c.Rate, p.rate/p.n)
		for i := range learners {
			c.Learners[i] = append(c.Learners[i], p.learners[i]/p.n)
			c.Weights[i] = append(c.Weights[i], p.weights[i]/p.n)
		}
	}
	for _, list := range append(append([][]float64{c.Loss, c.Total, c.Rate}, c.Learners...), c.Weights...) {
		for i, v := range list {
			list[i] = fiveDigits(v)
		}
	}
	return c
}

// fiveDigits rounds a point of a curve to five digits: ten times as fine as a chart shows, at a
// third of the length in report.json.
func fiveDigits(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 5-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// curvePoint sums the steps that one point of a curve stands for.
type curvePoint struct {
	n, step, loss, total, rate float64
	learners, weights          []float64
}

// add adds a step of a training with so many learners.
func (p *curvePoint) add(s runs.TrainStep, learners int) {
	if p.learners == nil {
		p.learners, p.weights = make([]float64, learners), make([]float64, learners)
	}
	p.n++
	p.step += float64(s.Step)
	p.loss += s.Loss
	p.total += s.Total
	p.rate += s.Rate
	for i, v := range s.Learners {
		p.learners[i] += v
	}
	for i, v := range s.Weights {
		if i < learners {
			p.weights[i] += v
		}
	}
}
