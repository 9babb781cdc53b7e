//go:build integration

package models

import (
	"maps"
	"slices"
	"testing"

	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// Batches in two, four and three chunks, with a diversity loss and without.
func TestIntegrationAccumulate(t *testing.T) {
	for _, diversity := range []string{DiversityNone, DiversityAdversarial} {
		t.Run(diversity, func(t *testing.T) {
			chunked, saved := checkChunks(t, diversity, [][2]int{{2, 1}, {4, 1}, {3, 2}})
			for i, m := range chunked[:2] {
				checkContinues(t, m, saved[i])
				dir := t.TempDir()
				trainTo(t, newModel(t, modelstest.LogicBackend(t), m.Config, ""), dir, 3) // interrupted, not killed
				checkContinues(t, m, dir)
			}
		})
	}
}

func TestIntegrationCheck(t *testing.T) {
	checkChecks(t, "frozen", Frozen, 1, 0)
	checkChecks(t, "finetune in chunks, two devices", Finetune, 2, 3)
}

func TestIntegrationInitialiseDeterministic(t *testing.T) {
	checkInitialiseDeterministic(t, initialConfig(InitialActivation, DiversityActivation), initialConfig(InitialAdversarial, DiversityNone))
}

func TestIntegrationTrainDevices(t *testing.T) {
	checkTrainDevices(t, "frozen bier", Frozen, DiversityNone)
	checkTrainDevices(t, "frozen abier", Frozen, DiversityAdversarial)
}

func TestIntegrationExportHasNoExtraParameters(t *testing.T) {
	checkParametersOf(t, slices.Sorted(maps.Keys(testMethods()))...)
}

// The golden vectors on XLA: without the tag they are read on GoMLX's own backend.
func TestIntegrationGoldenModels(t *testing.T) { checkGoldenModels(t) }

func TestIntegrationTrainProxies(t *testing.T) {
	var names []string
	for _, loss := range losses.All() {
		if loss.Proxies() > 0 {
			names = append(names, loss.Name)
		}
	}
	if len(names) < 4 {
		t.Fatalf("%q have proxies, want four losses and more", names)
	}
	checkTrainProxies(t, names...)
}

// What the tests without the tag compute on GoMLX's own backend is what XLA computes.
func TestIntegrationGradientsOnXLA(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"adversarial": TestAdversarialGradient, "adversarial of zeros": TestAdversarialZero, "activation": TestActivationGradient,
		"Adam": TestAdam, "weight decay": TestWeightDecay, "proxies do not decay": TestProxiesDoNotDecay,
	} {
		t.Run(name, test)
	}
}
