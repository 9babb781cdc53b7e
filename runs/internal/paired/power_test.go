package paired

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// designOf measures a design on pilot runs of a scene: tables of two methods with the scene's seeds.
func designOf(s scene, pilots, rows int) *Design {
	random := rand.New(rand.NewPCG(11, 12))
	var estimates []Estimate
	var spreads []Spread
	variance, freedom := 0.0, 0.0
	for range pilots {
		x := s.draw(random, 1)
		estimates = append(estimates, x.row(0).Estimate())
		spreads = append(spreads, x.freed...)
		for _, f := range x.freed {
			variance += f.Variance * f.Freedom
			freedom += f.Freedom
		}
	}
	return NewDesign(estimates, variance/freedom, rows, NewPrior(spreads))
}

func TestPower(t *testing.T) { checkPower(t, false) }

// checkPower simulates comparisons of methods that differ by a known delta, and counts how often
// the verdict of a table finds it: what was predicted from pilot runs.
func checkPower(t *testing.T, full bool) {
	t.Helper()
	n := 150
	if full {
		n = 1000
	}
	// Three standard errors of the count, and what 20 pilots do not know.
	tolerance := 3*math.Sqrt(0.25/float64(n)) + 0.05
	for _, tt := range []struct {
		scene string
		mean  float64
		seeds []int
		rows  int
	}{
		{"seeds and classes vary", 0.15, []int{2, 5, 10}, 1},
		{"seeds and classes vary", 0.2, []int{5}, 10},
		{"seeds decide", 0.6, []int{3, 5, 10}, 1},
		{"classes decide", 0.4, []int{3, 20}, 1}, // seeds do not help
		{"no seed variance", 0.15, []int{2, 5}, 1},
	} {
		s := named(tt.scene)
		s.mean[1] = tt.mean
		t.Run(fmt.Sprintf("%s, table of %d", s.name, tt.rows), func(t *testing.T) {
			d := designOf(s, 20, tt.rows)
			for _, seeds := range tt.seeds {
				predicted := d.Power(s.delta(), seeds)
				s.seeds = seeds
				f := s.judgeAt(n, tt.rows, []rule{used()}, Alpha/float64(tt.rows))
				rate := float64(f.alone[0]) / float64(n*tt.rows)
				t.Logf("delta %.2f points, %d seeds: predicted %.1f%%, found in %.1f%%", 100*s.delta(), seeds, 100*predicted, 100*rate)
				if math.Abs(predicted-rate) > tolerance {
					t.Errorf("%d seeds: predicted %.1f%%, found in %.1f%% of %d", seeds, 100*predicted, 100*rate, n)
				}
			}
		})
	}
}

// TestDetectable: the difference that a row says it would find is found in four of five cases, and
// half of it in fewer than half.
func TestDetectable(t *testing.T) {
	for _, name := range []string{"seeds and classes vary", "seeds decide", "classes decide"} {
		s := named(name)
		s.mean[1] = s.mean[0]
		const rows, tables = 4, 100
		random := rand.New(rand.NewPCG(5, 6))
		found, half, n := 0, 0, 0
		for range tables {
			x := s.draw(random, rows)
			prior := NewPrior(x.freed)
			for i := range rows {
				e := x.row(i).Estimate()
				d := e.Detectable(prior, 1)
				// A difference that is the same in all queries moves Delta and nothing else.
				for k, part := range []float64{1, 0.5} {
					moved := e
					moved.Delta += d * part
					if r := moved.Test(prior); r.P < Alpha && r.Low > 0 {
						if k == 0 {
							found++
						} else {
							half++
						}
					}
				}
				n++
			}
		}
		rate, halfRate := float64(found)/float64(n), float64(half)/float64(n)
		t.Logf("%s: found in %.2f, half of it in %.2f", name, rate, halfRate)
		if math.Abs(rate-wantedPower) > 0.1 || halfRate > 0.5 {
			t.Errorf("%s: the difference is found in %.2f of cases and half of it in %.2f, want about %g and less than 0.5",
				name, rate, halfRate, wantedPower)
		}
	}
}

// TestNeed asks for seeds where the answer can be checked: the number found is the smallest that
// reaches 80%, and where classes decide no number is enough.
func TestNeed(t *testing.T) {
	for _, tt := range []struct {
		scene string
		delta float64
		none  bool
	}{{"seeds decide", 0.1, false}, {"classes decide", 0.02, true}, {"seeds and classes vary", 0.1, false}} {
		d := designOf(named(tt.scene), 5, 1)
		need := d.Need(tt.delta)
		t.Logf("%s: %+v", tt.scene, need)
		if (need.Seeds == 0) != tt.none {
			t.Errorf("%s: %d seeds", tt.scene, need.Seeds)
			continue
		}
		if tt.none {
			if need.Power >= wantedPower {
				t.Errorf("%s: power %g with %d seeds, and no number is enough", tt.scene, need.Power, MostSeeds)
			}
			continue
		}
		if power := d.Power(tt.delta, need.Seeds); power != need.Power || power < wantedPower {
			t.Errorf("%s: power %g with %d seeds", tt.scene, need.Power, need.Seeds)
		}
		if need.Seeds > 2 {
			steps := seedLadder()
			below := steps[slices.Index(steps, need.Seeds)-1]
			if fewer := d.Power(tt.delta, below); fewer >= wantedPower {
				t.Errorf("%s: %d seeds have power %g", tt.scene, below, fewer)
			}
		}
		if reach := d.Reach(need.Seeds); reach > tt.delta {
			t.Errorf("%s: %d seeds find %g with 80%% power, and not %g", tt.scene, need.Seeds, tt.delta, reach)
		}
	}
}
