package models

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

func TestBackendComputes(t *testing.T) {
	b := testBackend(t)
	got, err := graph.ExecOnce(b, func(x *graph.Node) *graph.Node { return graph.Square(x) }, []float32{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b.Config, b.Device, b.Plugin, got)
}

func TestCatch(t *testing.T) {
	cause := errors.New("cause")
	if err := catch("build", func() { panic(cause) }); !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "build: ") {
		t.Errorf("catch of an error: %v", err)
	}
	if err := catch("build", func() { panic("text") }); err == nil || err.Error() != "build: text" {
		t.Errorf("catch of a text: %v", err)
	}
	if err := catch("build", func() {}); err != nil {
		t.Errorf("catch of nothing: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a programmer's mistake was swallowed")
		}
	}()
	var m map[string]int
	_ = catch("build", func() { m["x"] = 1 })
}
