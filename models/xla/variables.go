package xla

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Below enters each part of slash-separated paths below scope.
func Below(scope *model.Scope, paths ...string) *model.Scope {
	for _, path := range paths {
		for part := range strings.SplitSeq(path, "/") {
			scope = scope.At("%s", part)
		}
	}
	return scope
}

// Variable returns the value of a float32 variable of scope, which must be
// there with these dims: asked for one by its shape, the library creates what
// is missing and gives it random values.
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
