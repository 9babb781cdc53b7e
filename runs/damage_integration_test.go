//go:build integration

package runs

import "testing"

// Every byte of every file of a run, changed and cut off.
func TestIntegrationDamagedFiles(t *testing.T) { checkDamages(t, 1) }
