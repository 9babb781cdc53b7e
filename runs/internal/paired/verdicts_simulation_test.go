//go:build simulation

package paired

import (
	"fmt"
	"strings"
	"testing"
)

// The figures of the package comment: half an hour on two cores.

func TestSimulationFalseVerdicts(t *testing.T) {
	checkFalseVerdicts(t, extent{
		scenes: scenes(), seeds: []int{2, 3, 5, 10}, sizes: []size{{1, 2000}, {10, 2000}, {100, 200}}, candidates: true,
	})
}

// TestSimulationPower simulates tables of ten rows that differ from their base, and counts the rows that
// the rules find: the one that is used no fewer than the bootstrap-t that it replaced.
func TestSimulationPower(t *testing.T) {
	rules := append([]rule{used()}, candidates()...)
	for _, s := range scenes() {
		s.mean[1] = s.mean[0] + 0.2
		if s.seed >= 0.2 || s.classMethod >= 0.6 || s.mean[0] > 1 {
			s.mean[1] = s.mean[0] + 0.5 // where a smaller difference is hardly found
		}
		for _, rows := range []int{1, 10} {
			t.Run(fmt.Sprintf("%s, %d rows", s.name, rows), func(t *testing.T) {
				n := 4000 / rows
				f := s.judge(n, rows, rules)
				var line strings.Builder
				power := func(k int) float64 { return 100 * float64(f.rows[k]) / float64(n*rows) }
				for k, r := range rules {
					fmt.Fprintf(&line, "  %s %.1f", r.name, power(k))
				}
				t.Logf("rows found:%s", line.String())
				// The standard error of their difference is about a point.
				if rows == 10 && power(0) < power(1)-1.5 {
					t.Errorf("found in %.1f%%, by the bootstrap-t in %.1f%%", power(0), power(1))
				}
			})
		}
	}
}
