//go:build integration

package models

import (
	"testing"

	"bierbench/models/internal/modelstest"
)

// Two devices have the losses and parameters of one end to end, softmaxes and a penalty of proxies
// included. Programs that XLA does not optimise sum in orders that are too far apart for the
// tolerance, 1.01e-5 where 1e-5 is allowed.
func TestIntegrationProxiesSplit(t *testing.T) {
	c := proxyTraining(Finetune, "soft_triple")
	one := newProxyModel(t, modelstest.OnDevices(t, 1), c, "")
	want := trainTo(t, one, "", 0)
	two := newProxyModel(t, modelstest.OnDevices(t, 2), c, "")
	checkCurve(t, "two devices", trainTo(t, two, "", 0), want)
	checkParameters(t, two, one)
}
