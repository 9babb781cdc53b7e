package xla

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"bierbench/models/cache"
)

// sharedBackend is the XLA CPU backend of this package's tests, opened at first
// need.
var sharedBackend = sync.OnceValues(func() (*Backend, error) {
	folder, err := cache.Default()
	if err != nil {
		return nil, err
	}
	// It outlives the test that opens it, so its context is not that test's.
	return Open(context.Background(), Options{Config: CPU, Devices: 1}, folder, slog.Default())
})

// testBackend is the shared backend with its work split over some devices.
func testBackend(tb testing.TB, devices int) *Backend {
	tb.Helper()
	b, err := sharedBackend()
	if err != nil {
		tb.Fatalf("open the tests' backend: %v", err)
	}
	return &Backend{Backend: b.Backend, Config: b.Config, Device: b.Device, Plugin: b.Plugin, PluginPath: b.PluginPath, Devices: devices}
}

// goBackend returns GoMLX's own backend, for what needs no plugin.
func goBackend(tb testing.TB) *Backend {
	tb.Helper()
	b, err := Open(tb.Context(), Options{Config: Go, Devices: 1}, cache.Cache{}, slog.Default())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
