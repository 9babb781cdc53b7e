package paired

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// each runs f for every experiment, on all cores; f gets its own random numbers.
func each(n int, f func(random *rand.Rand)) {
	var wait sync.WaitGroup
	const workers = 4
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				f(rand.New(rand.NewPCG(7, uint64(i))))
			}
		})
	}
	wait.Wait()
}

func TestFalseVerdicts(t *testing.T) {
	checkFalseVerdicts(t, extent{scenes: scenes()[:1], seeds: []int{2, 5}, sizes: []size{{10, 300}}})
}

// extent says how much is simulated.
type extent struct {
	scenes     []scene
	seeds      []int
	sizes      []size
	candidates bool // the other rules are measured, too, on tables of ten rows with 2 and 5 seeds
}

// size is the rows of a table and the number of tables.
type size struct{ rows, tables int }

// checkFalseVerdicts simulates tables in which no row differs from the base but by chance: of a
// method that suits some classes more and others less. At most 5% of the tables may have a verdict,
// and at least 94% of the intervals must hold the true difference (93% with two seeds).
func checkFalseVerdicts(t *testing.T, x extent) {
	t.Helper()
	for _, s := range x.scenes {
		s.mean[1] = s.mean[0]
		for _, s.seeds = range x.seeds {
			for _, size := range x.sizes {
				t.Run(fmt.Sprintf("%s, %d seeds, %d rows", s.name, s.seeds, size.rows), func(t *testing.T) {
					rules := []rule{used()}
					if x.candidates && size.rows == 10 && (s.seeds == 2 || s.seeds == 5) {
						rules = append(rules, candidates()...)
					}
					f := s.judge(size.tables, size.rows, rules)
					any := func(k int) float64 { return 100 * float64(f.any[k]) / float64(f.tables) }
					held := func(k int) float64 { return 100 - 100*float64(f.alone[k])/float64(f.tables*size.rows) }
					var line strings.Builder
					for k, r := range rules {
						fmt.Fprintf(&line, "  %s %.1f %.1f", r.name, any(k), held(k))
					}
					t.Logf("any verdict, truth held:%s", line.String())
					// 1.8 standard errors beside the 5%; in few tables they are large.
					if most := 5 + 1.8*100*math.Sqrt(0.05*0.95/float64(f.tables)); any(0) > most {
						t.Errorf("a verdict in %.1f%% of tables without a difference, want at most %.1f%%", any(0), most)
					}
					least := 94.0
					if s.seeds == 2 {
						least = 93
					}
					// Rows of a table share the base, so they are worth about as many as tables.
					if least -= 1.8 * 100 * math.Sqrt(0.05*0.95/float64(f.tables)); held(0) < least {
						t.Errorf("%.1f%% of the intervals hold the difference, want at least %.1f%%", held(0), least)
					}
				})
			}
		}
	}
}

func TestPAndIntervalAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := scenes()[0]
	for range 300 {
		s.mean[1] = random.Float64() * 0.4
		s.seeds = 1 + random.IntN(4)
		s.classes = 2 + random.IntN(20)
		x := s.draw(random, 1+random.IntN(3))
		r := x.row(0).Estimate().Test(NewPrior(x.freed))
		if (r.P < Alpha) != (r.Low > 0 || r.High < 0) {
			t.Errorf("p %g, interval [%g, %g]", r.P, r.Low, r.High)
		}
		if r.P < 0 || r.P > 1 || math.IsNaN(r.P) {
			t.Errorf("p = %g", r.P)
		}
	}
}
