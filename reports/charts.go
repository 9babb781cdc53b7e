package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"bierbench/reports/internal/chart"
	"bierbench/runs"
)

// chartPlace is what the methods in one chart have in common.
type chartPlace struct{ run, dataset, variant, backbone, mode, protocol string }

// placeOf returns the place of a group's results on a protocol; the protocol is empty for charts of
// training.
func placeOf(run string, g runs.Group, protocol string) chartPlace {
	return chartPlace{run: run, dataset: g.Dataset, variant: g.Variant, backbone: g.Backbone, mode: g.Mode, protocol: protocol}
}

// placeTitle names a place for the title of its chart.
func (r *Report) placeTitle(p chartPlace) string {
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

// lineStyles names each line of a report's charts and gives it a style: by method, and by size
// where there are several.
type lineStyles struct {
	methods []string
	sizes   map[string][]int
}

// lineStyles collects the methods and sizes of the report.
func (r *Report) lineStyles() lineStyles {
	l := lineStyles{sizes: map[string][]int{}}
	for _, g := range r.Groups {
		m := g.Group.Method
		l.methods = appendNew(l.methods, m)
		l.sizes[m] = appendNew(l.sizes[m], g.Group.Size)
	}
	return l
}

// style returns the style of a group: its position among the report's methods and sizes.
func (l lineStyles) style(g runs.Group) int {
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
func (l lineStyles) name(g runs.Group) string {
	if len(l.sizes[g.Method]) > 1 {
		return fmt.Sprintf("%s-%d", g.Method, g.Size)
	}
	return g.Method
}

// recallCharts returns R@K over K, one chart for each protocol and backbone.
func (r *Report) recallCharts() []chart.Chart {
	l := r.lineStyles()
	var c chartsByPlace
	for _, x := range r.Results {
		s := chart.Series{Name: l.name(x.Group), Style: l.style(x.Group), Methods: []string{x.Group.Method}}
		if x.At != runs.AtLast {
			s.Name += " (" + x.At + ")"
		}
		for _, m := range x.Metrics {
			if k, ok := recallK(m.Name); ok {
				s.Add(float64(k), m.Summary.Mean, m.Summary.Low, m.Summary.High)
			}
		}
		if len(s.X) < 2 { // a single K is in the table
			continue
		}
		p := placeOf(x.Run, x.Group, x.Protocol)
		plot := c.at(p, chart.Lines{X: "K (log scale)", Y: "R@K, %", KeyX: "K", KeyY: "R@K", LogX: true, Percent: true, Markers: true})
		for _, k := range s.X {
			plot.Ticks = appendNew(plot.Ticks, k)
		}
		plot.Series = append(plot.Series, s)
	}
	return c.charts(r, "recall", "R@K")
}

// trainingCharts returns the loss over the steps, one chart for each data set and backbone.
func (r *Report) trainingCharts() []chart.Chart {
	l := r.lineStyles()
	var c chartsByPlace
	for _, g := range r.Groups {
		if g.Curve == nil {
			continue
		}
		plot := c.at(placeOf(g.Run, g.Group, ""), chart.Lines{X: "step", Y: "metric loss", KeyX: "step", KeyY: "loss"})
		plot.Series = append(plot.Series, chart.Series{
			Name: l.name(g.Group), Style: l.style(g.Group), Methods: []string{g.Group.Method}, X: g.Curve.Steps, Y: g.Curve.Loss,
		})
	}
	return c.charts(r, "loss", "Metric loss")
}

// rateCharts returns the learning rate over the steps, one chart for each data set and backbone.
// Methods with the same course share a line.
func (r *Report) rateCharts() []chart.Chart {
	l := r.lineStyles()
	var c chartsByPlace
	for _, g := range r.Groups {
		if g.Curve == nil {
			continue
		}
		plot := c.at(placeOf(g.Run, g.Group, ""), chart.Lines{X: "step", Y: "learning rate", KeyX: "step", KeyY: "learning rate"})
		same := slices.IndexFunc(plot.Series, func(s chart.Series) bool {
			return slices.Equal(s.X, g.Curve.Steps) && slices.Equal(s.Y, g.Curve.Rate)
		})
		if same < 0 {
			plot.Series = append(plot.Series, chart.Series{
				Name: l.name(g.Group), Style: len(plot.Series), Methods: []string{g.Group.Method}, X: g.Curve.Steps, Y: g.Curve.Rate,
			})
			continue
		}
		plot.Series[same].Join(g.Group.Method)
	}
	return c.charts(r, "rate", "Learning rate")
}

// sizeCharts returns a metric over the size of the embedding, for methods that have several sizes.
func (r *Report) sizeCharts() []chart.Chart {
	l := r.lineStyles()
	var list []chart.Chart
	for _, metric := range []string{recallAt1, mapAtR} {
		var c chartsByPlace
		for _, x := range r.Results {
			m, ok := x.metric(metric)
			if !ok || x.At != runs.AtLast || len(l.sizes[x.Group.Method]) < 2 {
				continue
			}
			plot := c.at(placeOf(x.Run, x.Group, x.Protocol), chart.Lines{
				X: "embedding size (log scale)", Y: metric + ", %", KeyX: "embedding size", KeyY: metric, LogX: true, Percent: true, Markers: true,
			})
			at := slices.IndexFunc(plot.Series, func(s chart.Series) bool { return s.Name == x.Group.Method })
			if at < 0 {
				at = len(plot.Series)
				plot.Series = append(plot.Series, chart.Series{
					Name: x.Group.Method, Style: slices.Index(l.methods, x.Group.Method),
					Methods: []string{x.Group.Method},
				})
			}
			plot.Series[at].Add(float64(x.Group.Size), m.Summary.Mean, m.Summary.Low, m.Summary.High)
			plot.Ticks = appendNew(plot.Ticks, float64(x.Group.Size))
		}
		for _, plot := range c.plots {
			slices.Sort(plot.Ticks)
			plot.Series = slices.DeleteFunc(plot.Series, func(s chart.Series) bool { return len(s.X) < 2 })
			for i := range plot.Series {
				plot.Series[i].Sort()
			}
		}
		list = append(list, c.charts(r, "size-"+metric, metric+" over size")...)
	}
	return list
}

// timeCharts returns the seconds of a cell by stage, one chart for each data set and backbone.
func (r *Report) timeCharts() []chart.Chart {
	l := r.lineStyles()
	var order []chartPlace
	charts := map[chartPlace]*chart.Bars{}
	var stages []string
	for _, s := range r.stages() {
		if s != "total" {
			stages = append(stages, s)
		}
	}
	for _, g := range r.Groups {
		if len(g.Done) == 0 {
			continue
		}
		p := placeOf(g.Run, g.Group, "")
		if charts[p] == nil {
			charts[p] = &chart.Bars{X: "seconds of a cell", KeyX: "seconds", Parts: stages}
			order = append(order, p)
		}
		b := chart.Bar{Name: l.name(g.Group), Method: g.Group.Method}
		for _, s := range stages {
			v, ok := g.Timing[s]
			if !ok {
				v = math.NaN()
			}
			b.Values = append(b.Values, v)
		}
		charts[p].Bars = append(charts[p].Bars, b)
	}
	var list []chart.Chart
	for _, p := range order {
		list = append(list, chart.Chart{
			Name: r.placeName("time", p), Title: "Time by stage: " + r.placeTitle(p),
			Dataset: p.dataset, Plot: *charts[p],
		})
	}
	return list
}

// chartsByPlace has line charts by place, in the order in which they were asked for.
type chartsByPlace struct {
	order []chartPlace
	plots map[chartPlace]*chart.Lines
}

// at returns the chart of a place. Where it is new, it begins as the one given.
func (c *chartsByPlace) at(p chartPlace, empty chart.Lines) *chart.Lines {
	if c.plots[p] == nil {
		if c.plots == nil {
			c.plots = map[chartPlace]*chart.Lines{}
		}
		c.plots[p] = &empty
		c.order = append(c.order, p)
	}
	return c.plots[p]
}

// placeName names a chart of a place for its files.
func (r *Report) placeName(kind string, p chartPlace, more ...string) string {
	name := p.protocol
	if name == "" {
		name = p.dataset
	}
	parts := append([]string{kind, name, p.backbone, p.mode}, more...)
	if r.severalVariants(p.dataset) {
		parts = append(parts, p.variant)
	}
	if len(r.Runs) > 1 {
		parts = append(parts, p.run)
	}
	return fileName(strings.Join(parts, "-"))
}
