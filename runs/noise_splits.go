package runs

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"bierbench/runs/internal/paired"
)

// split compares configurations with themselves, for every number of seeds up to mostSplit that
// fits on both sides. A split is a table of its own, so its own two groups tell of the variance of
// seeds.
func (n *SeedNoise) split(chosen []measured, counts []float64, o NoiseOptions) {
	most := o.Splits * fewClasses / max(fewClasses, n.Classes)
	for k := 1; 2*k <= min(n.Most, 2*mostSplit); k++ {
		s := Split{Seeds: k, All: true}
		var enough []measured
		for _, m := range chosen {
			if len(m.sums[n.Metric]) >= 2*k {
				enough = append(enough, m)
			}
		}
		s.Configurations = len(enough)
		var differences []float64
		for _, m := range enough {
			sums := m.sums[n.Metric]
			random := splitStream(o.Seed, n.Run, m.group.Group.Path(), n.Protocol, n.At, n.Metric)
			halves, all := seedHalvings(len(sums), k, max(1, most/len(enough)), random)
			s.All = s.All && all
			means := m.means(n.Metric, n.Queries)
			for _, h := range halves {
				e := paired.Sample{Count: counts, A: reordered(sums, h[0]), B: reordered(sums, h[1])}.Estimate()
				differences = append(differences, math.Abs(e.Delta))
				if k == 1 {
					continue // one seed on a side gets no verdict
				}
				prior := paired.NewPrior([]paired.Spread{paired.SpreadOf(reordered(means, h[0])), paired.SpreadOf(reordered(means, h[1]))})
				if e.Test(prior).P < paired.Alpha {
					s.Verdicts++
				}
			}
		}
		squares := 0.0
		for _, d := range differences {
			squares += d * d
		}
		slices.Sort(differences)
		s.Splits = len(differences)
		s.SD = math.Sqrt(squares / float64(s.Splits))
		s.Largest = differences[s.Splits-1]
		s.Within95 = differences[int(math.Ceil(0.95*float64(s.Splits)))-1]
		n.Splits = append(n.Splits, s)
	}
}

// splitStream returns the random numbers by which the splits of a configuration are chosen. They
// depend on the words that identify it alone, so other configurations do not shift them.
func splitStream(seed uint64, identity ...string) *rand.Rand {
	h := sha256.Sum256([]byte(strings.Join(append(identity, "splits"), "\x00")))
	return rand.New(rand.NewPCG(seed^binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16])))
}

// fewClasses is the number of test classes up to which NoiseOptions.Splits applies. With more
// classes each split takes longer, so there are fewer.
const fewClasses = 1000

// mostSplit bounds the seeds on a side: larger sets add rows but nothing new.
const mostSplit = 5

// seedHalvings returns pairs of disjoint sets of k of n seeds. The order of the two sets does not
// count. It returns all pairs where there are at most as many as asked for; otherwise it draws that
// many, which may repeat.
func seedHalvings(n, k, most int, random *rand.Rand) (halves [][2][]int, all bool) {
	if countHalvings(n, k) <= float64(most) {
		var visit func(next int, a, b []int)
		visit = func(next int, a, b []int) {
			switch {
			case len(a) > k || len(b) > k:
			case next < n:
				visit(next+1, append(slices.Clone(a), next), b)
				if len(a) > 0 { // the first seed of all is A's
					visit(next+1, a, append(slices.Clone(b), next))
				}
				visit(next+1, a, b)
			case len(a) == k && len(b) == k:
				halves = append(halves, [2][]int{a, b})
			}
		}
		visit(0, nil, nil)
		return halves, true
	}
	for range most {
		drawn := random.Perm(n)
		halves = append(halves, [2][]int{drawn[:k], drawn[k : 2*k]})
	}
	return halves, false
}

// countHalvings returns n! / (k! k! (n-2k)! 2).
func countHalvings(n, k int) float64 {
	logFactorial := func(n int) float64 {
		v, _ := math.Lgamma(float64(n + 1))
		return v
	}
	return math.Round(math.Exp(logFactorial(n)-2*logFactorial(k)-logFactorial(n-2*k)) / 2)
}
