package models

import (
	"context"
	"log/slog"
	"sync"
	"testing"
)

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
	b, err := shared()
	if err != nil {
		tb.Fatalf("open the tests' backend: %v", err)
	}
	return b
}

// goBackend returns GoMLX's own backend, for what needs no plugin.
func goBackend(tb testing.TB) *Backend {
	tb.Helper()
	b, err := OpenBackend(tb.Context(), BackendGo, 1, Cache{}, slog.Default())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
