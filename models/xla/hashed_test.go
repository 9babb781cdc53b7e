package xla

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/cache"
)

// The plugin's file is hashed while the first program is compiled. No result is returned before that
// has ended, and none if the file is damaged.
func TestResultsWaitForThePlugin(t *testing.T) {
	whole, damaged := error(nil), error(&cache.DamagedError{Path: "plugin.so"})
	for _, want := range []error{whole, damaged} {
		b := goBackend(t)
		ended := make(chan time.Time, 1)
		b.hashed = hash(func() error {
			time.Sleep(50 * time.Millisecond)
			ended <- time.Now()
			return want
		})
		store := model.NewStore()
		p, err := b.Program(store, func(_ *model.Scope, in []*Node) []*Node { return []*Node{OnePlus(in[0])} }, Replicated, Replicated)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Run([]float32{1})
		if !errors.Is(err, want) {
			t.Errorf("program: %v, want %v", err, want)
		}
		if now := time.Now(); now.Before(<-ended) {
			t.Error("the result came before the plugin was hashed")
		}
		f, err := b.Forward(store, func(_ *model.Scope, in *Node) *Node { return OnePlus(in) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Run(0, tensors.FromValue([]float32{1})); !errors.Is(err, want) {
			t.Errorf("forward: %v, want %v", err, want)
		}
		b.Finalize()
	}
}

// The two pinned hashes of the plugin are of the same file: what a run compares is what its record
// names.
func TestBothHashesOfThePlugin(t *testing.T) {
	folder, err := cache.Default()
	if err != nil {
		t.Fatal(err)
	}
	p, err := folder.VerifiedPlugin(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(folder.CheckPlugin(p), folder.CheckPluginQuickly(p)); err != nil {
		t.Error(err)
	}
}
