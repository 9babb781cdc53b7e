//go:build integration

package backbones

import "testing"

// Without the tag the gradients are those of GoMLX's own backend.
func TestIntegrationGradientsReachEveryVariable(t *testing.T) { TestGradientsReachEveryVariable(t) }
