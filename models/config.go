package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// The values of Config's options that name a choice.
const (
	Frozen   = "frozen"   // Mode: heads are trained on cached backbone features
	Finetune = "finetune" // Mode: backbone and head are trained end to end

	BoostingNone     = "none"     // every learner sees every pair with weight 1
	BoostingEta      = "eta"      // the papers' rule: A_m = (1-eta_m) A_(m-1) + eta_m act_m
	BoostingAdditive = "additive" // the released script's rule: A_m = A_(m-1) + shrinkage act_m
	BoostingGradient = "gradient" // rule eta for any loss: by its derivative at the ensemble's similarities

	DiversityNone        = "none"
	DiversityActivation  = "activation"  // BIER's: squared products of the learners' outputs, during training
	DiversityAdversarial = "adversarial" // A-BIER's regressors with gradient reversal, during training

	InitialXavier      = "xavier"      // uniform in +-sqrt(6/(in+out))
	InitialOrthogonal  = "orthogonal"  // columns of all learners together at right angles
	InitialActivation  = "activation"  // Xavier, then the activation loss on frozen features until it converges
	InitialAdversarial = "adversarial" // Xavier, then the adversarial loss

	SelectLast       = "last"       // the model after the last step
	SelectValidation = "validation" // the best on classes held out of the training part
	SelectPeek       = "peek"       // the best on the test classes: no honest number

	EvaluateTest       = "test"       // the test images
	EvaluateValidation = "validation" // the training images of the held-out classes: for choosing settings

	ScaleSize  = "size"  // a learner's slice is scaled by d_m/d (the authors' code)
	ScaleBoost = "boost" // by sqrt(2m/(M(M+1))): the dot product is the boosted ensemble's score
	ScaleNone  = "none"  // every slice keeps unit length

	AxisIn  = "in"  // unit-norm terms: one norm per input unit, summed over outputs
	AxisOut = "out" // one norm per output unit, summed over inputs

	WithDiagonal    = "with_diagonal" // the positive count includes the N self pairs (the authors' code)
	WithoutDiagonal = "without"
)

// Config decides, together with the data, every bit of a trained cell.
// The zero value is not usable; start from DefaultConfig.
type Config struct {
	Backbone  string `json:"backbone"`            // a name of Backbones
	Mode      string `json:"mode"`                // frozen or finetune
	Input     int    `json:"input"`               // network input, pixels per side
	Untrained bool   `json:"untrained,omitempty"` // the pooled backbone feature as it is, no training

	Size     int    `json:"size"`     // width of the whole embedding
	Learners []int  `json:"learners"` // widths of the learners, in boosting order; they sum to Size
	Scale    string `json:"scale"`    // how slices are scaled at test time: size, boost or none

	Loss string `json:"loss"` // a name of Losses
	// Constants are numbers of the loss by name. Those that are not there have
	// the loss's own defaults; the record holds all.
	Constants map[string]float64 `json:"constants"`
	PosCount  string             `json:"pos_count"` // with_diagonal or without

	Boosting       string  `json:"boosting"`        // none, eta, additive or gradient
	BoostingStart  float64 `json:"boosting_start"`  // additive: A_0
	Shrinkage      float64 `json:"shrinkage"`       // additive: the step
	NegativeFactor float64 `json:"negative_factor"` // additive: weight of negative pairs

	Diversity string  `json:"diversity"`  // none, activation or adversarial; during training
	LambdaDiv float64 `json:"lambda_div"` // weight of the whole diversity term
	LambdaW   float64 `json:"lambda_w"`   // weight of its unit-norm constraints
	Hidden    int     `json:"hidden"`     // hidden units of a regressor
	NormAxis  string  `json:"norm_axis"`  // in or out; empty is the loss's own

	Initial string `json:"initial"` // of the embedding matrices: xavier, orthogonal, activation or adversarial
	// The optimisation before training where Initial is activation or
	// adversarial. It ends by the rule of Model.Initialise.
	InitialSteps     int     `json:"initial_steps,omitempty"`     // at most
	InitialRate      float64 `json:"initial_rate,omitempty"`      // Adam's, per step
	InitialTolerance float64 `json:"initial_tolerance,omitempty"` // it has converged when the loss improves by less, relative
	InitialLambdaW   float64 `json:"initial_lambda_w,omitempty"`  // weight of its unit-norm constraints
	InitialNormAxis  string  `json:"initial_norm_axis,omitempty"` // in or out; empty is the loss's own

	Selection   string  `json:"selection"`              // which model is evaluated: last, validation or peek
	SelectEvery int     `json:"select_every,omitempty"` // steps between two models that are compared
	SelectBy    string  `json:"select_by,omitempty"`    // metric that they are compared by: "R@1" or "MAP@R"
	HeldOut     float64 `json:"held_out,omitempty"`     // share of the training classes kept out of training where validation asks for it
	Evaluate    string  `json:"evaluate"`               // what the model is evaluated on: test or validation

	Classes int `json:"classes"` // classes in a step
	Images  int `json:"images"`  // images of each class in a step
	Steps   int `json:"steps"`   // optimizer steps; the model after the last one is evaluated
	// Accumulate takes a finetuned step's batch through the backbone in so many
	// chunks, one after the other, which needs that much less memory for the
	// network's maps and one more forward pass. The loss and its gradient are
	// those of the whole batch, pairs across chunks included, up to rounding.
	// They could not be in a backbone that normalises by a batch's statistics;
	// the ones here keep theirs fixed. 0 and 1 are one chunk.
	Accumulate int `json:"accumulate,omitempty"`

	BackboneRate  float64 `json:"backbone_rate"`  // Adam's rate for the backbone, per step
	EmbeddingRate float64 `json:"embedding_rate"` // for the embedding matrices and biases
	RegressorRate float64 `json:"regressor_rate"` // for the regressors of the adversarial loss
	ProxyRate     float64 `json:"proxy_rate"`     // for the proxies of a loss that has them
	WeightDecay   float64 `json:"weight_decay"`   // times the sum of squared backbone kernels and embedding matrices, added to the loss
	DecayFactor   float64 `json:"decay_factor"`   // the rates are multiplied by it ...
	DecayEvery    int     `json:"decay_every"`    // ... every so many steps; 0 never

	Seed uint64 `json:"seed"` // root of every random stream of the cell
}

// optimises reports whether the embedding matrices are optimised before
// training.
func (c Config) optimises() bool {
	return c.Initial == InitialActivation || c.Initial == InitialAdversarial
}

// normAxis is the axis that is asked for or, where none is, that of a diversity
// loss in the authors' code.
func normAxis(asked, loss string) string {
	switch {
	case asked != "":
		return asked
	case loss == DiversityActivation:
		return AxisOut
	default:
		return AxisIn
	}
}

// MarshalJSON writes one chunk, 0 or 1, as the absent key, and every constant
// of the loss and its axis; how to initialise, select and hold out is left out where nothing
// is. So a configuration has one text.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	if c.Accumulate == 1 {
		c.Accumulate = 0
	}
	if !c.optimises() {
		c.InitialSteps, c.InitialRate, c.InitialTolerance, c.InitialLambdaW, c.InitialNormAxis = 0, 0, 0, 0, ""
	} else {
		c.InitialLambdaW, c.InitialNormAxis = c.initialLambdaW(), normAxis(c.InitialNormAxis, c.Initial)
	}
	if !c.Untrained {
		c.NormAxis = normAxis(c.NormAxis, c.Diversity)
	}
	if c.Selection == SelectLast {
		c.SelectEvery, c.SelectBy = 0, ""
	}
	if !c.HoldsOut() {
		c.HeldOut = 0
	}
	if loss, err := LossNamed(c.Loss); err == nil {
		given := c.Constants
		c.Constants = map[string]float64{}
		for _, constant := range loss.Constants {
			c.Constants[constant.Name] = constant.Default
		}
		maps.Copy(c.Constants, given)
	}
	return json.Marshal(plain(c))
}

// HoldsOut reports whether classes of the training part are kept out of
// training.
func (c Config) HoldsOut() bool {
	return c.Selection == SelectValidation || c.Evaluate == EvaluateValidation
}

// Selects reports whether one of several models of the training is chosen. With
// validation it is chosen by images of classes that are not trained on; if they
// are also what it is evaluated on, its number is an optimistic one, fit to
// compare settings by and nothing else.
func (c Config) Selects() bool {
	return !c.Untrained && (c.Selection == SelectValidation || c.Selection == SelectPeek)
}

// chunks is how many parts of a batch go through the backbone on their own.
func (c Config) chunks() int { return max(c.Accumulate, 1) }

// DefaultConfig returns the settings shared by all methods in a mode.
// Constants are those of the authors' code where it states them.
func DefaultConfig(mode string) Config {
	c := Config{
		Mode:             mode,
		Input:            224,
		Size:             512,
		Scale:            ScaleSize,
		Loss:             "binomial_deviance",
		PosCount:         WithDiagonal,
		Boosting:         BoostingNone,
		BoostingStart:    0.5,
		Shrinkage:        0.06,
		NegativeFactor:   2,
		Diversity:        DiversityNone,
		LambdaDiv:        5e-5,
		LambdaW:          1e5,
		Hidden:           512,
		Initial:          InitialXavier,
		InitialSteps:     2000,
		InitialRate:      1e-3,
		InitialTolerance: 1e-3,
		Selection:        SelectLast,
		SelectEvery:      100,
		SelectBy:         "MAP@R",
		HeldOut:          0.2,
		Evaluate:         EvaluateTest,
		DecayFactor:      0.5,
	}
	switch mode {
	case Frozen:
		c.Classes, c.Images, c.Steps = 12, 5, 400
		c.EmbeddingRate, c.RegressorRate, c.ProxyRate = 3e-4, 3e-4, 3e-2
	case Finetune:
		c.Classes, c.Images, c.Steps = 8, 4, 1000
		c.BackboneRate, c.EmbeddingRate, c.RegressorRate, c.ProxyRate = 1e-5, 1e-4, 1e-5, 1e-2
		c.WeightDecay = 2e-4
	}
	return c
}

// LearnerSizes returns the widths of m learners for an embedding of the given
// size: the papers' list where they have one, else d*2m/(M(M+1)) rounded to
// even numbers, the last learner taking what is left.
func LearnerSizes(size, m int) []int {
	published := map[[2]int][]int{
		{512, 2}:  {170, 342},
		{512, 3}:  {96, 160, 256},
		{512, 4}:  {50, 96, 148, 218},
		{512, 5}:  {34, 68, 102, 138, 170},
		{1024, 3}: {170, 342, 512},
		{1024, 4}: {102, 204, 308, 410},
		{1024, 5}: {68, 136, 204, 274, 342},
		{1024, 6}: {50, 96, 148, 196, 242, 292},
		{1024, 7}: {36, 74, 110, 148, 182, 218, 256},
	}
	if list, ok := published[[2]int{size, m}]; ok {
		return list
	}
	sizes := make([]int, m)
	left := size
	for i := range m {
		sizes[i] = nearestEven(float64(size) * 2 * float64(i+1) / float64(m*(m+1)))
		if i == m-1 {
			sizes[i] = left
		}
		left -= sizes[i]
	}
	return sizes
}

// Validate reports every setting that cannot be trained.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	oneOf := func(option, value string, allowed ...string) {
		check(slices.Contains(allowed, value), "%s: %q is not one of %q", option, value, allowed)
	}
	oneOf("mode", c.Mode, Frozen, Finetune)
	if net, err := BackboneNamed(c.Backbone); err != nil {
		errs = append(errs, err)
	} else if err := net.CheckInput(c.Input); err != nil {
		errs = append(errs, err)
	}
	if c.Untrained {
		check(c.Mode == Frozen, "untrained: the pooled feature has no training; use mode frozen")
		return errors.Join(errs...)
	}
	sum := 0
	for _, d := range c.Learners {
		check(d > 0, "learners: size %d; want at least 1", d)
		sum += d
	}
	check(len(c.Learners) > 0 && sum == c.Size, "learners: %v sum to %d; want size %d", c.Learners, sum, c.Size)
	oneOf("scale", c.Scale, ScaleSize, ScaleBoost, ScaleNone)
	oneOf("pos_count", c.PosCount, WithDiagonal, WithoutDiagonal)
	oneOf("boosting", c.Boosting, BoostingNone, BoostingEta, BoostingAdditive, BoostingGradient)
	if loss, err := LossNamed(c.Loss); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, loss.check(c))
	}
	check(c.Shrinkage > 0, "shrinkage: %g; want more than 0", c.Shrinkage)
	check(c.NegativeFactor > 0, "negative_factor: %g; want more than 0", c.NegativeFactor)
	oneOf("diversity", c.Diversity, DiversityNone, DiversityActivation, DiversityAdversarial)
	check(c.LambdaDiv >= 0, "lambda_div: %g; want at least 0", c.LambdaDiv)
	check(c.LambdaW >= 0, "lambda_w: %g; want at least 0", c.LambdaW)
	check(c.Hidden > 0, "hidden: %d; want at least 1", c.Hidden)
	oneOf("norm_axis", c.NormAxis, "", AxisIn, AxisOut)
	oneOf("initial", c.Initial, InitialXavier, InitialOrthogonal, InitialActivation, InitialAdversarial)
	if c.optimises() {
		if net, err := BackboneNamed(c.Backbone); err == nil && c.Mode == Finetune && c.Initialises() {
			check(net.Weights != "", "initial: %s learns from the features of a pretrained backbone; %s begins at random, use %s or %s", c.Initial, c.Backbone, InitialXavier, InitialOrthogonal)
		}
		check(c.InitialSteps >= 1, "initial_steps: %d; want at least 1", c.InitialSteps)
		check(c.InitialRate > 0, "initial_rate: %g; want more than 0", c.InitialRate)
		check(c.InitialTolerance >= 0, "initial_tolerance: %g; want at least 0", c.InitialTolerance)
		check(c.InitialLambdaW >= 0, "initial_lambda_w: %g; want at least 0", c.InitialLambdaW)
		oneOf("initial_norm_axis", c.InitialNormAxis, "", AxisIn, AxisOut)
	}
	oneOf("selection", c.Selection, SelectLast, SelectValidation, SelectPeek)
	if c.Selection != SelectLast {
		check(c.SelectEvery >= 1, "select_every: %d; want at least 1", c.SelectEvery)
		oneOf("select_by", c.SelectBy, "R@1", "MAP@R")
	}
	if c.HoldsOut() {
		check(c.HeldOut > 0 && c.HeldOut < 1, "held_out: %g; want a share of the classes between 0 and 1", c.HeldOut)
	}
	oneOf("evaluate", c.Evaluate, EvaluateTest, EvaluateValidation)
	check(c.Selection != SelectPeek || c.Evaluate == EvaluateTest, "selection: %s looks at the test classes; want evaluate %s", SelectPeek, EvaluateTest)
	check(c.Classes >= 2, "classes: %d; want at least 2, a batch needs negatives", c.Classes)
	check(c.Images >= 2, "images: %d; want at least 2, a batch needs positives", c.Images)
	check(c.Accumulate >= 0, "accumulate: %d; want at least 1", c.Accumulate)
	if c.Accumulate > 1 {
		check(c.Mode == Finetune, "accumulate: %d; a frozen backbone is not in the step, use mode finetune or leave it out", c.Accumulate)
		check(c.Classes*c.Images%c.Accumulate == 0, "accumulate: %d does not divide the batch of %d images (%d classes x %d)", c.Accumulate, c.Classes*c.Images, c.Classes, c.Images)
	}
	check(c.Steps >= 1, "steps: %d; want at least 1", c.Steps)
	check(c.BackboneRate >= 0, "backbone_rate: %g; want at least 0", c.BackboneRate)
	check(c.EmbeddingRate > 0, "embedding_rate: %g; want more than 0", c.EmbeddingRate)
	check(c.RegressorRate >= 0, "regressor_rate: %g; want at least 0", c.RegressorRate)
	check(c.ProxyRate >= 0, "proxy_rate: %g; want at least 0", c.ProxyRate)
	check(c.WeightDecay >= 0, "weight_decay: %g; want at least 0", c.WeightDecay)
	check(c.DecayFactor > 0 && c.DecayFactor <= 1, "decay_factor: %g; want (0, 1]", c.DecayFactor)
	check(c.DecayEvery >= 0, "decay_every: %d; want at least 0", c.DecayEvery)
	return errors.Join(errs...)
}

// nearestEven rounds to the nearest even number; halves go to the even half.
func nearestEven(x float64) int {
	return 2 * int(math.RoundToEven(x/2))
}
