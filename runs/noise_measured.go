package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat/distuv"

	"bierbench/runs/internal/paired"
)

// measured is the results of a configuration on one protocol.
type measured struct {
	group   GroupCells
	first   *outcomes // of its first seed: says which queries
	test    string    // digest of the test images
	metrics []string  // those that a seed has
	// sums is metric -> [seeds][classes], without metrics that a seed lacks or that ties decide.
	sums map[string][][]float64
}

// readMeasured reads the groups that were evaluated in a scope. leftOut names the groups that
// cannot be used, each with the reason.
func readMeasured(ctx context.Context, r *Run, s scope, groups []GroupCells, metrics []string) (usable []measured,
	leftOut []string, err error,
) {
	var parts []measured
	for _, g := range groups {
		if slices.ContainsFunc(g.Cells, func(c Cell) bool { _, ok := c.Evaluation(s.protocol, s.b); return ok }) {
			parts = append(parts, measured{group: g})
		}
	}
	reasons := make([]error, len(parts))
	work, reading := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range parts {
		work.Go(func() error {
			reasons[i] = parts[i].read(r, s, metrics)
			return reading.Err()
		})
	}
	if err := work.Wait(); err != nil {
		return nil, nil, err
	}
	leftOut = []string{}
	for i, m := range parts {
		reason := reasons[i]
		if reason == nil && len(usable) > 0 {
			if d := usable[0].first.sameQueries(*m.first); d != "" {
				reason = fmt.Errorf("its queries are not those of %s: %s", usable[0].group.Group.Path(), d)
			} else if m.test != usable[0].test {
				reason = fmt.Errorf("its test images are not those of %s", usable[0].group.Group.Path())
			}
			m.first = nil // the first configuration's is enough
		}
		if reason != nil {
			leftOut = append(leftOut, fmt.Sprintf("%s: %v", m.group.Group.Path(), reason))
			continue
		}
		usable = append(usable, m)
	}
	return usable, leftOut, nil
}

// read sums a configuration's queries by class. An error says why the configuration cannot be used.
func (m *measured) read(r *Run, s scope, metrics []string) error {
	from := side{r, m.group}
	if seed, ok := m.group.mixed(); ok {
		return fmt.Errorf("seed %d has another configuration or other data than seed %d", seed, m.group.Cells[0].Seed)
	}
	es, err := from.evaluations(s.protocol, s.b, "it")
	if err != nil {
		return err
	}
	row := Comparison{Protocol: s.protocol}
	loaded, err := from.load(row, "it")
	if err != nil {
		return err
	}
	if len(loaded[0].id) == 0 {
		return errors.New("no query has a positive")
	}
	m.first, m.test, m.sums = loaded[0], es[0].TestHash, map[string][][]float64{}
	index, counts := m.first.classIndex()
	for _, metric := range metrics {
		has := func(e Evaluation) bool { _, ok := e.Metrics[metric]; return ok }
		if slices.ContainsFunc(es, has) {
			m.metrics = append(m.metrics, metric)
		}
		if slices.ContainsFunc(es, func(e Evaluation) bool { return !has(e) || e.Collapsed(metric) }) {
			continue
		}
		row.Metric = metric
		if m.sums[metric], _, err = seedSums(row, "it", es, loaded, index, len(counts)); err != nil {
			return err
		}
	}
	return nil
}

// means returns a metric of each seed, [seeds], from its sums over so many queries.
func (m measured) means(metric string, queries int) []float64 {
	means := make([]float64, len(m.sums[metric]))
	for i, row := range m.sums[metric] {
		for _, v := range row {
			means[i] += v / float64(queries)
		}
	}
	return means
}

// deviate fills in the standard deviation over seeds.
func (n *SeedNoise) deviate(chosen []measured) {
	means := make([]map[int]float64, len(chosen))
	for i, m := range chosen {
		means[i] = map[int]float64{}
		for k, mean := range m.means(n.Metric, n.Queries) {
			means[i][m.group.Cells[k].Seed] = mean
		}
		if i == 0 {
			n.Fewest = len(means[i])
		}
		n.Fewest, n.Most = min(n.Fewest, len(means[i])), max(n.Most, len(means[i]))
	}
	d := deviationsOf(means)
	n.SD, n.Freedom, n.Correlation = d.pooled, d.freedom, d.correlation
	n.Low, n.High = d.interval()
	n.Smallest, n.Largest = slices.Min(d.single), slices.Max(d.single)
}

// deviations are the standard deviations over seeds of configurations.
type deviations struct {
	single      []float64 // of each
	pooled      float64
	correlation float64 // of two configurations' values over the seeds that both have, 0 or more
	freedom     float64 // degrees of freedom of pooled
}

// deviationsOf takes each configuration's values by seed, at least two each. C configurations of n
// seeds have values that correlate by r over the seeds, because equal seeds draw equal batches.
// Their variances then correlate by r^2, and the pooled variance has not (n-1) C degrees of freedom
// but
//
//	(n-1) C / (1 + (C-1) r^2).
//
// Here r stands in the place of r^2: it is estimated from few seeds, and comes out small when the
// standard deviation does. TestDeviations measures how often the interval holds the true value.
func deviationsOf(values []map[int]float64) deviations {
	var d deviations
	squares, freedom, fewest := 0.0, 0.0, math.Inf(1)
	sum, square := map[int]float64{}, map[int]float64{} // over configurations, of the distances from their means
	for _, v := range values {
		seeds := slices.Sorted(maps.Keys(v)) // sums in one order have the same bits
		mean, own := 0.0, 0.0
		for _, s := range seeds {
			mean += v[s] / float64(len(v))
		}
		for _, s := range seeds {
			distance := v[s] - mean
			own += distance * distance
			sum[s] += distance
			square[s] += distance * distance
		}
		n := float64(len(v) - 1)
		d.single = append(d.single, math.Sqrt(own/n))
		squares += own
		freedom += n
		fewest = min(fewest, n)
	}
	d.pooled = math.Sqrt(squares / freedom)
	products, shared := 0.0, 0.0
	for _, s := range slices.Sorted(maps.Keys(sum)) {
		products += (sum[s]*sum[s] - square[s]) / 2
	}
	for i, v := range values {
		for _, other := range values[:i] {
			common := 0
			for s := range v {
				if _, ok := other[s]; ok {
					common++
				}
			}
			shared += float64(max(0, common-1))
		}
	}
	if shared > 0 && squares > 0 {
		d.correlation = min(1, max(0, products/shared/(d.pooled*d.pooled)))
	}
	d.freedom = max(fewest, freedom/(1+float64(len(values)-1)*d.correlation))
	return d
}

// interval returns the 95% interval of the pooled standard deviation, by the chi-square
// distribution.
func (d deviations) interval() (low, high float64) {
	chi := distuv.ChiSquared{K: d.freedom}
	scale := func(p float64) float64 { return d.pooled * math.Sqrt(d.freedom/chi.Quantile(p)) }
	return scale(1 - paired.Alpha/2), scale(paired.Alpha / 2)
}
