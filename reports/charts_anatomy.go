package reports

import (
	"fmt"

	"bierbench/reports/internal/chart"
)

// chartKind is the charts of one kind: one for each ensemble, or one for each of its protocols.
type chartKind struct {
	Title  string
	Charts []chart.Chart
}

// ensembleCharts returns the charts of each ensemble, the most telling kinds first.
func (r *Report) ensembleCharts() []chartKind {
	return []chartKind{
		{"R@1 of each learner, alone and cumulative", r.learnerRecallCharts()},
		{"Correlation between learners", r.learnerMatrixCharts()},
		{"Mean boosting weight of each learner", r.weightCharts()},
		{"Distribution of the boosting weights", r.weightShareCharts()},
		{"Loss of each learner", r.learnerLossCharts()},
		{"Correlation between blocks of dimensions", r.blockCharts()},
	}
}

// ensembleChart returns a chart about one group.
func (r *Report) ensembleChart(kind, what string, p chartPlace, g Group, plot chart.Plot) chart.Chart {
	name := r.lineStyles().name(g.Group)
	return chart.Chart{
		Name: r.placeName(kind, p, name), Title: what + " of " + name + ": " + r.placeTitle(p),
		Dataset: g.Group.Dataset, Method: g.Group.Method, Plot: plot,
	}
}

// learnerRecallCharts shows R@1 of the learners in boosting order.
func (r *Report) learnerRecallCharts() []chart.Chart {
	var list []chart.Chart
	for _, x := range r.Results {
		if len(x.Learners) < 2 {
			continue
		}
		c := chart.Lines{X: "learner, in boosting order", Y: "R@1, %", KeyX: "learner", KeyY: recallAt1, Percent: true, Markers: true}
		alone, cumulative := chart.Series{Name: "alone"}, chart.Series{Name: "with all before", Style: 1}
		for i, l := range x.Learners {
			c.Ticks = append(c.Ticks, float64(i+1))
			alone.Add(float64(i+1), l.R1.Mean, l.R1.Low, l.R1.High)
			cumulative.Add(float64(i+1), l.Cumulative.Mean, l.Cumulative.Low, l.Cumulative.High)
		}
		c.Series = []chart.Series{alone, cumulative}
		list = append(list, r.ensembleChart("learners", "R@1 of the learners", placeOf(x.Run, x.Group, x.Protocol), r.group(x), c))
	}
	return list
}

// learnerMatrixCharts shows how much the dimensions of two learners correlate.
func (r *Report) learnerMatrixCharts() []chart.Chart {
	var list []chart.Chart
	for _, g := range r.Groups {
		if g.Anatomy == nil || len(g.Anatomy.LearnerMatrix) < 2 {
			continue
		}
		c := chart.Matrix{
			What: "Mean absolute correlation between dimensions of two learners", Part: "learner",
			Values: g.Anatomy.LearnerMatrix, Text: len(g.Anatomy.LearnerMatrix) <= 6,
		}
		for i := range c.Values {
			c.Names = append(c.Names, fmt.Sprintf("learner %d", i+1))
		}
		list = append(list, r.ensembleChart("correlation", "Correlation", placeOf(g.Run, g.Group, ""), g, c))
	}
	return list
}

// blockCharts shows the correlation between blocks of dimensions.
func (r *Report) blockCharts() []chart.Chart {
	var list []chart.Chart
	for _, g := range r.Groups {
		if g.Anatomy == nil || g.Anatomy.Blocks == nil {
			continue
		}
		c := chart.Matrix{What: "Mean absolute correlation between blocks of dimensions", Part: "block", Values: g.Anatomy.Blocks.Matrix}
		from := 1
		for i := range c.Values {
			to := from
			if i < len(g.Anatomy.Blocks.Sizes) {
				to += g.Anatomy.Blocks.Sizes[i] - 1
			}
			c.Names = append(c.Names, fmt.Sprintf("%d to %d", from, to))
			from = to + 1
		}
		list = append(list, r.ensembleChart("blocks", "Correlation of dimensions", placeOf(g.Run, g.Group, ""), g, c))
	}
	return list
}

// weightShareCharts shows how the boosting weights are distributed over training.
func (r *Report) weightShareCharts() []chart.Chart {
	var list []chart.Chart
	for _, g := range r.Groups {
		if g.Anatomy != nil && g.Anatomy.Weights != nil {
			list = append(list, r.ensembleChart("weight-shares", "Boosting weights", placeOf(g.Run, g.Group, ""), g, chart.Strips{
				Steps: g.Anatomy.Weights.Steps, Positive: g.Anatomy.Weights.Positive, Negative: g.Anatomy.Weights.Negative,
			}))
		}
	}
	return list
}

// learnerLossCharts shows the loss of each learner over the steps.
func (r *Report) learnerLossCharts() []chart.Chart {
	return r.learnerCurves("learner-loss", "Loss", "metric loss", "loss", func(c *Curve) [][]float64 { return c.Learners })
}

// weightCharts shows the mean boosting weight of each learner over the steps.
func (r *Report) weightCharts() []chart.Chart {
	return r.learnerCurves("weights", "Mean boosting weight", "mean boosting weight", "weight",
		func(c *Curve) [][]float64 { return c.Weights })
}

// learnerCurves shows a curve of each learner of each ensemble.
func (r *Report) learnerCurves(kind, what, axis, key string, of func(*Curve) [][]float64) []chart.Chart {
	var list []chart.Chart
	for _, g := range r.Groups {
		if g.Curve == nil || len(g.Curve.Learners) < 2 {
			continue
		}
		c := chart.Lines{X: "step", Y: axis, KeyX: "step", KeyY: key}
		for i, values := range of(g.Curve) {
			c.Series = append(c.Series, chart.Series{Name: fmt.Sprintf("learner %d", i+1), Style: i, X: g.Curve.Steps, Y: values})
		}
		list = append(list, r.ensembleChart(kind, what, placeOf(g.Run, g.Group, ""), g, c))
	}
	return list
}
