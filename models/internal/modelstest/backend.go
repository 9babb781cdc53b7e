package modelstest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"bierbench/models/cache"
	"bierbench/models/xla"
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
	tb.Cleanup(xla.Watch(deviceLimit, func(waited time.Duration) {
		panic(fmt.Sprintf("%s has waited for its device for %v", tb.Name(), waited))
	}))
}

// sharedBackend returns the backend of a package's tests, which the first call opens.
var sharedBackend = sync.OnceValues(func() (*xla.Backend, error) {
	folder, err := cache.Default()
	if err != nil {
		return nil, err
	}
	// Otherwise the tests would mostly wait while XLA optimises small programs that run a few
	// times. It reads its flags when the plugin is loaded.
	if os.Getenv("XLA_FLAGS") == "" && !optimised {
		if err := os.Setenv("XLA_FLAGS", "--xla_backend_optimization_level=0"); err != nil {
			return nil, err
		}
	}
	// One backend outlives the test that opens it, so its context is not that test's.
	return xla.Open(context.Background(), xla.Options{Config: xla.CPU, Devices: 1}, folder, slog.Default())
})

// Backend returns the XLA CPU backend that all tests of a package share. It installs the pinned
// plugin into the user's cache if there is none.
func Backend(tb testing.TB) *xla.Backend {
	tb.Helper()
	limitDevice(tb)
	b, err := sharedBackend()
	if err != nil {
		tb.Fatalf("open the tests' backend: %v", err)
	}
	return b
}

// LogicBackend returns a backend for tests of what stands around the programs: checkpoints, order,
// selection, export. GoMLX's own compiles nothing, which is most of what they would wait for; with
// the tag integration it is XLA's.
func LogicBackend(tb testing.TB) *xla.Backend {
	tb.Helper()
	if optimised {
		return Backend(tb)
	}
	return GoBackend(tb)
}

// GoBackend returns GoMLX's own backend, for tests that need no plugin.
func GoBackend(tb testing.TB) *xla.Backend {
	tb.Helper()
	limitDevice(tb)
	b, err := xla.Open(tb.Context(), xla.Options{Config: xla.Go, Devices: 1}, cache.Cache{}, slog.Default())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// OnDevices returns the shared backend, with its work split over n devices.
func OnDevices(tb testing.TB, n int) *xla.Backend {
	tb.Helper()
	b := Backend(tb)
	return &xla.Backend{Backend: b.Backend, Config: b.Config, Device: b.Device, Plugin: b.Plugin, PluginPath: b.PluginPath, Devices: n}
}
