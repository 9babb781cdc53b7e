package losses

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// A Loss is a metric loss: a differentiable function of the similarities of a batch's N images,
// between each other [N, N] or with proxies of all training classes [N, classes*proxies]. That is
// all that boosting needs to know about it: rule gradient takes its derivative by autodiff. A loss
// is given by terms if it is a sum over pairs or triplets, else by value.
type Loss struct {
	Name       string
	Title      string // for people
	Source     string // paper, equations
	Reweighted string // what the weights of a later learner multiply
	Constants  []Constant

	// proxies returns how many proxies a class has; nil if images are compared with images. Proxies
	// belong to a learner and are dropped at test time.
	proxies func() int

	// terms are those of a sum over pairs or triplets: rules eta and additive
	// are written on their activations.
	terms *terms
	// value is the loss, a scalar, of similarities shaped as p; nil with terms.
	value func(similarity *Node, p pairs) *Node
	// bound is the largest |dL/ds| that every entry can have, shaped as p; nil if the loss states
	// none.
	bound func(p pairs) *Node
	// layers is how many [N, N] layers the loss's largest array has; nil for one.
	layers func(n int) int
	// penalty is added to the loss, a scalar, for a learner's unit proxies
	// [classes*proxies, d_m]; nil for none. It is not boosted.
	penalty func(proxies *Node) *Node
}

// terms make a loss the sum of weights(p) * term(activation): a term's
// activation grows as the pair or triplet becomes better, and its loss falls.
type terms struct {
	activation func(similarity *Node, p pairs) *Node // any shape
	weights    func(p pairs) *Node                   // W, of that shape; a constant, 0 for entries that are no term
	term       func(activation *Node) *Node          // l, entry by entry
	hinge      bool                                  // l and its slope are 0 above an activation of 0
}

// A Constant is a number of a loss that a configuration may set.
type Constant struct {
	Name     string
	Default  float64
	Min, Max float64 // inclusive
	Does     string
	Integer  bool // no fractions

	value *float64 // where the loss's formulas read it
}

// All returns all losses, in the order of reports, with their default constants.
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

// Named returns the loss of the given name, with its default constants. An unknown name is an error
// that lists the known ones.
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

// Proxies returns how many proxies of each class the loss has; 0 if images are compared with
// images.
func (l Loss) Proxies() int {
	if l.proxies == nil {
		return 0
	}
	return l.proxies()
}

// Largest returns how many numbers the largest array between the images of a batch of n has.
func (l Loss) Largest(n int) float64 {
	layers := 1
	if l.layers != nil {
		layers = l.layers(n)
	}
	return float64(n) * float64(n) * float64(layers)
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

// evaluate returns the loss, a scalar, of similarities shaped as p.
func (l Loss) evaluate(similarity *Node, p pairs) *Node {
	if l.terms == nil {
		return l.value(similarity, p)
	}
	activation := l.terms.activation(similarity, p)
	return ReduceAllSum(Mul(l.terms.weights(p), l.terms.term(activation)))
}
