package losses

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
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

	// proxies is how many proxies a class has; nil where images are compared
	// with images. Proxies belong to a learner and are dropped at test time.
	proxies func() int

	// terms are those of a sum over pairs or triplets: rules eta and additive
	// are written on their activations.
	terms *terms
	// value is the loss, a scalar, of similarities shaped as p; nil with terms.
	value func(similarity *Node, p pairs) *Node
	// bound is the largest |dL/ds| that every entry can have, shaped as p; nil
	// where the loss states none.
	bound func(p pairs) *Node
	// penalty is added to the loss, a scalar, for a learner's unit proxies
	// [classes*proxies, d_m]; nil for none. It is not boosted.
	penalty func(proxies *Node) *Node
}

// terms make a loss the sum of weights(p) * term(activation): a term's
// activation grows as the pair or triplet becomes better, and its loss falls.
type terms struct {
	activation func(similarity *Node, p pairs) *Node // any shape
	weights    func(p pairs) *Node                   // W, of that shape; a constant, 0 for what is no term
	term       func(activation *Node) *Node          // l, entry by entry
	hinge      bool                                  // l and its slope are 0 above an activation of 0
}

// Constant is a number of a loss that a configuration may set.
type Constant struct {
	Name     string
	Default  float64
	Min, Max float64 // both allowed
	Does     string
	Integer  bool // no fractions

	value *float64 // where the loss's formulas read it
}

// All returns all losses, with their default constants.
func All() []Loss {
	all := []Loss{
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
	for _, l := range all {
		for _, constant := range l.Constants {
			*constant.value = constant.Default
		}
	}
	return all
}

// Named returns the loss of that name, with its default constants.
func Named(name string) (Loss, error) {
	var known []string
	for _, l := range All() {
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

// For returns the loss that a configuration names, with the configuration's
// constants. It does not check them: Validate does.
func For(c Config) (Loss, error) {
	loss, err := Named(c.Loss)
	if err != nil {
		return Loss{}, err
	}
	for _, constant := range loss.Constants {
		if v, ok := c.Constants[constant.Name]; ok {
			*constant.value = v
		}
	}
	return loss, nil
}

// Proxies is how many proxies of each class the loss has; 0 where images are
// compared with images.
func (l Loss) Proxies() int {
	if l.proxies == nil {
		return 0
	}
	return l.proxies()
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

// evaluate is the loss of similarities shaped as p, a scalar.
func (l Loss) evaluate(similarity *Node, p pairs) *Node {
	if l.terms == nil {
		return l.value(similarity, p)
	}
	activation := l.terms.activation(similarity, p)
	return ReduceAllSum(Mul(l.terms.weights(p), l.terms.term(activation)))
}
