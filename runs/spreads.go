package runs

import (
	"encoding/json"
	"slices"

	"bierbench/runs/internal/paired"
)

// untrained reports whether a cell evaluates features as they are: it has no seed to vary.
func untrained(c Cell) bool {
	var config struct {
		Untrained bool `json:"untrained"`
	}
	return json.Unmarshal(c.Config, &config) == nil && config.Untrained
}

// sameOrigin reports whether the configurations of two cells say the same kind of thing: both were
// trained, or neither was, or both have vectors of another program.
func sameOrigin(a, b Cell) bool {
	return untrained(a) == untrained(b) && (a.External == nil) == (b.External == nil)
}

// oneSeed reports whether a group varies with its seed and has one, so that nothing is known of what
// another seed would give.
func oneSeed(g GroupCells) bool { return len(g.Cells) == 1 && !untrained(g.Cells[0]) }

// spreadOf says of what the variance of seeds is: the groups of one data set, backbone and mode
// share its prior on each protocol and metric. The method and size of where are empty.
type spreadOf struct {
	where                     Group
	protocol, at, atA, metric string
}

// prior returns what all groups at hand tell of the variance of seeds in a row. They are read from
// the records, which agree with the queries.
func (c *comparer) prior(row Comparison) paired.Prior {
	of := spreadOf{row.B, row.Protocol, row.At, row.AtA, row.Metric}
	of.where.Method, of.where.Size = "", 0
	p, ok := c.priors[of]
	if !ok {
		p = paired.NewPrior(of.spreads(c.groups))
		c.priors[of] = p
	}
	return p
}

// spreads returns the spreads of groups. A group that two runs have with the same values counts
// once: it is one training, recorded twice.
func (of spreadOf) spreads(groups []GroupCells) []paired.Spread {
	var spreads []paired.Spread
	seen := map[Group][][]float64{}
	for _, g := range groups {
		where := g.Group
		where.Method, where.Size = "", 0
		if where != of.where {
			continue
		}
		g = g.Done()
		if len(g.Cells) < 2 || untrained(g.Cells[0]) {
			continue
		}
		if _, mixed := g.mixed(); mixed {
			continue
		}
		for _, at := range slices.Compact([]string{of.at, of.atA}) {
			means, ok := g.means(of.protocol, at, of.metric)
			same := func(other []float64) bool { return slices.Equal(other, means) }
			if !ok || slices.ContainsFunc(seen[g.Group], same) {
				continue
			}
			seen[g.Group] = append(seen[g.Group], means)
			spreads = append(spreads, paired.SpreadOf(means))
		}
	}
	return spreads
}

// means returns a metric of each seed; false where a seed lacks it or ties decide it.
func (g GroupCells) means(protocol, at, metric string) ([]float64, bool) {
	var means []float64
	for _, cell := range g.Cells {
		e, ok := cell.Evaluation(protocol, at)
		if !ok || e.Collapsed(metric) {
			return nil, false
		}
		v, ok := e.Metrics[metric]
		if !ok {
			return nil, false
		}
		means = append(means, v)
	}
	return means, true
}
