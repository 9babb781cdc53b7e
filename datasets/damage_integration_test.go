//go:build integration

package datasets

import "testing"

// Every file that the package reads, damaged in more ways than TestDamage has time for.
func TestIntegrationDamage(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { checkPreparedDamage(t, 150) })
	t.Run("lists", func(t *testing.T) { checkListDamage(t, 600) })
}
