//go:build integration

package paired

import "testing"

func TestIntegrationFalseVerdicts(t *testing.T) {
	checkFalseVerdicts(t, extent{scenes: scenes(), seeds: []int{2, 5}, sizes: []size{{1, 500}, {10, 500}}})
}

func TestIntegrationPowerInFull(t *testing.T) { checkPower(t, true) }
