//go:build integration

package main

import "testing"

// optimised says that XLA optimises programs as it does for users.
const optimised = true

// TestIntegrationScripts runs testdata/integration/*.txtar: the stories that take
// minutes. A short case of each is in testdata/script.
func TestIntegrationScripts(t *testing.T) { scripts(t, "integration") }
