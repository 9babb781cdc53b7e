package models

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// Loss is a metric loss: a differentiable function of the similarities of a
// batch's N images, between each other [N, N] or with proxies of all training
// classes [N, classes*proxies]. That is all boosting needs to know of it: rule
// gradient takes its derivative by autodiff. It is given by terms, where it is
// a sum over pairs or triplets, or else by value.
type Loss struct {
	Name       string
	Title      string // for people
	Source     string // paper, equations
	Reweighted string // what a later learner's weights are put on
	Constants  []Constant

	// Proxies is how many proxies a class has; nil where images are compared
	// with images. Proxies belong to a learner and are dropped at test time.
	Proxies func(c Config) int

	// terms are those of a sum over pairs or triplets: rules eta and additive
	// are written on their activations.
	terms *terms
	// value is the loss, a scalar, of similarities shaped as p; nil with terms.
	value func(c Config, similarity *Node, p pairs) *Node
	// bound is the largest |dL/ds| that every entry can have, shaped as p; nil
	// where the loss states none.
	bound func(c Config, p pairs) *Node
	// penalty is added to the loss, a scalar, for a learner's unit proxies
	// [classes*proxies, d_m]; nil for none. It is not boosted.
	penalty func(c Config, proxies *Node) *Node
}

// terms make a loss the sum of weights(p) * term(activation): a term's
// activation grows as the pair or triplet becomes better, and its loss falls.
type terms struct {
	activation func(c Config, similarity *Node, p pairs) *Node // any shape
	weights    func(p pairs) *Node                             // W, of that shape; a constant, 0 for what is no term
	term       func(c Config, activation *Node) *Node          // l, entry by entry
	hinge      bool                                            // l and its slope are 0 above an activation of 0
}

// Constant is a number of a loss that a configuration may set.
type Constant struct {
	Name     string
	Default  float64
	Min, Max float64 // both allowed
	Does     string
	Integer  bool // no fractions
}

// Losses returns all losses.
func Losses() []Loss {
	return []Loss{
		binomialDeviance(),
		contrastive(),
		triplet(),
		tripletSemihard(),
		marginLoss(),
		multiSimilarity(),
		supervisedContrastive(),
		histogram(),
		normalisedSoftmax(),
		proxyNCAPlusPlus(),
		proxyAnchor(),
		softTriple(),
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

// SumsTerms reports whether the loss is a sum over pairs or triplets, which
// rules eta and additive need.
func (l Loss) SumsTerms() bool { return l.terms != nil }

// constant returns a constant of the configuration's loss.
func (c Config) constant(name string) float64 {
	if v, ok := c.Constants[name]; ok {
		return v
	}
	loss, err := LossNamed(c.Loss)
	if err != nil {
		panic(err)
	}
	for _, constant := range loss.Constants {
		if constant.Name == name {
			return constant.Default
		}
	}
	panic(fmt.Errorf("models: the loss %s has no constant %q", c.Loss, name))
}

// proxies is how many proxies of each class the configuration's loss has.
func (c Config) proxies() int {
	if loss, err := LossNamed(c.Loss); err == nil && loss.Proxies != nil {
		return loss.Proxies(c)
	}
	return 0
}

// check reports what of a configuration the loss cannot be trained with.
func (l Loss) check(c Config) error {
	var errs []error
	var known []string
	for _, constant := range l.Constants {
		known = append(known, constant.Name)
		if v := c.constant(constant.Name); !(v >= constant.Min && v <= constant.Max) || constant.Integer && v != math.Trunc(v) { // NaN is refused
			errs = append(errs, fmt.Errorf("constants: %s: %g; want %s", constant.Name, v, constant.interval()))
		}
	}
	for name := range c.Constants {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("constants: the loss %s has no %q; it has %s", l.Name, name, strings.Join(known, ", ")))
		}
	}
	switch {
	case l.terms == nil && (c.Boosting == BoostingEta || c.Boosting == BoostingAdditive):
		errs = append(errs, fmt.Errorf("boosting: rule %s is written for sums over pairs or triplets, and the loss %s is none; want %s", c.Boosting, l.Name, BoostingGradient))
	case l.terms != nil && l.terms.hinge && c.Boosting == BoostingAdditive && c.BoostingStart > 0:
		errs = append(errs, fmt.Errorf("boosting_start: %g; a hinge has no slope there, so every later learner would be off; want 0", c.BoostingStart))
	}
	if l.Proxies != nil && c.ProxyRate <= 0 {
		errs = append(errs, fmt.Errorf("proxy_rate: %g; the loss %s trains proxies, want more than 0", c.ProxyRate, l.Name))
	}
	return errors.Join(errs...)
}

func (c Constant) interval() string {
	kind := ""
	if c.Integer {
		kind = "a whole number, "
	}
	if math.IsInf(c.Max, 1) {
		return fmt.Sprintf("%sat least %g", kind, c.Min)
	}
	return fmt.Sprintf("%s%g to %g", kind, c.Min, c.Max)
}

// of is the loss of similarities shaped as p, a scalar.
func (l Loss) of(c Config, similarity *Node, p pairs) *Node {
	if l.terms == nil {
		return l.value(c, similarity, p)
	}
	activation := l.terms.activation(c, similarity, p)
	return ReduceAllSum(Mul(l.terms.weights(p), l.terms.term(c, activation)))
}
