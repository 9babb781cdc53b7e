package paired

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// worldOf measures a world on pilot runs of a scene: pairs of two methods with the scene's seeds.
func worldOf(s scene, pilots, rows int) World {
	random := rand.New(rand.NewPCG(11, 12))
	w := World{Rows: rows, Experiments: 400, Resamples: max(400, 100*rows), Stream: 1}
	squares, freedom := 0.0, 0.0 // of the seeds' means around their side's
	for range pilots {
		x := s.draw(random)
		w.Contrasts = append(w.Contrasts, NewContrast(x))
		total := 0.0
		for _, n := range x.Count {
			total += n
		}
		for _, side := range [][][]float64{x.A, x.B} {
			means := make([]float64, len(side))
			for i, row := range side {
				means[i] = floats.Sum(row) / total
			}
			squares += stat.Variance(means, nil) * float64(len(means)-1)
			freedom += float64(len(means) - 1)
		}
	}
	w.SeedSD = math.Sqrt(squares / freedom)
	return w
}

func TestPower(t *testing.T) { checkPower(t, false) }

// checkPower simulates comparisons of methods that differ by a known delta, in another world than
// that of power.go (hits of latent normal values), and counts how often the verdict of a table
// finds it: what was predicted from pilot runs.
func checkPower(t *testing.T, full bool) {
	t.Helper()
	n := experiments(full)
	if full {
		n = 1000
	}
	// Three standard errors of the count, two of the prediction's 400 experiments, and what 20
	// pilots do not know.
	tolerance := 3*math.Sqrt(0.25/float64(n)) + 2*math.Sqrt(0.25/400) + 0.02
	for _, tt := range []struct {
		scene int // of scenes()
		mean  float64
		seeds []int
		rows  int
	}{
		{0, 0.15, []int{2, 5, 10}, 1}, // classes and seeds vary
		{0, 0.2, []int{5}, 10},        // the same in a table of ten
		{4, 0.6, []int{3, 5, 10}, 1},  // seeds decide
		{5, 0.4, []int{3, 20}, 1},     // classes decide: seeds do not help
		{8, 0.15, []int{2, 5}, 1},     // no main effect of seeds
	} {
		s := scenes()[tt.scene]
		s.mean[1] = tt.mean
		t.Run(fmt.Sprintf("%s, table of %d", s.name, tt.rows), func(t *testing.T) {
			w := worldOf(s, 20, tt.rows)
			for _, seeds := range tt.seeds {
				p := NewPowers(w)
				predicted, err := p.power(t.Context(), s.delta(), seeds)
				if err != nil {
					t.Fatal(err)
				}
				s.seeds = seeds
				found := 0
				var lock sync.Mutex
				each(n, func(random *rand.Rand) {
					r, err := s.draw(random).Estimate().Test(t.Context(), w.Resamples, rand.NewPCG(random.Uint64(), 1))
					if err != nil {
						t.Error(err)
					}
					if r.P < Alpha/float64(tt.rows) && r.Low+r.High > 0 {
						lock.Lock()
						found++
						lock.Unlock()
					}
				})
				rate := float64(found) / float64(n)
				t.Logf("delta %.2f points, %d seeds: predicted %.1f%%, found in %.1f%%", 100*s.delta(), seeds, 100*predicted, 100*rate)
				if math.Abs(predicted-rate) > tolerance {
					t.Errorf("%d seeds: predicted %.1f%%, found in %.1f%% of %d", seeds, 100*predicted, 100*rate, n)
				}
			}
		})
	}
}

// TestNeed asks for seeds where the answer can be checked: the number found is the smallest that
// reaches 80%, and where classes decide no number is enough.
func TestNeed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scene int
		delta float64
		none  bool
	}{{"seeds decide", 4, 0.1, false}, {"classes decide", 5, 0.02, true}, {"a large difference", 0, 0.3, false}} {
		w := worldOf(scenes()[tt.scene], 5, 1)
		w.Experiments, w.Resamples = 200, 200
		p := NewPowers(w)
		need, err := p.Need(t.Context(), tt.delta)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", tt.name, need)
		if (need.Seeds == 0) != tt.none {
			t.Errorf("%s: %d seeds", tt.name, need.Seeds)
			continue
		}
		if tt.none {
			if need.Power >= wantedPower {
				t.Errorf("%s: power %g with %d seeds, and no number is enough", tt.name, need.Power, MostSeeds)
			}
			continue
		}
		if power, again := p.power(t.Context(), tt.delta, need.Seeds); again != nil || power != need.Power || power < wantedPower {
			t.Errorf("%s: power %g with %d seeds", tt.name, need.Power, need.Seeds)
		}
		if need.Seeds > 2 {
			steps := seedLadder()
			below := steps[slices.Index(steps, need.Seeds)-1]
			fewer, missed := p.power(t.Context(), tt.delta, below)
			if missed != nil {
				t.Fatal(missed)
			}
			if fewer >= wantedPower {
				t.Errorf("%s: %d seeds have power %g", tt.name, below, fewer)
			}
		}
		reach, err := p.Reach(t.Context(), need.Seeds)
		if err != nil {
			t.Fatal(err)
		}
		if reach > tt.delta {
			t.Errorf("%s: %d seeds find %g with 80%% power, and not %g", tt.name, need.Seeds, tt.delta, reach)
		}
	}
}
