//go:build integration

package models

import (
	"testing"

	"bierbench/models/internal/modelstest"
)

// Two devices and two chunks have the losses and parameters of a whole batch on one device end to
// end, softmaxes and a penalty of proxies included. Programs that XLA does not optimise sum in orders that are too far apart for the
// tolerance, 1.01e-5 where 1e-5 is allowed.
func TestIntegrationProxiesSplit(t *testing.T) {
	c := proxyTraining(Finetune, "soft_triple")
	one := newProxyModel(t, modelstest.OnDevices(t, 1), c, "")
	want := trainTo(t, one, "", 0)
	two := newProxyModel(t, modelstest.OnDevices(t, 2), c, "")
	checkCurve(t, "two devices", trainTo(t, two, "", 0), want)
	checkParameters(t, two, one)
	c.Accumulate = 2
	chunks := newProxyModel(t, modelstest.OnDevices(t, 1), c, "")
	checkCurve(t, "two chunks", trainTo(t, chunks, "", 0), want)
	checkParameters(t, chunks, one)
}
