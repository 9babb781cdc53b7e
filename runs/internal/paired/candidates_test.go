package paired

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// The other kinds of interval that TestCoverage measures. All but the last two draw classes and
// seeds at once and compute delta on what was drawn.
func candidateNames() []string {
	return []string{"percentile", "percentile, rescaled", "BCa", "bootstrap-t, two-sided", "normal", "Welch-Satterthwaite t"}
}

// candidates returns the 95% intervals in the order of candidateNames.
func (s Sample) candidates(resamples int, random *rand.Rand) [][2]float64 {
	e := s.Estimate()
	se := math.Sqrt(e.variance())
	ones := func(n int) []float64 { return slices.Repeat([]float64{1}, n) }
	counts := func(n int) []float64 {
		w := make([]float64, n)
		for range n {
			w[random.IntN(n)]++
		}
		return w
	}
	classes, seedsA, seedsB := len(s.Count), len(s.A), len(s.B)
	both := make([]float64, resamples) // drawn at once
	apart := make([]float64, resamples)
	ts := make([]float64, resamples)
	below := 0.5
	grow := func(n int) float64 { return math.Sqrt(float64(n) / float64(n-1)) }
	for i := range both {
		w, u, v := counts(classes), counts(seedsA), counts(seedsB)
		both[i] = s.weighted(w, u, v)
		switch {
		case both[i] < e.Delta:
			below++
		case both[i] == e.Delta:
			below += 0.5
		}
		class := s.weighted(w, ones(seedsA), ones(seedsB)) - e.Delta
		seed := s.weighted(ones(classes), u, v) - e.Delta
		apart[i] = e.Delta + class*grow(classes) + seed*grow(seedsA)
		ts[i] = (class + seed) / math.Sqrt(max(e.weightedVariance(w, u, v, class), (e.classRate+e.seedRate)*smallestError*smallestError))
	}
	slices.Sort(both)
	slices.Sort(apart)
	slices.Sort(ts)
	q := func(values []float64, p float64) float64 { return quantile(values, p) }
	at := s.bca(e, below/float64(resamples+1))
	half := 1.96 * se
	welch := distuv.StudentsT{Sigma: 1, Nu: s.freedom(e)}.Quantile(0.975) * se
	return [][2]float64{
		{q(both, 0.025), q(both, 0.975)},
		{q(apart, 0.025), q(apart, 0.975)},
		{q(both, at(0.025)), q(both, at(0.975))},
		{e.Delta - q(ts, 0.975)*se, e.Delta - q(ts, 0.025)*se},
		{e.Delta - half, e.Delta + half},
		{e.Delta - welch, e.Delta + welch},
	}
}

// weighted is delta with weights of classes and of A's and B's seeds.
func (s Sample) weighted(w, u, v []float64) float64 {
	total, sum := 0.0, 0.0
	for c, n := range s.Count {
		total += w[c] * n
	}
	for g, rows := range [][][]float64{s.A, s.B} {
		weights := [][]float64{u, v}[g]
		all := 0.0
		for _, x := range weights {
			all += x
		}
		for i, row := range rows {
			for c, x := range row {
				sum += float64(2*g-1) * weights[i] / all * w[c] * x
			}
		}
	}
	return sum / total
}

// weightedVariance is the variance of delta in a resample, as resample has it.
func (e Estimate) weightedVariance(w, u, v []float64, shift float64) float64 {
	total, squares := 0.0, 0.0
	for c, k := range e.classes {
		total += w[c] * k.count
		d := k.rest - shift*k.count
		squares += w[c] * d * d
	}
	n := float64(len(e.classes))
	variance := squares / (total * total) * n / (n - 1)
	for g, weights := range [][]float64{u, v} {
		_, sd := stat.MeanStdDev(e.seeds[g], weights)
		variance += sd * sd / float64(len(weights))
	}
	return variance
}

// bca returns the corrected levels of Efron's BCa interval, with the acceleration from a jackknife
// over classes and seeds.
func (s Sample) bca(e Estimate, below float64) func(p float64) float64 {
	z0 := distuv.UnitNormal.Quantile(below)
	squares, cubes := 0.0, 0.0
	weights := [3][]float64{}
	for i, n := range []int{len(s.Count), len(s.A), len(s.B)} {
		weights[i] = slices.Repeat([]float64{1}, n)
	}
	for _, w := range weights {
		for i := range w {
			w[i] = 0
			l := (e.Delta - s.weighted(weights[0], weights[1], weights[2])) * float64(len(w)-1) / float64(len(w))
			w[i] = 1
			squares += l * l
			cubes += l * l * l
		}
	}
	a := cubes / (6 * math.Pow(squares, 1.5))
	return func(p float64) float64 {
		z := z0 + distuv.UnitNormal.Quantile(p)
		return normalCDF(z0 + z/(1-a*z))
	}
}

// freedom is Satterthwaite's number of degrees of freedom.
func (s Sample) freedom(e Estimate) float64 {
	part := func(variance float64, n int) float64 { return variance * variance / float64(n-1) }
	sum := part(e.classRate, len(s.Count))
	for _, effects := range e.seeds {
		sum += part(stat.Variance(effects, nil)/float64(len(effects)), len(effects))
	}
	return (e.classRate + e.seedRate) * (e.classRate + e.seedRate) / sum
}

// quantile of sorted values, with linear interpolation (type 7).
func quantile(values []float64, p float64) float64 {
	at := p * float64(len(values)-1)
	i := min(int(at), len(values)-2)
	return values[i] + (at-float64(i))*(values[i+1]-values[i])
}
