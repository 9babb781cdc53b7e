package paired

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"
)

// A scene is a world of experiments in which delta is known: each query has a normal latent value,
// which is the sum of independent normal effects with the standard deviations given here; a value
// above 0 is a hit.
type scene struct {
	name        string
	classes     int
	queries     [2]int // fewest and most of a class, drawn evenly
	seeds       int    // of each group
	class       float64
	classMethod float64 // a class that suits one method more than the other
	seed        float64
	classSeed   float64
	query       float64    // the same for both methods and all seeds: correlates them
	noise       float64    // of one query in one seed of one method
	mean        [2]float64 // of A and B
	scatter     float64    // standard deviation of the logarithm of the groups' own seed
	common      float64    // share of the variance of seed that equal seeds of all groups have in common
}

func normalCDF(x float64) float64 { return distuv.UnitNormal.CDF(x) }

// delta is the true difference, exactly: a sum of normals is a normal. Where the groups' seeds
// scatter it is known only for equal means, where it is 0.
func (s scene) delta() float64 {
	sd := math.Sqrt(s.class*s.class + s.classMethod*s.classMethod + s.seed*s.seed +
		s.classSeed*s.classSeed + s.query*s.query + s.noise*s.noise)
	return normalCDF(s.mean[1]/sd) - normalCDF(s.mean[0]/sd)
}

// A table is the results of a base and of the rows that are compared with it.
type table struct {
	count  []float64     // [classes]
	groups [][][]float64 // [1 + rows][seeds][classes]: the base is the first
	freed  []Spread      // [1 + rows] of the groups' seeds
}

// row returns the sample of a row, from 0.
func (t table) row(i int) Sample { return Sample{Count: t.count, A: t.groups[0], B: t.groups[i+1]} }

// draw makes a table. All rows share the base, so its seeds, too.
func (s scene) draw(random *rand.Rand, rows int) table {
	t := table{count: make([]float64, s.classes), groups: make([][][]float64, rows+1), freed: make([]Spread, rows+1)}
	common := make([]float64, s.seeds) // of equal seeds
	for i := range common {
		common[i] = random.NormFloat64() * math.Sqrt(s.common)
	}
	seed := make([][]float64, rows+1)
	for g := range t.groups {
		sd := s.seed
		if s.scatter > 0 {
			sd *= math.Exp(random.NormFloat64() * s.scatter)
		}
		t.groups[g] = make([][]float64, s.seeds)
		seed[g] = make([]float64, s.seeds)
		for i := range s.seeds {
			t.groups[g][i] = make([]float64, s.classes)
			seed[g][i] = sd * (common[i] + random.NormFloat64()*math.Sqrt(1-s.common))
		}
	}
	query := make([]float64, s.queries[1])
	for c := range s.classes {
		n := s.queries[0] + random.IntN(s.queries[1]-s.queries[0]+1)
		t.count[c] = float64(n)
		class := random.NormFloat64() * s.class
		for k := range n {
			query[k] = random.NormFloat64() * s.query
		}
		for g, seeds := range t.groups {
			level := s.mean[min(g, 1)] + class + random.NormFloat64()*s.classMethod
			for i := range seeds {
				own := level + seed[g][i] + random.NormFloat64()*s.classSeed
				for k := range n {
					if own+query[k]+random.NormFloat64()*s.noise > 0 {
						seeds[i][c]++
					}
				}
			}
		}
	}
	for g, seeds := range t.groups {
		t.freed[g] = SpreadOf(meansOf(t.count, seeds))
	}
	return t
}

// meansOf returns the mean over the queries of each seed of a group.
func meansOf(count []float64, seeds [][]float64) []float64 {
	total := floats.Sum(count)
	means := make([]float64, len(seeds))
	for i, row := range seeds {
		means[i] = floats.Sum(row) / total
	}
	return means
}

// scenes returns the simulated worlds. The first has 40 classes of 10 to 50 queries and 5 seeds that
// vary; the others differ from it as they say.
func scenes() []scene {
	base := scene{
		name: "seeds and classes vary", classes: 40, queries: [2]int{10, 50}, seeds: 5,
		class: 0.8, classMethod: 0.2, seed: 0.08, classSeed: 0.2, query: 1, noise: 0.5, mean: [2]float64{0, 0.1},
	}
	with := func(name string, change func(*scene)) scene {
		s := base
		s.name = name
		change(&s)
		return s
	}
	return []scene{
		base,
		with("classes differ alike, seeds vary little", func(s *scene) { s.classMethod, s.classSeed, s.seed = 0, 0, 0.02 }),
		with("classes differ alike, seeds vary", func(s *scene) { s.classMethod, s.classSeed, s.seed = 0, 0, 0.05 }),
		with("classes differ alike, seeds vary much", func(s *scene) { s.classMethod, s.classSeed, s.seed = 0, 0, 0.1 }),
		with("seeds decide", func(s *scene) { s.seed = 0.3 }),
		with("classes decide", func(s *scene) { s.classMethod = 0.6 }),
		with("few queries", func(s *scene) {
			s.classMethod, s.classSeed, s.seed, s.queries = 0, 0, 0.05, [2]int{2, 10}
		}),
		with("95% hits", func(s *scene) { s.mean = [2]float64{2.2, 2.4} }),
		with("no seed variance", func(s *scene) { s.seed = 0 }),
		with("variances differ", func(s *scene) { s.seed, s.scatter = 0.1, 0.5 }),
		with("equal seeds draw alike", func(s *scene) { s.seed, s.common = 0.2, 0.5 }),
		with("10 classes", func(s *scene) { s.classes = 10 }),
		with("100 classes", func(s *scene) { s.classes = 100 }),
	}
}

// named returns a scene.
func named(name string) scene {
	for _, s := range scenes() {
		if s.name == name {
			return s
		}
	}
	panic("no scene " + name)
}

// TestScene checks the simulator itself: the mean of many experiments is the delta it claims.
func TestScene(t *testing.T) {
	s := scenes()[0]
	random := rand.New(rand.NewPCG(1, 2))
	const n = 2000
	sum := 0.0
	for range n {
		sum += s.draw(random, 1).row(0).Estimate().Delta
	}
	// An experiment's delta has a standard deviation of about 0.022: five standard errors.
	if got, want := sum/n, s.delta(); math.Abs(got-want) > 5*0.022/math.Sqrt(n) {
		t.Errorf("mean delta %.5f, want %.5f", got, want)
	}
}
