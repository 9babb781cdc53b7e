//go:build integration

package paired

import "testing"

// The simulations in full: minutes.

func TestCoverageInFull(t *testing.T) { checkCoverage(t, true) }

func TestSameConfigurationInFull(t *testing.T) { checkSameConfiguration(t, true) }

func TestPowerInFull(t *testing.T) { checkPower(t, true) }
