//go:build integration

package paired

import "testing"

// The simulations in full: minutes.

func TestIntegrationFalseVerdictsInFull(t *testing.T) { checkFalseVerdicts(t, true) }

func TestIntegrationPowerInFull(t *testing.T) { checkPower(t, true) }

func TestIntegrationPowerOfRules(t *testing.T) { checkRulesPower(t) }
