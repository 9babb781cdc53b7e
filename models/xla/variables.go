package xla

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Below returns the scope at the slash-separated paths below scope, one after the other.
func Below(scope *model.Scope, paths ...string) *model.Scope {
	for _, path := range paths {
		for part := range strings.SplitSeq(path, "/") {
			scope = scope.At("%s", part)
		}
	}
	return scope
}

// Variable returns the value of a float32 variable of scope in the graph g. It panics unless the
// variable exists with these dims; the library's own call, which takes a shape, would create a
// missing variable with random values.
func Variable(scope *model.Scope, g *Graph, name string, dims ...int) *Node {
	v := scope.GetVariable(name)
	if v == nil {
		panic(fmt.Errorf("there is no variable %s", model.JoinPath(scope.Scope(), name)))
	}
	if want := shapes.Make(dtypes.Float32, dims...); !v.Shape().Equal(want) {
		panic(fmt.Errorf("variable %s has shape %s, want %s", v.Path(), v.Shape(), want))
	}
	return v.NodeValue(g)
}
