package models

import (
	"fmt"
	"strings"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// Loss is a metric loss that is a weighted sum over pairs of images: a pair's
// term is a decreasing function of its activation, which grows as the pair
// becomes better. That is all boosting needs to know of it.
type Loss struct {
	Name  string
	Title string // for people

	// activation says how right the similarities [N, N] are; same is bool
	// [N, N], true for pairs of one class.
	activation func(c Config, similarity, same *Node) *Node
	// term is the loss l(activation) of every pair.
	term func(activation *Node) *Node
	// weight is -l'(activation), what a boosted learner weights a pair by.
	weight func(activation *Node) *Node
}

// Losses returns all losses.
func Losses() []Loss {
	return []Loss{
		binomialDeviance(),
	}
}

// LossNamed returns the loss of that name.
func LossNamed(name string) (Loss, error) {
	var known []string
	for _, l := range Losses() {
		if l.Name == name {
			return l, nil
		}
		known = append(known, l.Name)
	}
	return Loss{}, fmt.Errorf("loss: %q is not one of %s", name, strings.Join(known, ", "))
}
