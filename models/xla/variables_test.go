package xla

import (
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A variable that is missing, or has another shape, is a mistake: the library
// would draw one at random.
func TestVariableMustBeThere(t *testing.T) {
	store := model.NewStore()
	t.Cleanup(store.Finalize)
	Below(store.RootScope(), "layer").VariableWithValue("kernel", tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2))
	backend := goBackend(t)
	for want, f := range map[string]func(g *Graph) *Node{
		"there is no variable /layer/bias":                                 func(g *Graph) *Node { return Variable(store.Scope("layer"), g, "bias", 2) },
		"variable /layer/kernel has shape (Float32)[2], want (Float32)[3]": func(g *Graph) *Node { return Variable(store.Scope("layer"), g, "kernel", 3) },
	} {
		_, err := model.CallOnce(backend.Backend, store, func(_ *model.Scope, x *Node) *Node { return f(x.Graph()) }, float32(1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if n := store.NumVariables(); n != 1 {
		t.Errorf("%d variables, want the one that was there", n)
	}
}
