package paired

import (
	"math"
	"math/rand/v2"
	"testing"

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
}

func normalCDF(x float64) float64 { return distuv.UnitNormal.CDF(x) }

// delta is the true difference, exactly: a sum of normals is a normal.
func (s scene) delta() float64 {
	sd := math.Sqrt(s.class*s.class + s.classMethod*s.classMethod + s.seed*s.seed +
		s.classSeed*s.classSeed + s.query*s.query + s.noise*s.noise)
	return normalCDF(s.mean[1]/sd) - normalCDF(s.mean[0]/sd)
}

// draw makes one experiment.
func (s scene) draw(random *rand.Rand) Sample {
	normals := func(n int, sd float64) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = random.NormFloat64() * sd
		}
		return v
	}
	sums := func() [][]float64 {
		v := make([][]float64, s.seeds)
		for i := range v {
			v[i] = make([]float64, s.classes)
		}
		return v
	}
	out := Sample{Count: make([]float64, s.classes), A: sums(), B: sums()}
	seed := [2][]float64{normals(s.seeds, s.seed), normals(s.seeds, s.seed)}
	for c := range s.classes {
		n := s.queries[0] + random.IntN(s.queries[1]-s.queries[0]+1)
		out.Count[c] = float64(n)
		class, method := random.NormFloat64()*s.class, normals(2, s.classMethod)
		classSeed := [2][]float64{normals(s.seeds, s.classSeed), normals(s.seeds, s.classSeed)}
		for range n {
			query := random.NormFloat64() * s.query
			for g, rows := range [][][]float64{out.A, out.B} {
				for i := range rows {
					v := s.mean[g] + class + method[g] + seed[g][i] + classSeed[g][i] + query + random.NormFloat64()*s.noise
					if v > 0 {
						rows[i][c]++
					}
				}
			}
		}
	}
	return out
}

// scenes returns the worlds of TestCoverage. The first is the one that the design names: 40 classes
// of 10 to 50 queries, 5 seeds that vary.
func scenes() []scene {
	base := scene{
		name: "40 classes, 5 seeds", classes: 40, queries: [2]int{10, 50}, seeds: 5,
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
		with("2 seeds", func(s *scene) { s.seeds = 2 }),
		with("2 seeds that decide", func(s *scene) { s.seeds, s.seed = 2, 0.3 }),
		with("3 seeds", func(s *scene) { s.seeds = 3 }),
		with("10 seeds", func(s *scene) { s.seeds = 10 }),
		with("10 classes", func(s *scene) { s.classes = 10 }),
		with("100 classes", func(s *scene) { s.classes = 100 }),
	}
}

// TestScene checks the simulator itself: the mean of many experiments is the delta it claims.
func TestScene(t *testing.T) {
	s := scenes()[0]
	random := rand.New(rand.NewPCG(1, 2))
	const n = 2000
	sum := 0.0
	for range n {
		sum += s.draw(random).Estimate().Delta
	}
	// An experiment's delta has a standard deviation of about 0.022: five standard errors.
	if got, want := sum/n, s.delta(); math.Abs(got-want) > 5*0.022/math.Sqrt(n) {
		t.Errorf("mean delta %.5f, want %.5f", got, want)
	}
}
