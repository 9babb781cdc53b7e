package losses

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The values of Config's options that name a choice.
const (
	BoostingNone     = "none"     // every learner sees every pair with weight 1
	BoostingEta      = "eta"      // the papers' rule: A_m = (1-eta_m) A_(m-1) + eta_m act_m
	BoostingAdditive = "additive" // the released script's rule: A_m = A_(m-1) + shrinkage act_m
	BoostingGradient = "gradient" // rule eta for any loss: by its derivative at the ensemble's similarities

	WithDiagonal    = "with_diagonal" // the positive count includes the N self pairs (the authors' code)
	WithoutDiagonal = "without"
)

// Config says which loss trains the learners and by which rule it is boosted. It is embedded in
// models.Config, so it must have no MarshalJSON, which would be taken for that of the whole.
type Config struct {
	Loss string `json:"loss"` // a name of All
	// Constants are the loss's constants by name. Absent ones have the loss's defaults; a record
	// holds all.
	Constants map[string]float64 `json:"constants"`
	PosCount  string             `json:"pos_count"` // with_diagonal or without

	Boosting       string  `json:"boosting"`        // none, eta, additive or gradient
	BoostingStart  float64 `json:"boosting_start"`  // additive: A_0
	Shrinkage      float64 `json:"shrinkage"`       // additive: the step
	NegativeFactor float64 `json:"negative_factor"` // additive: weight of negative pairs
}

// DefaultConfig returns the settings of binomial deviance without boosting. Numbers are those of
// the authors' code.
func DefaultConfig() Config {
	return Config{
		Loss:           "binomial_deviance",
		PosCount:       WithDiagonal,
		Boosting:       BoostingNone,
		BoostingStart:  0.5,
		Shrinkage:      0.06,
		NegativeFactor: 2,
	}
}

// Validate returns an error that names every setting with which the loss cannot be trained.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	counts, rules := []string{WithDiagonal, WithoutDiagonal}, []string{BoostingNone, BoostingEta, BoostingAdditive, BoostingGradient}
	check(slices.Contains(counts, c.PosCount), "pos_count: %q is not one of %q", c.PosCount, counts)
	check(slices.Contains(rules, c.Boosting), "boosting: %q is not one of %q", c.Boosting, rules)
	if loss, err := For(c); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, loss.checkConfig(c))
	}
	check(!math.IsNaN(c.BoostingStart) && !math.IsInf(c.BoostingStart, 0), "boosting_start: %g; want a finite number", c.BoostingStart)
	check(c.Shrinkage > 0 && !math.IsInf(c.Shrinkage, 1), "shrinkage: %g; want a finite number above 0", c.Shrinkage)
	check(c.NegativeFactor > 0 && !math.IsInf(c.NegativeFactor, 1), "negative_factor: %g; want a finite number above 0", c.NegativeFactor)
	return errors.Join(errs...)
}

// checkConfig returns an error that names the constants and the boosting of a configuration with
// which the loss cannot be trained.
func (l Loss) checkConfig(c Config) error {
	var errs []error
	var known []string
	for _, constant := range l.Constants {
		known = append(known, constant.Name)
		v := *constant.value
		inside := v >= constant.Min && v <= constant.Max && !math.IsInf(v, 0) // false for NaN
		if !inside || constant.Integer && v != math.Trunc(v) {
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
		errs = append(errs, fmt.Errorf("boosting: rule %s needs a sum over pairs or triplets, which the loss %s is not; want %s",
			c.Boosting, l.Name, BoostingGradient))
	case l.terms != nil && l.terms.hinge && c.Boosting == BoostingAdditive && c.BoostingStart > 0:
		errs = append(errs, fmt.Errorf("boosting_start: %g; a hinge has no slope there, so every later learner would be off; want 0",
			c.BoostingStart))
	}
	return errors.Join(errs...)
}
