package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"bierbench/models/backbones"
	"bierbench/models/losses"
	"bierbench/models/xla"
)

// The values of Config's options that name a choice.
const (
	Frozen   = "frozen"   // Mode: heads are trained on cached backbone features
	Finetune = "finetune" // Mode: backbone and head are trained end to end

	ScaleSize  = "size"  // a learner's slice is scaled by d_m/d (the authors' code)
	ScaleBoost = "boost" // by sqrt(2m/(M(M+1))): the dot product is the boosted ensemble's score
	ScaleNone  = "none"  // every slice keeps unit length
)

// The largest values of Config's options. They are far above what anybody has trained, and keep a
// mistyped number from taking all memory: with Adam's moments, MaxParameters are 12 GiB.
const (
	MaxSize       = 1 << 16 // of an embedding, and hidden units of a regressor
	MaxLearners   = 128
	MaxBatch      = 1 << 16 // classes x images
	MaxArray      = 1 << 32 // numbers of an array between the images of a batch
	MaxSteps      = 1e9     // of a training or an initialisation
	MaxParameters = 1 << 30 // of the embedding layer with regressors and proxies
)

// Config decides, together with the data, every bit of a trained cell.
// The zero value is not usable; start from DefaultConfig.
type Config struct {
	Backbone  string `json:"backbone"`            // name of one of backbones.All, or file:NAME for imported features
	Mode      string `json:"mode"`                // frozen or finetune
	Input     int    `json:"input"`               // network input, pixels per side; 0 for imported features
	Untrained bool   `json:"untrained,omitempty"` // the pooled backbone feature as it is, no training
	// Features are the imported features that backbone file:NAME stands for, on the data set of the
	// cell. They are nil for any other backbone, and where the data set is not known yet.
	Features *backbones.Imported `json:"features,omitempty"`

	Size     int    `json:"size"`     // width of the whole embedding
	Learners []int  `json:"learners"` // widths of the learners, in boosting order; they sum to Size
	Scale    string `json:"scale"`    // how slices are scaled at test time: size, boost or none

	losses.Config
	DiversityConfig
	InitialConfig
	SelectionConfig

	Classes int `json:"classes"` // classes in a step
	Images  int `json:"images"`  // images of each class in a step
	Steps   int `json:"steps"`   // optimizer steps; the model after the last one is evaluated
	// Accumulate is the number of chunks in which a finetuned step's batch goes through the
	// backbone, one after the other. The network's maps need that many times less memory, and the
	// step one more forward pass. The loss and its gradient are those of the whole batch, pairs
	// across chunks included, up to rounding. This would not hold in a backbone that normalises by
	// a batch's statistics; the backbones here keep theirs fixed. 0 and 1 are one chunk.
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

// MarshalJSON writes one text for all configurations that mean the same: it leaves out accumulate
// for one chunk, 0 or 1, writes every constant of the loss and the norm axis, and leaves out the
// settings of initialisation, selection and holding out where they are not used.
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
	if loss, err := losses.Named(c.Loss); err == nil {
		given := c.Constants
		c.Constants = map[string]float64{}
		for _, constant := range loss.Constants {
			c.Constants[constant.Name] = constant.Default
		}
		maps.Copy(c.Constants, given)
	}
	return json.Marshal(plain(c))
}

// chunks returns how many parts of a batch go through the backbone on their own.
func (c Config) chunks() int { return max(c.Accumulate, 1) }

// DefaultConfig returns the settings shared by all methods in a mode, frozen or finetune. Constants
// are those of the authors' code where it states them.
func DefaultConfig(mode string) Config {
	c := Config{
		Mode:            mode,
		Input:           224,
		Size:            512,
		Scale:           ScaleSize,
		Config:          losses.DefaultConfig(),
		DiversityConfig: defaultDiversity(),
		InitialConfig:   defaultInitial(),
		SelectionConfig: defaultSelection(),
		DecayFactor:     0.5,
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

// Validate returns an error that names every setting with which a model cannot be trained. It joins
// an error for each, whose text begins with the option's name.
func (c Config) Validate() error {
	var v validation
	check, oneOf := v.check, v.oneOf
	oneOf("mode", c.Mode, Frozen, Finetune)
	net, err := c.Network()
	if err != nil {
		v.add(err)
	} else {
		v.add(net.CheckInput(c.Input))
		check(!net.Imported || c.Mode != Finetune, "mode: %s; %s is features that were made elsewhere, with no network to train, use mode %s",
			c.Mode, c.Backbone, Frozen)
	}
	if c.Untrained {
		check(c.Mode == Frozen, "untrained: the pooled feature has no training; use mode frozen")
		return v.err()
	}
	if v.within("size", c.Size, 1, MaxSize); c.Size <= MaxSize { // else every learner would be too large
		v.add(c.checkLearners())
	}
	oneOf("scale", c.Scale, ScaleSize, ScaleBoost, ScaleNone)
	v.add(c.Config.Validate())
	if c.proxies() > 0 {
		check(c.ProxyRate > 0, "proxy_rate: %g; the loss %s trains proxies, want more than 0", c.ProxyRate, c.Loss)
	}
	v.add(c.DiversityConfig.validate(), c.InitialConfig.validate())
	if err == nil && c.Mode == Finetune && c.Initialises() && !net.Imported {
		check(net.Weights != "", "initial: %s learns from the features of a pretrained backbone; %s begins at random, use %s or %s",
			c.Initial, c.Backbone, InitialXavier, InitialOrthogonal)
	}
	v.add(c.SelectionConfig.validate())
	check(c.Classes >= 2, "classes: %d; want at least 2, a batch needs negatives", c.Classes)
	check(c.Images >= 2, "images: %d; want at least 2, a batch needs positives", c.Images)
	fits := c.Classes < 1 || c.Images <= MaxBatch/c.Classes
	check(fits, "classes: %d x %d images; want a batch of at most %d images", c.Classes, c.Images, MaxBatch)
	if loss, unknown := losses.For(c.Config); unknown == nil && fits && v.err() == nil {
		n := loss.Largest(c.Classes * c.Images)
		check(n <= MaxArray, "classes: %d x %d images; the loss %s has arrays of %.3g numbers then, want at most %d", c.Classes,
			c.Images, c.Loss, n, int64(MaxArray))
	}
	check(c.Accumulate >= 0, "accumulate: %d; want at least 1", c.Accumulate)
	if c.Accumulate > 1 && fits {
		check(c.Mode == Finetune, "accumulate: %d; a frozen backbone is not in the step, use mode finetune or leave it out", c.Accumulate)
		check(c.Classes*c.Images%c.Accumulate == 0, "accumulate: %d does not divide the batch of %d images (%d classes x %d)",
			c.Accumulate, c.Classes*c.Images, c.Classes, c.Images)
	}
	v.within("steps", c.Steps, 1, MaxSteps)
	check(c.BackboneRate >= 0, "backbone_rate: %g; want at least 0", c.BackboneRate)
	check(c.EmbeddingRate > 0, "embedding_rate: %g; want more than 0", c.EmbeddingRate)
	check(c.RegressorRate >= 0, "regressor_rate: %g; want at least 0", c.RegressorRate)
	check(c.ProxyRate >= 0, "proxy_rate: %g; want at least 0", c.ProxyRate)
	check(c.WeightDecay >= 0, "weight_decay: %g; want at least 0", c.WeightDecay)
	for _, rate := range []struct {
		option string
		value  float64
	}{
		{"backbone_rate", c.BackboneRate},
		{"embedding_rate", c.EmbeddingRate},
		{"regressor_rate", c.RegressorRate},
		{"proxy_rate", c.ProxyRate},
		{"weight_decay", c.WeightDecay},
		{"lambda_div", c.LambdaDiv},
		{"lambda_w", c.LambdaW},
	} {
		check(!math.IsInf(rate.value, 1), "%s: %g; want a finite number", rate.option, rate.value)
	}
	check(c.DecayFactor > 0 && c.DecayFactor <= 1, "decay_factor: %g; want (0, 1]", c.DecayFactor)
	v.within("decay_every", c.DecayEvery, 0, MaxSteps)
	if err == nil && v.err() == nil {
		v.add(c.checkParameters(net.Features, 0))
	}
	return v.err()
}

// Network returns the backbone. That of imported features is as wide as these; its width is 0 where
// they are not known yet.
func (c Config) Network() (backbones.Backbone, error) {
	net, err := backbones.Named(c.Backbone)
	switch {
	case err != nil:
		return net, err
	case c.Features == nil:
		return net, nil
	case !net.Imported:
		return net, fmt.Errorf("features: backbone %s computes its own", c.Backbone)
	case c.Features.Width < 1 || c.Features.Width > backbones.MaxImportWidth:
		return net, fmt.Errorf("features: width %d; want 1 to %d", c.Features.Width, backbones.MaxImportWidth)
	}
	net.Features = c.Features.Width
	return net, nil
}

// checkLearners returns an error unless the learners share the embedding.
func (c Config) checkLearners() error {
	if n := len(c.Learners); n < 1 || n > MaxLearners {
		return fmt.Errorf("learners: %d; want 1 to %d", n, MaxLearners)
	}
	var v validation
	sum := 0
	for _, d := range c.Learners {
		v.check(d > 0 && d <= MaxSize, "learners: size %d; want 1 to %d", d, MaxSize)
		sum += min(max(d, 0), MaxSize)
	}
	if len(v.errs) == 0 {
		v.check(sum == c.Size, "learners: %v sum to %d; want size %d", c.Learners, sum, c.Size)
	}
	return v.err()
}

// checkParameters returns an error if the embedding layer over a pooled feature of that width, with
// its regressors and the proxies of that many classes, has too many parameters. The options'
// own bounds hold.
func (c Config) checkParameters(width, classes int) error {
	n := float64(c.Size)*float64(width) + float64(classes)*float64(c.proxies())*float64(c.Size)
	what := fmt.Sprintf("size: %d, with a feature of width %d", c.Size, width)
	if classes > 0 && c.proxies() > 0 {
		what += fmt.Sprintf(" and %d proxies", classes*c.proxies())
	}
	if c.Diversity == DiversityAdversarial || c.Initial == InitialAdversarial {
		what = fmt.Sprintf("hidden: %d, in a regressor of each pair of %d learners; %s", c.Hidden, len(c.Learners), what)
		n += float64(c.Hidden) * float64(c.Size) * float64(len(c.Learners)-1)
	}
	if n > MaxParameters {
		return fmt.Errorf("%s: %.3g parameters; want at most %d", what, n, MaxParameters)
	}
	return nil
}

// validation collects what is wrong with a configuration.
type validation struct{ errs []error }

// check adds an error unless ok.
func (v *validation) check(ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf(format, args...))
	}
}

// within adds an error unless the option's value lies in [least, most].
func (v *validation) within(option string, value, least, most int) {
	v.check(value >= least, "%s: %d; want at least %d", option, value, least)
	v.check(value <= most, "%s: %d; want at most %d", option, value, most)
}

// oneOf adds an error unless the option's value is one of those allowed.
func (v *validation) oneOf(option, value string, allowed ...string) {
	v.check(slices.Contains(allowed, value), "%s: %q is not one of %q", option, value, allowed)
}

// add adds the errors of a part; nil ones do not count.
func (v *validation) add(errs ...error) { v.errs = append(v.errs, errs...) }

// err returns all errors joined, or nil if there are none.
func (v *validation) err() error { return errors.Join(v.errs...) }

// nearestEven rounds to the nearest even number; halves go to the even half.
func nearestEven(x float64) int {
	return 2 * int(math.RoundToEven(x/2))
}

// proxies returns how many proxies of each class the loss has; 0 for an unknown loss.
func (c Config) proxies() int {
	loss, err := losses.For(c.Config)
	if err != nil {
		return 0
	}
	return loss.Proxies()
}

// explainMemory adds to the error of a training step that ran out of memory how large its batch is
// and which settings make it smaller. Other errors stay as they are.
func (c Config) explainMemory(err error, devices int) error {
	batch := c.Classes * c.Images
	what := fmt.Sprintf("a batch of %d images (%d classes x %d)", batch, c.Classes, c.Images)
	advice, chunks := "lower classes or images", ""
	if c.Mode == Finetune {
		what += fmt.Sprintf(" of %dx%d", c.Input, c.Input)
		if c.chunks() > 1 {
			what += fmt.Sprintf(" in %d chunks", c.chunks())
		}
		for n := c.chunks() + 1; n <= batch; n++ {
			if batch%(n*max(devices, 1)) == 0 {
				chunks = fmt.Sprintf(", or set accumulate: %d", n)
				break
			}
		}
	}
	return xla.ExplainOutOfMemory(err, what, advice+chunks)
}

// CheckDevices returns an error if that many devices cannot share a training step: each takes as
// many images of a batch, or of a chunk of it, as the others.
func (c Config) CheckDevices(devices int) error {
	batch := c.Classes * c.Images
	if devices < 2 || c.Untrained || batch%(devices*c.chunks()) == 0 {
		return nil
	}
	if c.chunks() > 1 {
		return fmt.Errorf("%d devices: they cannot share a batch of %d images (%d classes x %d) in %d chunks evenly; change "+
			"classes, images, accumulate or devices",
			devices, batch, c.Classes, c.Images, c.chunks())
	}
	return fmt.Errorf("%d devices: they cannot share a batch of %d images (%d classes x %d) evenly; change classes, images or devices",
		devices, batch, c.Classes, c.Images)
}
