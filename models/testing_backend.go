package models

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// deviceLimit is how long one test may have a device. The slowest take a
// minute on two cores that others use too.
const deviceLimit = 5 * time.Minute

// limitDevice ends the test binary, with all stacks, when a test that has
// taken a device has not ended in time: nothing else can end a wait for a
// device, and go test's own limit is that of the whole package.
func limitDevice(tb testing.TB) {
	tb.Helper()
	if _, ok := tb.(*testing.T); !ok {
		return // a benchmark takes as long as it is told to
	}
	tb.Cleanup(watch(deviceLimit, func(waited time.Duration) {
		panic(fmt.Sprintf("%s has waited for its device for %v", tb.Name(), waited))
	}))
}

// shared is the backend of the package's tests, opened at first need.
var shared = sync.OnceValues(func() (*Backend, error) {
	cache, err := DefaultCache()
	if err != nil {
		return nil, err
	}
	// One backend outlives the test that opens it, so its context is not that test's.
	return OpenBackend(context.Background(), BackendCPU, 1, cache, slog.Default())
})

// testBackend returns the XLA CPU backend that all tests of the package share.
// It installs the pinned plugin into the user's cache where there is none.
func testBackend(tb testing.TB) *Backend {
	tb.Helper()
	limitDevice(tb)
	b, err := shared()
	if err != nil {
		tb.Fatalf("open the tests' backend: %v", err)
	}
	return b
}

// goBackend returns GoMLX's own backend, for what needs no plugin.
func goBackend(tb testing.TB) *Backend {
	tb.Helper()
	limitDevice(tb)
	b, err := OpenBackend(tb.Context(), BackendGo, 1, Cache{}, slog.Default())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// onDevices is the shared backend with its work split over n devices.
func onDevices(tb testing.TB, n int) *Backend {
	tb.Helper()
	b := testBackend(tb)
	return &Backend{Backend: b.Backend, Config: b.Config, Device: b.Device, Plugin: b.Plugin, PluginPath: b.PluginPath, Devices: n}
}
