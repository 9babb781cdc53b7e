package paired

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A rule is a way to get the p-value of a row of a table, measured beside the one that is used.
type rule struct {
	name string
	p    func(s Sample, prior Prior, random *rand.Rand) float64
}

// used is the rule of Estimate.Test.
func used() rule {
	return rule{"used", func(s Sample, prior Prior, _ *rand.Rand) float64 {
		e := s.Estimate()
		return e.mixture(prior).tail(math.Abs(e.Delta)) // that of Test, without the interval
	}}
}

// candidates returns the other rules.
func candidates() []rule {
	blend := func(careful float64) func(s Sample, prior Prior, _ *rand.Rand) float64 {
		return func(s Sample, prior Prior, _ *rand.Rand) float64 {
			e := s.Estimate()
			return e.mixtureWith(prior, careful).tail(math.Abs(e.Delta))
		}
	}
	return []rule{
		{"bootstrap-t", func(s Sample, _ Prior, random *rand.Rand) float64 { return s.bootstrapT(1000, random) }},
		{"Welch", func(s Sample, _ Prior, _ *rand.Rand) float64 { return s.welch() }},
		{"Satterthwaite", blend(0)},
		{"Behrens-Fisher", blend(math.Inf(1))},
	}
}

// welch returns the p-value of Student's t with Satterthwaite's degrees of freedom and each group's
// own variance of seeds.
func (s Sample) welch() float64 {
	e := s.Estimate()
	seeds, parts := 0.0, e.classRate*e.classRate/e.classFreedom
	for _, side := range e.sides {
		v := side.Variance / (side.Freedom + 1)
		seeds += v
		parts += v * v / side.Freedom
	}
	variance := e.variance(seeds)
	return 2 * distuv.StudentsT{Sigma: 1, Nu: variance * variance / parts}.Survival(math.Abs(e.Delta)/math.Sqrt(variance))
}

// bootstrapT returns the p-value of the symmetric bootstrap-t interval, which gave the verdicts
// before variances were moderated. Each resample draws classes with replacement (one draw for both
// groups) and, independently, A's seeds and B's seeds. Its delta* is that of the drawn classes with
// all seeds plus that of the drawn seeds with all classes. Hall 1988, On symmetric bootstrap
// confidence intervals, J. R. Statist. Soc. B 50, 35-45.
func (s Sample) bootstrapT(resamples int, random *rand.Rand) float64 {
	e := s.Estimate()
	rest := make([]float64, len(s.Count))
	var effects [2][]float64
	seedRate := 0.0
	for g, sums := range [][][]float64{s.A, s.B} {
		for _, row := range sums {
			for c, v := range row {
				rest[c] += float64(2*g-1) * v / float64(len(sums))
			}
		}
		mean := e.MeanA
		if g == 1 {
			mean = e.MeanB
		}
		for _, m := range meansOf(s.Count, sums) {
			effects[g] = append(effects[g], m-mean)
		}
		seedRate += e.sides[g].Variance / (e.sides[g].Freedom + 1)
	}
	for c, n := range s.Count {
		rest[c] -= e.Delta * n
	}
	floor := (e.classRate + seedRate) / 9 // a resample that drew one seed five times must not decide
	t := math.Abs(e.Delta) / math.Sqrt(e.variance(seedRate))
	above := 0
	for range resamples {
		var count, sum, countCount, countRest, restRest float64
		for range s.Count {
			c := random.IntN(len(s.Count))
			k, r := s.Count[c], rest[c]
			count, sum, countCount, countRest, restRest = count+k, sum+r, countCount+k*k, countRest+k*r, restRest+r*r
		}
		n := float64(len(s.Count))
		shift := sum / count
		variance := (restRest - 2*shift*countRest + shift*shift*countCount) / (count * count) * n / (n - 1)
		for g, own := range effects {
			k := float64(len(own))
			sum, squares := 0.0, 0.0
			for range own {
				d := own[random.IntN(len(own))]
				sum += d
				squares += d * d
			}
			mean := sum / k
			variance += max(0, squares/k-mean*mean) / (k - 1)
			if k == 2 {
				mean *= math.Sqrt2 // draws of two vary by half of their variance
			}
			shift += float64(2*g-1) * mean
		}
		if math.Abs(shift)/math.Sqrt(max(variance, floor)) >= t {
			above++
		}
	}
	return float64(1+above) / float64(1+resamples)
}

// findings judges tables by rules and counts.
type findings struct {
	tables    int
	any, rows []int // [rules] tables with a verdict after Holm's correction, rows with one
	alone     []int // [rules] rows that are tables of their own
}

// judge draws n tables of so many rows and judges each by the rules.
func (s scene) judge(n, rows int, rules []rule) findings { return s.judgeAt(n, rows, rules, Alpha) }

// judgeAt is judge with another level for rows that are tables of their own.
func (s scene) judgeAt(n, rows int, rules []rule, level float64) findings {
	f := findings{tables: n, any: make([]int, len(rules)), rows: make([]int, len(rules)), alone: make([]int, len(rules))}
	results := make(chan func())
	go func() {
		defer close(results)
		each(n, func(random *rand.Rand) {
			t := s.draw(random, rows)
			prior := NewPrior(t.freed)
			p := make([][]float64, len(rules))
			for k, r := range rules {
				for i := range rows {
					p[k] = append(p[k], r.p(t.row(i), prior, random))
				}
			}
			results <- func() {
				for k := range rules {
					corrected := Holm(p[k])
					if slices.Min(corrected) < Alpha {
						f.any[k]++
					}
					for i := range corrected {
						if corrected[i] < Alpha {
							f.rows[k]++
						}
						if p[k][i] < level {
							f.alone[k]++
						}
					}
				}
			}
		})
	}()
	for count := range results {
		count()
	}
	return f
}
