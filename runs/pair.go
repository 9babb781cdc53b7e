package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bierbench/runs/internal/paired"
)

// compare adds the rows of one group against another, one for each protocol and metric.
func (c *comparer) compare(ctx context.Context, a, b side) error {
	notes := c.differences(a, b)
	unfinished := append(a.unfinished(), b.unfinished()...)
	a.group, b.group = a.group.Done(), b.group.Done()
	row := Comparison{A: a.group.Group, B: b.group.Group, RunB: c.run, SeedsA: a.group.Seeds(), SeedsB: b.group.Seeds()}
	for _, s := range []struct {
		name string
		side side
	}{{"A", a}, {"B", b}} {
		if len(s.side.group.Cells) == 0 {
			c.refuse(row, s.name+" has no finished cell")
			return nil
		}
		if seed, ok := s.side.group.mixed(); ok {
			c.refuse(row, fmt.Sprintf("seed %d of %s has another configuration or other data than seed %d", seed, s.name,
				s.side.group.Cells[0].Seed))
			return nil
		}
	}
	scopes := scopesOf(a.group, b.group)
	before := len(c.diff.Rows)
	for _, s := range scopes {
		if err := ctx.Err(); err != nil {
			return err
		}
		row.Protocol, row.At, row.AtA = s.protocol, s.b, ""
		if s.a != s.b {
			row.AtA = s.a
		}
		first := len(c.diff.Rows)
		if err := c.compareScope(row, s, a, b); err != nil {
			c.refuse(row, err.Error())
		}
		for i := first; i < len(c.diff.Rows); i++ {
			for _, n := range slices.Concat(notes, unfinished, s.notes(a.group, b.group)) {
				c.note(&c.diff.Rows[i], n)
			}
		}
	}
	if len(scopes) == 0 {
		c.refuse(row, "nothing was evaluated")
	}
	if first, other := a.group.Cells[0], b.group.Cells[0]; sameOrigin(first, other) {
		c.configurations(first.Config, other.Config, before)
	}
	return nil
}

// mixed returns a seed whose configuration or data differs from the first seed's.
func (g GroupCells) mixed() (int, bool) {
	for _, c := range g.Cells[1:] {
		if c.ConfigHash != g.Cells[0].ConfigHash || c.DataHash != g.Cells[0].DataHash {
			return c.Seed, true
		}
	}
	return 0, false
}

// evaluations returns the evaluation of each cell. All must exist and have the same test images.
func (s side) evaluations(protocol, at, name string) ([]Evaluation, error) {
	var all []Evaluation
	for _, cell := range s.group.Cells {
		e, ok := cell.Evaluation(protocol, at)
		if !ok {
			return nil, fmt.Errorf("%s has no evaluation of this protocol at seed %d", name, cell.Seed)
		}
		if len(all) > 0 && e.TestHash != all[0].TestHash {
			return nil, fmt.Errorf("the seeds of %s have different test images", name)
		}
		all = append(all, e)
	}
	return all, nil
}

// load reads the outcomes of each cell, which must have the same queries.
func (s side) load(row Comparison, name string) ([]*outcomes, error) {
	var all []*outcomes
	for _, cell := range s.group.Cells {
		o, err := s.run.outcomes(cell, row.Protocol)
		if err != nil {
			return nil, fmt.Errorf("queries of %s at seed %d: %w", name, cell.Seed, err)
		}
		if len(all) > 0 {
			if d := all[0].sameQueries(o); d != "" {
				return nil, fmt.Errorf("the seeds of %s have different queries: %s", name, d)
			}
		}
		all = append(all, &o)
	}
	return all, nil
}

// base loads the outcomes of A. In a table of methods the same base returns again and again, so the
// last one is kept.
func (c *comparer) base(row Comparison, a side) ([]*outcomes, error) {
	which := a.run.Dir + "\x00" + a.group.Group.Path()
	if c.cached != which {
		c.cached, c.cache = which, make(map[string][]*outcomes)
	}
	if o, ok := c.cache[row.Protocol]; ok {
		return o, nil
	}
	o, err := a.load(row, "A")
	if err != nil {
		return nil, err
	}
	c.cache[row.Protocol] = o
	return o, nil
}

// compareScope adds a row for each metric of a protocol. An error says why the protocol cannot be
// compared.
func (c *comparer) compareScope(row Comparison, s scope, a, b side) error {
	if err := s.honest(a.group, b.group); err != nil {
		return err
	}
	ea, err := a.evaluations(s.protocol, s.a, "A")
	if err != nil {
		return err
	}
	eb, err := b.evaluations(s.protocol, s.b, "B")
	if err != nil {
		return err
	}
	if ea[0].TestHash != eb[0].TestHash {
		return errors.New("the test images differ")
	}
	oa, err := c.base(row, a)
	if err != nil {
		return err
	}
	ob, err := b.load(row, "B")
	if err != nil {
		return err
	}
	if d := oa[0].sameQueries(*ob[0]); d != "" {
		return fmt.Errorf("the queries differ: %s", d)
	}
	if len(oa[0].id) == 0 {
		return errors.New("no query has a positive")
	}
	index, counts := oa[0].classIndex()
	for _, metric := range c.metrics {
		row.Metric = metric
		if err := c.compareMetric(row, a.group, b.group, ea, eb, oa, ob, index, counts); err != nil {
			c.refuse(row, err.Error())
		}
	}
	return nil
}

// compareMetric adds the row of a metric. ea and oa belong to the seeds of a, eb and ob to those of
// b; index and counts are those of classIndex.
func (c *comparer) compareMetric(row Comparison, a, b GroupCells, ea, eb []Evaluation, oa, ob []*outcomes, index []int,
	counts []float64,
) error {
	missing := func(es []Evaluation) bool {
		return slices.ContainsFunc(es, func(e Evaluation) bool { _, ok := e.Metrics[row.Metric]; return !ok })
	}
	switch noneA, noneB := missing(ea), missing(eb); {
	case noneA && noneB:
		return nil // not a metric of this protocol
	case noneA:
		return fmt.Errorf("only B has %s", row.Metric)
	case noneB:
		return fmt.Errorf("only A has %s", row.Metric)
	}
	collapsed := func(e Evaluation) bool { return e.Collapsed(row.Metric) }
	if slices.ContainsFunc(ea, collapsed) || slices.ContainsFunc(eb, collapsed) {
		c.collapsed(row, ea, eb)
		return nil
	}
	sumsA, va, err := seedSums(row, "A", ea, oa, index, len(counts))
	if err != nil {
		return err
	}
	sumsB, vb, err := seedSums(row, "B", eb, ob, index, len(counts))
	if err != nil {
		return err
	}
	s := paired.Sample{Count: counts, A: sumsA, B: sumsB}
	e := s.Estimate()
	row.MeanA, row.MeanB, row.Delta = e.MeanA, e.MeanB, e.Delta
	row.Notes = slices.Clone(row.Notes)
	identical := slices.Equal(row.SeedsA, row.SeedsB)
	for i := range va {
		identical = identical && slices.Equal(va[i], vb[i])
	}
	if identical {
		// The same seeds gave the same values: there is nothing to draw.
		e = paired.Estimate{MeanA: e.MeanA, MeanB: e.MeanA}
		row.MeanB, row.Delta = e.MeanB, 0
		c.note(&row, "equal query by query in every seed")
	}
	if _, recall := recallAt(row.Metric); recall {
		row.pairs(va, vb)
	}
	if row.Metric == "R@1" {
		row.Classes = row.classes(s, va, vb, oa[0].class, index)
	}
	waiting := waitingRow{estimate: e}
	switch {
	case c.options.Models:
		row.ClassesOnly, waiting.estimate = true, e.FixedSeeds()
	case identical:
	case oneSeed(a) || oneSeed(b):
		row.ClassesOnly, waiting.estimate, waiting.shown = true, e.FixedSeeds(), true
	default:
		waiting.prior = c.prior(row)
	}
	c.cautions(&row, len(counts), waiting.shown)
	c.waiting[len(c.diff.Rows)] = waiting
	c.diff.Rows = append(c.diff.Rows, row)
	return nil
}

// seedSums returns a metric of one side, read from the queries of its seeds. values is
// [seeds][queries]; sums is [seeds][classes], the values summed by class. Their means must agree
// with the records es. index is [queries], the class of each; name is A or B, for the error.
func seedSums(row Comparison, name string, es []Evaluation, loaded []*outcomes, index []int, classes int) (sums,
	values [][]float64, err error,
) {
	for i, o := range loaded {
		seedValues, err := o.values(row.Metric)
		if err != nil {
			return nil, nil, err
		}
		byClass := classSums(seedValues, index, classes)
		mean := 0.0
		for _, v := range byClass {
			mean += v / float64(len(seedValues))
		}
		if want := es[i].Metrics[row.Metric]; !meanAgrees(mean, want) {
			return nil, nil, fmt.Errorf("the record of %s's %d. seed says %s %.5f, its queries %.5f: evaluate it again", name, i+1,
				row.Metric, want, mean)
		}
		sums = append(sums, byClass)
		values = append(values, seedValues)
	}
	return sums, values, nil
}

// pairs fills in the flipped queries of each seed that both groups have.
func (row *Comparison) pairs(va, vb [][]float64) {
	for i, seed := range row.SeedsA {
		j := slices.Index(row.SeedsB, seed)
		if j < 0 {
			continue
		}
		gained, lost := paired.Flips(va[i], vb[j])
		row.Gained += gained
		row.Lost += lost
		row.Pairs = append(row.Pairs, SeedPair{Seed: seed, Gained: gained, Lost: lost, P: paired.McNemar(lost, gained)})
	}
}

// collapsed adds a row in which ties decide the number. It shows the pessimistic number and is not
// tested, so its interval is the whole range.
func (c *comparer) collapsed(row Comparison, ea, eb []Evaluation) {
	mean := func(es []Evaluation) float64 {
		sum := 0.0
		for _, e := range es {
			v, _ := e.Value(row.Metric)
			sum += v
		}
		return sum / float64(len(es))
	}
	row.MeanA, row.MeanB = mean(ea), mean(eb)
	row.Delta = row.MeanB - row.MeanA
	row.Low, row.High, row.P, row.PHolm = -1, 1, 1, 1
	row.Notes = slices.Clone(row.Notes)
	c.note(&row, "collapsed: ties decide the number, the pessimistic one is shown and gets no verdict")
	c.diff.Rows = append(c.diff.Rows, row)
}
