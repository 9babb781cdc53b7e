//go:build integration

package models

import "testing"

// Many more bytes of a checkpoint.
func TestIntegrationDamagedCheckpoints(t *testing.T) { damagedCheckpoints(t, 7) }
