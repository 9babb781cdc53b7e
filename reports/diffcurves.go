package reports

import (
	"context"
	"fmt"
	"slices"

	"bierbench/reports/internal/chart"
	"bierbench/runs"
)

// mostCurves is the number of pairs of groups that a page draws. Each has two charts.
const mostCurves = 24

// DiffCurves has the charts of a diff's page, both sides of a pair in one chart. Pairs with a
// difference come first.
type DiffCurves struct {
	recall, training []chart.Chart
	Left             int // number of pairs that are not drawn
}

// curvePair is the subject of a chart: two groups on a protocol.
type curvePair struct {
	a, b         runs.Group
	protocol     string
	atA, atB     string
	runsB        []string
	verdictGiven bool
}

// NewDiffCurves reads the values of a diff's charts. opened are the runs of the diff, A's first.
func NewDiffCurves(ctx context.Context, d *runs.Diff, opened []*runs.Run) (*DiffCurves, error) {
	pairs := curvePairs(d)
	curves := &DiffCurves{Left: max(0, len(pairs)-mostCurves)}
	cells := map[string][]runs.Cell{}
	for _, r := range opened {
		list, err := r.Cells()
		if err != nil {
			return nil, fmt.Errorf("curves of run %s: %w", r.Record.ID, err)
		}
		cells[r.Record.ID] = list
	}
	var trained []string // groups of a data set are trained once for all of its protocols
	for _, p := range pairs[:len(pairs)-curves.Left] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sides := []curveSide{{name: "A: " + sideName(p.a, p.b, d.A, d), run: opened[0], group: p.a, at: p.atA}}
		for _, r := range opened {
			if slices.Contains(p.runsB, r.Record.ID) {
				sides = append(sides, curveSide{name: "B: " + sideName(p.b, p.a, r.Record.ID, d), run: r, group: p.b, at: p.atB})
			}
		}
		title := fmt.Sprintf("%s, %s-%s/%s-%d", p.protocol, p.b.Backbone, p.b.Mode, p.b.Method, p.b.Size)
		recall := chart.Lines{X: "K (log scale)", Y: "R@K, %", KeyX: "K", KeyY: "R@K", LogX: true, Percent: true, Markers: true}
		training := chart.Lines{X: "step", Y: "metric loss", KeyX: "step", KeyY: "loss"}
		shown := chart.Chart{Title: title, Dataset: p.b.Dataset, Method: p.b.Method}
		for i, s := range sides {
			group := groupOf(cells[s.run.Record.ID], s.group)
			if line := recallLine(group, p.protocol, s.at); len(line.X) > 1 {
				line.Name, line.Style = s.name, i
				recall.Series = append(recall.Series, line)
				for _, k := range line.X {
					recall.Ticks = appendNew(recall.Ticks, k)
				}
			}
			line, err := lossLine(s.run, group)
			if err != nil {
				return nil, err
			}
			if len(line.X) > 0 {
				line.Name, line.Style = s.name, i
				training.Series = append(training.Series, line)
			}
		}
		if len(recall.Series) > 0 {
			slices.Sort(recall.Ticks)
			shown.Name, shown.Plot = fmt.Sprintf("diff-recall-%d", len(curves.recall)+1), recall
			curves.recall = append(curves.recall, shown)
		}
		key := p.a.Path() + "\x00" + p.b.Path()
		if len(training.Series) > 0 && !slices.Contains(trained, key) {
			trained = append(trained, key)
			shown.Name, shown.Plot = fmt.Sprintf("diff-loss-%d", len(curves.training)+1), training
			curves.training = append(curves.training, shown)
		}
	}
	return curves, nil
}

// curveSide is a line of a chart: a group in a run.
type curveSide struct {
	name  string
	run   *runs.Run
	group runs.Group
	at    string
}

// sideName names a side by its run, or by its method inside one run.
func sideName(g, other runs.Group, run string, d *runs.Diff) string {
	switch {
	case d.Base == "":
		return run
	case g.Size != other.Size:
		return fmt.Sprintf("%s-%d", g.Method, g.Size)
	}
	return g.Method
}

// curvePairs returns the pairs of a diff's compared rows. Those with a verdict of better or worse
// come first; otherwise the order is that of the rows.
func curvePairs(d *runs.Diff) []curvePair {
	var pairs []curvePair
	for _, c := range d.Rows {
		if c.Reason != "" {
			continue
		}
		atA := c.At
		if c.AtA != "" {
			atA = c.AtA
		}
		i := slices.IndexFunc(pairs, func(p curvePair) bool {
			return p.a == c.A && p.b == c.B && p.protocol == c.Protocol && p.atA == atA && p.atB == c.At
		})
		if i < 0 {
			i = len(pairs)
			pairs = append(pairs, curvePair{a: c.A, b: c.B, protocol: c.Protocol, atA: atA, atB: c.At})
		}
		run := c.RunB
		if run == "" {
			run = d.B
		}
		pairs[i].runsB = appendNew(pairs[i].runsB, run)
		pairs[i].verdictGiven = pairs[i].verdictGiven || c.Verdict == runs.Better || c.Verdict == runs.Worse
	}
	slices.SortStableFunc(pairs, func(x, y curvePair) int {
		switch {
		case x.verdictGiven == y.verdictGiven:
			return 0
		case x.verdictGiven:
			return -1
		}
		return 1
	})
	return pairs
}

// groupOf returns the done cells of a group.
func groupOf(cells []runs.Cell, g runs.Group) runs.GroupCells {
	group := runs.GroupCells{Group: g}
	for _, c := range cells {
		if c.Group == g && c.Status == runs.Done {
			group.Cells = append(group.Cells, c)
		}
	}
	return group
}

// recallLine returns R@K over K, with mean and interval over seeds.
func recallLine(g runs.GroupCells, protocol, at string) chart.Series {
	var names []string
	for _, c := range g.Cells {
		e, _ := c.Evaluation(protocol, at)
		for m := range e.Metrics {
			if _, ok := recallK(m); ok {
				names = appendNew(names, m)
			}
		}
	}
	slices.SortFunc(names, compareMetrics)
	var line chart.Series
	for _, m := range names {
		k, _ := recallK(m)
		s, ok := g.Summary(protocol, at, m)
		if !ok {
			continue
		}
		line.X, line.Y = append(line.X, float64(k)), append(line.Y, s.Mean)
		line.Low, line.High = append(line.Low, s.Low), append(line.High, s.High)
	}
	return line
}

// lossLine returns the loss over the steps, the mean over seeds.
func lossLine(r *runs.Run, g runs.GroupCells) (chart.Series, error) {
	var seeds [][]runs.TrainStep
	for _, c := range g.Cells {
		steps, err := r.Steps(c)
		if err != nil {
			return chart.Series{}, err
		}
		if len(steps) > 0 {
			seeds = append(seeds, steps)
		}
	}
	c := meanCurve(seeds)
	if c == nil {
		return chart.Series{}, nil
	}
	return chart.Series{X: c.Steps, Y: c.Loss}, nil
}
