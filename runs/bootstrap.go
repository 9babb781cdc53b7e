package runs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
)

// A sample is one metric of two groups on the same queries, summed by class.
type sample struct {
	count []float64   // [classes] number of queries
	a, b  [][]float64 // [seeds of the group][classes] sums of the queries' values
}

// An estimate is delta = mean(B) - mean(A) over a sample's queries, each
// query's value being its mean over seeds, and what its uncertainty is made of.
type estimate struct {
	meanA, meanB, delta float64

	classes []class      // what each class adds
	seeds   [2][]float64 // A's and B's seeds: distance of the seed's mean from the group's
	// Estimated variances of delta: classRate of drawing classes, seedRate of
	// drawing seeds; each also holds the interaction of class and seed, which
	// is noise that neither explains.
	classRate, seedRate, interaction float64
}

// A class is a test class in a resample: rest is the sum of its queries'
// differences, beyond count times delta.
type class struct{ count, rest float64 }

func (s sample) estimate() estimate {
	var e estimate
	total := 0.0
	for _, n := range s.count {
		total += n
	}
	e.classes = make([]class, len(s.count))
	for g, sums := range [][][]float64{s.a, s.b} {
		sign := float64(2*g - 1)
		seeds := float64(len(sums))
		means := make([]float64, len(sums))
		mean := 0.0
		for i, row := range sums {
			for c, v := range row {
				means[i] += v / total
				e.classes[c].rest += sign * v / seeds
			}
			mean += means[i] / seeds
		}
		if g == 0 {
			e.meanA = mean
		} else {
			e.meanB = mean
		}
		squares := 0.0
		for i := range means {
			means[i] -= mean
			squares += means[i] * means[i]
		}
		e.seeds[g] = means
		if len(sums) > 1 {
			e.seedRate += squares / (seeds * (seeds - 1))
			e.interaction += interaction(sums, s.count, means) / (seeds * (seeds - 1) * total * total)
		}
	}
	e.delta = e.meanB - e.meanA
	squares := 0.0
	for c := range e.classes {
		e.classes[c].count = s.count[c]
		e.classes[c].rest -= e.delta * s.count[c]
		squares += e.classes[c].rest * e.classes[c].rest
	}
	if n := float64(len(e.classes)); n > 1 {
		e.classRate = squares / (total * total) * n / (n - 1)
	}
	return e
}

// interaction is the sum of squares of what class and seed do not explain.
// sums is [seeds][classes], seedEffect is [seeds].
func interaction(sums [][]float64, count, seedEffect []float64) float64 {
	total := 0.0
	for c, n := range count {
		mean := 0.0
		for i := range sums {
			mean += sums[i][c] / float64(len(sums))
		}
		for i := range sums {
			d := sums[i][c] - mean - n*seedEffect[i]
			total += d * d
		}
	}
	return total
}

// variance is that of delta over classes and seeds. The interaction is in both
// parts and is taken out once; as an estimate it may come out too large, but
// the whole is never less than either part.
func (e estimate) variance() float64 {
	return max(e.classRate+e.seedRate-e.interaction, e.classRate, e.seedRate)
}

// smallest is the smallest standard error of a resample, as a share of the
// sample's. It keeps a resample that happened to draw one seed five times, or
// none of the few classes that differ, from deciding the interval.
const smallest = 1.0 / 3

// An interval is a 95% interval of delta and the p-value of delta = 0.
type interval struct{ low, high, p float64 }

// test returns the symmetric bootstrap-t interval and its p-value. In each of
// the resamples, classes are drawn with replacement (one draw for both groups)
// and, independently, A's seeds and B's seeds. A resample costs
// O(classes + seeds): its delta is that of the drawn classes with all seeds
// plus that of the drawn seeds with all classes, the linear part of drawing
// both at once. With SE* its standard error, t* = (delta* - delta) / SE*, and
//
//	interval = delta -+ SE q,  q the 95% quantile of |t*|,
//	p        = (1 + number of |t*| >= |delta| / SE) / (1 + resamples),
//
// so that p < 0.05 exactly where the interval leaves 0 out, and p is never
// below 1/(1 + resamples).
//
// The kind was chosen by TestCoverageInFull (build tag integration): how many of 2,000
// experiments' intervals, in per cent, hold the known delta. An experiment has
// 40 classes of 10 to 50 queries and 5 seeds a group unless the scene says
// otherwise; the standard error of a figure is 0.5.
//
//	scene                            t    perc  resc  BCa   t2    z     Welch
//	seeds and classes vary           95.5  95.4  95.5  95.4  94.5  94.1  95.2
//	seeds vary little, no interact.  96.7  99.5  98.5  99.4  95.9  94.9  96.6
//	seeds vary, no interaction       95.2  96.2  95.7  96.0  94.5  92.9  95.0
//	seeds vary much, no interaction  95.8  92.3  93.5  91.9  95.0  92.2  95.2
//	seeds decide                     95.8  90.5  92.8  90.2  95.5  92.6  95.3
//	classes decide                   94.5  93.6  94.0  92.8  93.7  93.7  94.3
//	2 to 10 queries a class          94.7  99.1  97.7  98.7  94.7  93.3  94.9
//	almost all are hits              95.3  96.8  96.1  95.4  94.0  93.4  94.6
//	seeds do not vary                95.2  97.2  95.8  96.2  93.7  94.0  94.7
//	2 seeds                          94.5  90.8  92.2  90.2  92.0  89.6  93.7
//	2 seeds that decide              94.0  73.0  81.9  73.0  91.4  82.0  93.3
//	3 seeds                          93.5  93.2  93.5  92.8  92.8  91.5  93.5
//	10 seeds                         95.0  95.5  94.9  95.0  94.7  94.1  94.8
//	10 classes                       96.2  96.0  96.2  95.0  94.7  93.6  95.7
//	100 classes                      95.5  94.1  94.8  94.2  95.0  94.2  95.4
//
// t is this interval, t2 the two-sided bootstrap-t, perc the percentile
// interval, resc the percentile interval with the class and seed parts scaled
// by sqrt(n/(n-1)), z delta -+ 1.96 SE, Welch Student's t with Satterthwaite's
// degrees of freedom (as good, but not a bootstrap).
//
// Percentile and BCa intervals are too short where seeds matter (five draws of
// five seeds vary by 4/5 of their variance, and the normal shape is too light)
// and too long where they do not (drawing both at once counts the interaction
// three times).
//
// Of two groups of one configuration with disjoint seeds (TestSameConfigurationInFull,
// 2,000 tables of ten rows in the first scene, 400 in the others), per cent that
// get a verdict: rows that are tables of their own, rows of tables of ten after
// Holm's correction, and tables of ten in which any row gets one.
//
//	scene                            alone  in ten  tables
//	seeds and classes vary           5.3    0.8      7.5
//	seeds vary little, no interact.  4.7    0.5      4.5
//	seeds vary much, no interaction  4.0    0.5      4.8
//	seeds decide                     3.7    0.2      1.8
//	2 seeds                          6.4    1.9     17
//	2 seeds that decide              5.4    3.3     29
//	3 seeds                          6.2    1.5     13
//	10 seeds                         4.5    0.6      5.2
//	10 classes                       3.5    0.3      2.2
//
// At most 5% of the rows of a table, then; but the far quantiles that Holm's
// correction asks for come out too near with two or three seeds, so that a table
// as a whole is not held to 5% there.
//
// Without variance there is no t: equal values everywhere give delta 0,
// [0, 0] and p 1. If every class differs by the same amount, the sign test
// over classes gives p = 2^(1-classes). With a single class nothing is known.
func (e estimate) test(ctx context.Context, resamples int, random *rand.PCG) (interval, error) {
	n := len(e.classes)
	unknown := interval{-1, 1, 1}
	se := math.Sqrt(e.variance())
	switch {
	case math.Abs(e.delta) < dust && se < dust:
		return interval{0, 0, 1}, nil
	case n < 2:
		return unknown, nil
	case se < dust:
		p := signs(n, resamples)
		if p < alpha {
			return interval{e.delta, e.delta, p}, nil
		}
		return interval{min(0, e.delta), max(0, e.delta), p}, nil
	}
	ts, err := e.draws(ctx, resamples, random)
	if err != nil {
		return interval{}, err
	}
	t := math.Abs(e.delta) / se
	below, _ := slices.BinarySearch(ts, t)
	p := float64(1+resamples-below) / float64(1+resamples)
	half := 2.0
	if q, ok := critical(ts, alpha); ok {
		half = se * q
	}
	if p < alpha { // rounding must not part the two
		half = min(half, math.Nextafter(math.Abs(e.delta), 0))
	} else {
		half = max(half, math.Abs(e.delta))
	}
	return interval{max(-1, e.delta-half), min(1, e.delta+half), p}, nil
}

// signs is the p-value of a sample in which every class differs by the same amount.
func signs(classes, resamples int) float64 {
	return max(math.Exp2(float64(1-classes)), 1/float64(1+resamples))
}

// draws returns |t*| of the given number of resamples, ascending.
func (e estimate) draws(ctx context.Context, resamples int, random *rand.PCG) ([]float64, error) {
	ts := make([]float64, resamples)
	for i := range ts {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ts[i] = e.resample(random)
	}
	slices.Sort(ts)
	return ts, nil
}

// critical returns what |t| must exceed for p < level, given ascending |t*|: at
// most so many of them may be at or above it. It is false where there are too
// few for any p below level.
func critical(ts []float64, level float64) (float64, bool) {
	allowed := int(math.Ceil(level*float64(1+len(ts))-1)) - 1
	if allowed < 0 {
		return 0, false
	}
	return ts[len(ts)-1-allowed], true
}

// dust is what sums in another order leave instead of 0.
const dust = 1e-12

// alpha is 1 - the level of the intervals, and what a verdict's p is below.
const alpha = 0.05

// A totals is what a draw of classes adds up to.
type totals struct{ count, rest, countCount, countRest, restRest float64 }

func (t *totals) add(c class) {
	t.count += c.count
	t.rest += c.rest
	t.countCount += c.count * c.count
	t.countRest += c.count * c.rest
	t.restRest += c.rest * c.rest
}

// shift is how far the drawn classes' delta is from the sample's.
func (t *totals) shift() float64 { return t.rest / t.count }

// variance is that of shift, from n drawn classes.
func (t *totals) variance(n int) float64 {
	s := t.shift()
	squares := t.restRest - 2*s*t.countRest + s*s*t.countCount
	return squares / (t.count * t.count) * float64(n) / float64(n-1)
}

// resample returns |t*| of one draw.
func (e estimate) resample(random *rand.PCG) float64 {
	var t totals
	n := len(e.classes)
	for range n {
		t.add(e.classes[draw(random, n)])
	}
	shift, variance := t.shift(), t.variance(n)
	for g, effects := range e.seeds {
		k := len(effects)
		if k < 2 {
			continue // without a second seed its variance is unknown
		}
		sum, squares := 0.0, 0.0
		for range k {
			d := effects[draw(random, k)]
			sum += d
			squares += d * d
		}
		mean := sum / float64(k)
		variance += max(0, squares/float64(k)-mean*mean) / float64(k-1)
		if k == 2 {
			// Draws of n vary by (n-1)/n of the variance. SE* makes up for it,
			// but of two seeds it is 0 or the sample's and knows nothing more.
			mean *= math.Sqrt2
		}
		shift += float64(2*g-1) * mean
	}
	floor := smallest * smallest * (e.classRate + e.seedRate)
	return math.Abs(shift) / math.Sqrt(max(variance, floor))
}

// draw returns a number in [0, n) by multiplication; its bias of n/2^64 does
// not matter here.
func draw(random *rand.PCG, n int) int {
	high, _ := bits.Mul64(random.Uint64(), uint64(n))
	return int(high)
}

// stream returns the random numbers of a row. They depend on the seed and the
// row's identity only, not on the other rows of the table.
func stream(seed uint64, identity ...string) *rand.PCG {
	h := sha256.Sum256([]byte(strings.Join(identity, "\x00")))
	return rand.NewPCG(seed^binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16]))
}
