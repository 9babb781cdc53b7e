//go:build simulation

package paired

import "testing"

// The figures of the package comment: half an hour on two cores.

func TestSimulationFalseVerdicts(t *testing.T) {
	checkFalseVerdicts(t, extent{
		scenes: scenes(), seeds: []int{2, 3, 5, 10}, sizes: []size{{1, 2000}, {10, 2000}, {100, 200}}, candidates: true,
	})
}

func TestSimulationPower(t *testing.T) { checkRulesPower(t) }
