//go:build integration

package paired

import "testing"

// The simulations in full: minutes.

func TestIntegrationCoverageInFull(t *testing.T) { checkCoverage(t, true) }

func TestIntegrationSameConfigurationInFull(t *testing.T) { checkSameConfiguration(t, true) }

func TestIntegrationPowerInFull(t *testing.T) { checkPower(t, true) }
