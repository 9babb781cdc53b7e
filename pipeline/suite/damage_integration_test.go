//go:build integration

package suite

import "testing"

func TestIntegrationDamagedSuites(t *testing.T) { damagedSuites(t, 200) }
