package reports

import (
	"fmt"

	"bierbench/runs"
)

// place is what the methods in one chart have in common.
type place struct{ run, dataset, variant, backbone, mode, protocol string }

func placeOf(run string, g runs.Group, protocol string) place {
	return place{run: run, dataset: g.Dataset, variant: g.Variant, backbone: g.Backbone, mode: g.Mode, protocol: protocol}
}

// placeTitle names what a chart's lines have in common.
func (r *Report) placeTitle(p place) string {
	name := p.protocol
	if name == "" {
		name = p.dataset
	}
	s := fmt.Sprintf("%s, %s %s", name, p.backbone, p.mode)
	if r.severalVariants(p.dataset) {
		s += ", " + p.variant
	}
	if len(r.Runs) > 1 {
		s += ", run " + p.run
	}
	return s
}

// severalVariants reports whether a data set appears in several variants.
func (r *Report) severalVariants(dataset string) bool {
	first := ""
	for _, g := range r.Groups {
		if g.Group.Dataset != dataset {
			continue
		}
		if first != "" && g.Group.Variant != first {
			return true
		}
		first = g.Group.Variant
	}
	return false
}

// lines names each line of a report's charts and gives it a style: by method,
// and by size where there are several.
type lines struct {
	methods []string
	sizes   map[string][]int
}

func (r *Report) lines() lines {
	l := lines{sizes: map[string][]int{}}
	for _, g := range r.Groups {
		m := g.Group.Method
		l.methods = appendNew(l.methods, m)
		l.sizes[m] = appendNew(l.sizes[m], g.Group.Size)
	}
	return l
}

// style returns the style of a method: its place among the report's methods.
func (l lines) style(g runs.Group) int {
	i := 0
	for _, m := range l.methods {
		for _, size := range l.sizes[m] {
			if m == g.Method && size == g.Size {
				return i
			}
			i++
		}
	}
	return i
}

// name returns the method's label, with the size where there are several.
func (l lines) name(g runs.Group) string {
	if len(l.sizes[g.Method]) > 1 {
		return fmt.Sprintf("%s-%d", g.Method, g.Size)
	}
	return g.Method
}

// recallCharts returns R@K over K, one chart for each protocol and backbone.
func (r *Report) recallCharts() []chart {
	l := r.lines()
	var order []place
	charts := map[place]*chart{}
	for _, x := range r.Results {
		s := series{Name: l.name(x.Group), Style: l.style(x.Group)}
		if x.At != runs.AtLast {
			s.Name += " (" + x.At + ")"
		}
		for _, m := range x.Metrics {
			if k, ok := recall(m.Name); ok {
				s.X, s.Y = append(s.X, float64(k)), append(s.Y, m.Summary.Mean)
				s.Low, s.High = append(s.Low, m.Summary.Low), append(s.High, m.Summary.High)
			}
		}
		if len(s.X) < 2 { // a single K is in the table
			continue
		}
		p := placeOf(x.Run, x.Group, x.Protocol)
		c := charts[p]
		if c == nil {
			c = &chart{
				ID: fmt.Sprintf("recall-%d", len(order)+1), Title: r.placeTitle(p),
				X: "K (log scale)", Y: "R@K, %", LogX: true, Percent: true, Markers: true, dataset: p.dataset,
			}
			charts[p] = c
			order = append(order, p)
		}
		for _, k := range s.X {
			c.Ticks = appendNew(c.Ticks, k)
		}
		c.Series = append(c.Series, s)
	}
	return inOrder(order, charts)
}

// trainingCharts returns the loss over the steps, one chart for each data set
// and backbone.
func (r *Report) trainingCharts() []chart {
	l := r.lines()
	var order []place
	charts := map[place]*chart{}
	for _, g := range r.Groups {
		if g.Curve == nil {
			continue
		}
		p := placeOf(g.Run, g.Group, "")
		c := charts[p]
		if c == nil {
			c = &chart{
				ID: fmt.Sprintf("loss-%d", len(order)+1), Title: r.placeTitle(p),
				X: "step", Y: "metric loss", dataset: p.dataset,
			}
			charts[p] = c
			order = append(order, p)
		}
		c.Series = append(c.Series, series{Name: l.name(g.Group), Style: l.style(g.Group), X: g.Curve.Steps, Y: g.Curve.Loss})
	}
	return inOrder(order, charts)
}

// learnerCharts returns the loss of each learner over the steps, one chart for
// each ensemble.
func (r *Report) learnerCharts() []chart {
	l := r.lines()
	var charts []chart
	for _, g := range r.Groups {
		if g.Curve == nil || len(g.Curve.Learners) < 2 {
			continue
		}
		c := chart{
			ID:    fmt.Sprintf("learners-%d", len(charts)+1),
			Title: l.name(g.Group) + ": " + r.placeTitle(placeOf(g.Run, g.Group, "")),
			X:     "step", Y: "metric loss", dataset: g.Group.Dataset,
		}
		for i, loss := range g.Curve.Learners {
			c.Series = append(c.Series, series{Name: fmt.Sprintf("learner %d", i+1), Style: i, X: g.Curve.Steps, Y: loss})
		}
		charts = append(charts, c)
	}
	return charts
}

// inOrder returns the charts of places, in order.
func inOrder(order []place, charts map[place]*chart) []chart {
	var list []chart
	for _, p := range order {
		list = append(list, *charts[p])
	}
	return list
}
