//go:build integration

package pipeline

import "testing"

// Interrupts of the whole of A-BIER, before a training of all parameters.
func TestIntegrationInterruptInEveryStage(t *testing.T) {
	checkInterrupts(t, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [abier]
  sizes: [24]
  hidden: 16
  steps: 12
- datasets: [cub/mini]
  backbone: convnet
  mode: finetune
  input: 32
  methods: [bier]
  sizes: [24]
  steps: 4
`, 6)
}

func TestIntegrationSelectionInterrupted(t *testing.T) {
	checkSelectionInterrupted(t, map[string][]int{"frozen": {1, 2, 3}, "finetune": {1, 2, 3}})
}

func TestIntegrationSelectionKilled(t *testing.T) { checkSelectionKilled(t, true) }
