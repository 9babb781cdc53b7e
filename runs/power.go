package runs

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"
)

// A contrast is what a comparison of two configurations is made of, apart from
// how much they differ: what drawing classes and seeds adds.
type contrast struct {
	count []float64 // [classes] queries
	// class is [classes], the sum by which a class departs from the difference
	// of the two: classes suit one method more than the other. What seeds add
	// to it by chance is scaled away.
	class []float64
	// residuals is [seeds of both sides][classes], the sums that neither class
	// nor seed explains.
	residuals [][]float64
}

// newContrast measures a contrast on two groups.
func newContrast(s sample) contrast {
	e := s.estimate()
	n := float64(len(s.count))
	k := contrast{count: s.count, class: make([]float64, len(s.count))}
	if own := e.classRate - e.interaction; own > 0 {
		// A draw from n values varies by (n-1)/n of their variance.
		scale := math.Sqrt(own / e.classRate * n / (n - 1))
		for c := range k.class {
			k.class[c] = e.classes[c].rest * scale
		}
	}
	for g, sums := range [][][]float64{s.a, s.b} {
		seeds := float64(len(sums))
		if seeds < 2 {
			continue
		}
		scale := math.Sqrt(seeds / (seeds - 1))
		rows := make([][]float64, len(sums))
		for i := range rows {
			rows[i] = make([]float64, len(s.count))
		}
		for c, count := range s.count {
			mean := 0.0
			for i := range sums {
				mean += sums[i][c] / seeds
			}
			for i := range sums {
				rows[i][c] = (sums[i][c] - mean - count*e.seeds[g][i]) * scale
			}
		}
		k.residuals = append(k.residuals, rows...)
	}
	return k
}

// interaction is the part of the variance of a seed's mean that the residuals make.
func (k contrast) interaction() float64 {
	total, squares := 0.0, 0.0
	for _, n := range k.count {
		total += n
	}
	for _, row := range k.residuals {
		for _, v := range row {
			squares += v * v
		}
	}
	return squares / float64(max(1, len(k.residuals))) / (total * total)
}

// A world is what experiments are drawn from that show how often the verdict of
// a comparison finds a difference. An experiment has a contrast of the list and,
// with it, classes drawn from the contrast's; a seed has a normal effect on all
// queries, and on each class a residual of that class, of any seed. The
// difference is then added to every query of B.
type world struct {
	contrasts []contrast
	seed      float64 // standard deviation of a seed's mean over the queries

	rows        int // of the table that the comparison is in: Holm's correction at its strictest
	experiments int
	resamples   int // of each
	stream      uint64
}

// mostClasses bounds the classes of an experiment. More make it slower and add
// nothing: they are drawn with the variance that all of them would have, and
// the quantile of Student's t with 199 degrees of freedom is within 1% of the
// normal's.
const mostClasses = 200

// found returns, for comparisons with so many seeds on each side, the smallest
// difference that each experiment's verdict calls better, ascending: the share
// of them below a difference is its power. An experiment that finds none has
// infinity.
//
// This takes one set of experiments for all differences: a difference that is
// the same in all queries shifts delta, and neither the standard error nor the
// resamples of estimate.test know of it.
//
// TestPowerInFull holds it against comparisons simulated in another way, 1,000 of
// each, with 20 pilot runs to predict from; per cent found:
//
//	scene                    delta  seeds  rows  predicted  found
//	seeds and classes vary    4.25      2     1         20     21
//	                          4.25      5     1         46     45
//	                          4.25     10     1         65     60
//	                          5.66      5    10         32     29
//	seeds decide             16.20      3     1         37     37
//	                         16.20      5     1         73     71
//	                         16.20     10     1         98     97
//	classes decide           10.41      3     1         66     65
//	                         10.41     20     1         73     69
//	seeds do not vary         4.26      2     1         46     40
//	                          4.26      5     1         69     69
func (w world) found(ctx context.Context, seeds int) ([]float64, error) {
	least := make([]float64, w.experiments)
	main := 0.0 // the part of seed that is the same in all classes
	for _, k := range w.contrasts {
		main += (w.seed*w.seed - k.interaction()) / float64(len(w.contrasts))
	}
	main = math.Sqrt(max(0, main))
	work, drawing := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range least {
		work.Go(func() error {
			source := stream(w.stream, "power", fmt.Sprint(seeds), fmt.Sprint(i))
			random := rand.New(source)
			e := w.contrasts[random.IntN(len(w.contrasts))].draw(random, seeds, main).estimate()
			var err error
			least[i], err = e.least(drawing, alpha/float64(w.rows), w.resamples, source)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(least)
	return least, nil
}

// draw makes an experiment in which the two groups do not differ but by chance.
func (k contrast) draw(random *rand.Rand, seeds int, seed float64) sample {
	n := min(len(k.count), mostClasses)
	scale := math.Sqrt(float64(n) / float64(len(k.count)))
	s := sample{count: make([]float64, n)}
	drawn := make([]int, n)
	for c := range drawn {
		drawn[c] = random.IntN(len(k.count))
		s.count[c] = k.count[drawn[c]]
	}
	for g, side := range []*[][]float64{&s.a, &s.b} {
		for range seeds {
			row := make([]float64, n)
			effect := random.NormFloat64() * seed
			for c, from := range drawn {
				row[c] = s.count[c]*effect + float64(g)*scale*k.class[from]
				if len(k.residuals) > 0 {
					row[c] += scale * k.residuals[random.IntN(len(k.residuals))][from]
				}
			}
			*side = append(*side, row)
		}
	}
	return s
}

// least returns what must be added to all of B's queries for a verdict of better
// at the given level; infinity where nothing is enough.
func (e estimate) least(ctx context.Context, level float64, resamples int, random *rand.PCG) (float64, error) {
	se := math.Sqrt(e.variance())
	switch n := len(e.classes); {
	case n < 2:
		return math.Inf(1), nil
	case se < dust:
		if signs(n, resamples) < level {
			return -e.delta, nil
		}
		return math.Inf(1), nil
	}
	ts, err := e.draws(ctx, resamples, random)
	if err != nil {
		return 0, err
	}
	q, ok := critical(ts, level)
	if !ok {
		return math.Inf(1), nil
	}
	return q*se - e.delta, nil
}

// wanted is the power for which seeds are counted.
const wanted = 0.8

// MostSeeds is where counting seeds ends.
const MostSeeds = 100

// powers answers questions about a world, each number of seeds drawn once.
type powers struct {
	world
	known map[int][]float64
}

// power is the share of experiments that find a difference.
func (p *powers) power(ctx context.Context, difference float64, seeds int) (float64, error) {
	least, ok := p.known[seeds]
	if !ok {
		var err error
		if least, err = p.found(ctx, seeds); err != nil {
			return 0, err
		}
		p.known[seeds] = least
	}
	n, _ := slices.BinarySearch(least, difference)
	return float64(n) / float64(len(least)), nil
}

// ladder returns the numbers of seeds that are tried. Between large ones power
// hardly differs, and what is simulated does not tell them apart.
func ladder() []int {
	return []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, MostSeeds}
}

// need returns the smallest number of seeds of the ladder on each side that finds
// a difference with 80% power; its Seeds are 0 where none does.
func (p *powers) need(ctx context.Context, difference float64) (Need, error) {
	steps := ladder()
	need := Need{Difference: difference}
	low, high := -1, len(steps) // low is not enough, high is or is beyond the end
	for middle := len(steps) - 1; high-low > 1; middle = (low + high) / 2 {
		power, err := p.power(ctx, difference, steps[middle])
		if err != nil {
			return Need{}, err
		}
		if power < wanted {
			low = middle
		} else {
			high = middle
		}
		if low == len(steps)-1 || high == middle {
			need.Power = power
		}
	}
	if high < len(steps) {
		need.Seeds = steps[high]
	}
	return need, nil
}

// reach returns the difference that so many seeds on each side find with 80%
// power; 0 where they find none.
func (p *powers) reach(ctx context.Context, seeds int) (float64, error) {
	if _, err := p.power(ctx, 0, seeds); err != nil {
		return 0, err
	}
	least := p.known[seeds]
	if v := least[int(math.Ceil(wanted*float64(len(least))))-1]; !math.IsInf(v, 0) {
		return max(0, v), nil
	}
	return 0, nil
}

// median of values, which it sorts; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return stat.Mean([]float64{values[(len(values)-1)/2], values[len(values)/2]}, nil)
}
