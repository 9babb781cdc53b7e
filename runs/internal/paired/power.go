package paired

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

// A Contrast is what a comparison of two configurations consists of, apart from their difference:
// the noise that drawing classes and drawing seeds adds.
type Contrast struct {
	count []float64 // [classes] queries
	// class is [classes], the sums by which classes depart from the mean difference, because they
	// suit one configuration more than the other. The part that seeds add by chance is scaled away.
	class []float64
	// residuals is [seeds of both sides][classes], the sums that neither class nor seed explains.
	residuals [][]float64
}

// NewContrast measures the contrast of the two groups of a sample. Residuals come from the sides
// that have at least two seeds.
func NewContrast(s Sample) Contrast {
	e := s.Estimate()
	n := float64(len(s.Count))
	k := Contrast{count: s.Count, class: make([]float64, len(s.Count))}
	if own := e.ClassVariance(); own > 0 {
		// A draw from n values varies by (n-1)/n of their variance.
		scale := math.Sqrt(own / e.classRate * n / (n - 1))
		for c := range k.class {
			k.class[c] = e.classes[c].rest * scale
		}
	}
	for g, sums := range [][][]float64{s.A, s.B} {
		seeds := float64(len(sums))
		if seeds < 2 {
			continue
		}
		scale := math.Sqrt(seeds / (seeds - 1))
		rows := make([][]float64, len(sums))
		for i := range rows {
			rows[i] = make([]float64, len(s.Count))
		}
		for c, count := range s.Count {
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

// interaction returns the variance that the residuals add to the mean of a seed.
func (k Contrast) interaction() float64 {
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

// A World says how to simulate comparisons of two configurations, which show how often the verdict
// finds a difference. An experiment takes one of the contrasts and draws classes from it. Each seed
// has a normal effect on all queries and, on each class, a residual of that class taken from any
// seed. The difference is then added to every query of B.
type World struct {
	Contrasts []Contrast // at least one
	SeedSD    float64    // standard deviation of a seed's mean over the queries, a fraction

	Rows        int    // of the table that the comparison is in: Holm's correction at its strictest
	Experiments int    // simulated for each number of seeds
	Resamples   int    // of each experiment, at least 20 Rows, or no p is small enough
	Stream      uint64 // seed of the random numbers
}

// mostClasses bounds the classes of an experiment. More make it slower and add nothing: the drawn
// ones are scaled to the variance that all would have, and the quantile of Student's t with 199
// degrees of freedom is within 1% of the normal's.
const mostClasses = 200

// leastDifferences returns, for comparisons with so many seeds on each side, the smallest
// difference that the verdict of each experiment calls better: [Experiments], ascending. The share
// of them below a difference is the power to find it. An experiment that finds no difference has
// infinity.
//
// One set of experiments serves all differences, because a difference that is the same in all
// queries shifts Delta and changes neither its standard error nor the resamples of Estimate.Test.
// The package comment compares the predictions with comparisons simulated in another way.
func (w World) leastDifferences(ctx context.Context, seeds int) ([]float64, error) {
	least := make([]float64, w.Experiments)
	main := 0.0 // the part of SeedSD that is the same in all classes
	for _, k := range w.Contrasts {
		main += (w.SeedSD*w.SeedSD - k.interaction()) / float64(len(w.Contrasts))
	}
	main = math.Sqrt(max(0, main))
	work, drawing := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range least {
		work.Go(func() error {
			source := Stream(w.Stream, "power", fmt.Sprint(seeds), fmt.Sprint(i))
			random := rand.New(source)
			e := w.Contrasts[random.IntN(len(w.Contrasts))].draw(random, seeds, main).Estimate()
			var err error
			least[i], err = e.leastDifference(drawing, Alpha/float64(w.Rows), w.Resamples, source)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(least)
	return least, nil
}

// draw makes an experiment in which the two groups differ by chance only. seed is the standard
// deviation of a seed's effect on all queries.
func (k Contrast) draw(random *rand.Rand, seeds int, seed float64) Sample {
	n := min(len(k.count), mostClasses)
	scale := math.Sqrt(float64(n) / float64(len(k.count)))
	s := Sample{Count: make([]float64, n)}
	drawn := make([]int, n)
	for c := range drawn {
		drawn[c] = random.IntN(len(k.count))
		s.Count[c] = k.count[drawn[c]]
	}
	for g, side := range []*[][]float64{&s.A, &s.B} {
		for range seeds {
			row := make([]float64, n)
			effect := random.NormFloat64() * seed
			for c, from := range drawn {
				row[c] = s.Count[c]*effect + float64(g)*scale*k.class[from]
				if len(k.residuals) > 0 {
					row[c] += scale * k.residuals[random.IntN(len(k.residuals))][from]
				}
			}
			*side = append(*side, row)
		}
	}
	return s
}

// leastDifference returns the difference that must be added to all of B's queries for a verdict of
// better at the given level; infinity where none is enough.
func (e Estimate) leastDifference(ctx context.Context, level float64, resamples int, random *rand.PCG) (float64, error) {
	se := math.Sqrt(e.variance())
	switch n := len(e.classes); {
	case n < 2:
		return math.Inf(1), nil
	case se < roundingError:
		if signTest(n, resamples) < level {
			return -e.Delta, nil
		}
		return math.Inf(1), nil
	}
	ts, err := e.resampledT(ctx, resamples, random)
	if err != nil {
		return 0, err
	}
	q, ok := criticalValue(ts, level)
	if !ok {
		return math.Inf(1), nil
	}
	return q*se - e.Delta, nil
}

// wantedPower is the power for which seeds are counted.
const wantedPower = 0.8

// MostSeeds is the largest number of seeds on each side that is tried.
const MostSeeds = 100

// Need says how many seeds on each side find a difference with 80% power. The numbers tried are 2
// to 10, then 12, 15, 20, 25, 30, 40, 50, 60, 80 and 100.
type Need struct {
	Difference float64 `json:"difference"` // a fraction
	Seeds      int     `json:"seeds"`      // 0: more than MostSeeds
	Power      float64 `json:"power"`      // with Seeds, or with MostSeeds where Seeds is 0
}

// Powers answers questions about a world. It simulates each number of seeds once. It is not safe
// for concurrent use.
type Powers struct {
	world World
	least map[int][]float64 // by seeds on each side: leastDifferences
}

// NewPowers returns the Powers of a world.
func NewPowers(w World) *Powers { return &Powers{world: w, least: map[int][]float64{}} }

// simulated returns leastDifferences of a number of seeds.
func (p *Powers) simulated(ctx context.Context, seeds int) ([]float64, error) {
	if least, ok := p.least[seeds]; ok {
		return least, nil
	}
	least, err := p.world.leastDifferences(ctx, seeds)
	if err != nil {
		return nil, err
	}
	p.least[seeds] = least
	return least, nil
}

// power returns the share of experiments that find a difference, in [0, 1].
func (p *Powers) power(ctx context.Context, difference float64, seeds int) (float64, error) {
	least, err := p.simulated(ctx, seeds)
	if err != nil {
		return 0, err
	}
	n, _ := slices.BinarySearch(least, difference)
	return float64(n) / float64(len(least)), nil
}

// seedLadder returns the numbers of seeds that are tried. Between large ones the power hardly
// differs, and the simulation does not tell them apart.
func seedLadder() []int {
	return []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, MostSeeds}
}

// Need returns the smallest number of seeds on each side that finds a difference above 0, a
// fraction, with 80% power.
func (p *Powers) Need(ctx context.Context, difference float64) (Need, error) {
	steps := seedLadder()
	need := Need{Difference: difference}
	low, high := -1, len(steps) // low is not enough, high is or is beyond the end
	for middle := len(steps) - 1; high-low > 1; middle = (low + high) / 2 {
		power, err := p.power(ctx, difference, steps[middle])
		if err != nil {
			return Need{}, err
		}
		if power < wantedPower {
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

// Reach returns the difference, a fraction, that so many seeds on each side find with 80% power; 0
// where they find none.
func (p *Powers) Reach(ctx context.Context, seeds int) (float64, error) {
	least, err := p.simulated(ctx, seeds)
	if err != nil {
		return 0, err
	}
	if v := least[int(math.Ceil(wantedPower*float64(len(least))))-1]; !math.IsInf(v, 0) {
		return max(0, v), nil
	}
	return 0, nil
}

// Median returns the median of values, which it sorts; 0 where there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return stat.Mean([]float64{values[(len(values)-1)/2], values[len(values)/2]}, nil)
}
