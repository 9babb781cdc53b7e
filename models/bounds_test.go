package models

import (
	"math"
	"strings"
	"testing"

	"bierbench/models/backbones"
	"bierbench/models/xla"
)

// Numbers with which no machine could train are refused in words. Before, they were allocated, or
// their products wrapped around and passed.
func TestValidateBounds(t *testing.T) {
	const huge = math.MaxInt
	for _, tt := range []struct {
		name string // the reason for the case
		set  func(c *Config)
		want string
	}{
		{"an embedding of 5 TB", func(c *Config) { c.Size, c.Learners = 1e9, []int{1e9} }, "size: 1000000000; want at most 65536"},
		{"a size that no slice can have", func(c *Config) { c.Size, c.Learners = huge, []int{huge} }, "size: 9223372036854775807"},
		{"learners whose sum wraps around to the size", func(c *Config) { c.Size, c.Learners = 8, []int{huge, huge, 10} }, "learners: size 9223372036854775807"},
		{"more learners than a graph can hold", func(c *Config) { c.Size = 1000; c.Learners = LearnerSizes(1000, 200) }, "learners: 200; want 1 to 128"},
		{"regressors of 16 TB", func(c *Config) { c.Hidden = 2e9 }, "hidden: 2000000000; want at most 65536"},
		{"options that fit alone, and together are 17 GB", func(c *Config) {
			c.Hidden, c.Size, c.Learners, c.Diversity = MaxSize, MaxSize, []int{MaxSize / 2, MaxSize / 2}, DiversityAdversarial
		}, "parameters; want at most 1073741824"},
		{"a batch whose size wraps around to 0", func(c *Config) { c.Classes, c.Images = 1<<32, 1<<32 }, "classes: 4294967296 x 4294967296 images; want a batch of at most 65536 images"},
		{"the same with chunks, which divide 0", func(c *Config) { c.Mode, c.Classes, c.Images, c.Accumulate = Finetune, 1<<32, 1<<32, 7 }, "want a batch of at most"},
		{"triplets of 2,000 images", func(c *Config) { c.Loss, c.Classes, c.Images = "triplet", 1000, 2 }, "the loss triplet has arrays of 8e+09 numbers"},
		{"histograms of 10,000 nodes of 1,000 images", func(c *Config) {
			c.Loss, c.Classes, c.Images, c.Constants = "histogram", 500, 2, map[string]float64{"bins": 10000}
		}, "the loss histogram has arrays of 1e+10 numbers"},
		{"an input of 255 TB", func(c *Config) { c.Input = 9223372036854775776 }, "input: 9223372036854775776 pixels for lite0; want a multiple of 32 from 32 to 2048"},
		{"steps for 30,000 years", func(c *Config) { c.Steps = huge }, "steps: 9223372036854775807; want at most 1000000000"},
		{"steps of an initialisation", func(c *Config) { c.Initial, c.InitialSteps = InitialActivation, huge }, "initial_steps: 9223372036854775807"},
		{"a schedule", func(c *Config) { c.DecayEvery = huge }, "decay_every: 9223372036854775807"},
		{"a comparison of models", func(c *Config) { c.Selection, c.SelectEvery = SelectValidation, huge }, "select_every: 9223372036854775807"},
		{"imported features without an import's width", func(c *Config) { c.Backbone, c.Input, c.Features = "file:x", 0, &backbones.Imported{} }, "features: width 0; want 1 to 65536"},
		{"features of a network that computes its own", func(c *Config) { c.Features = &backbones.Imported{Width: 3} }, "features: backbone lite0 computes its own"},
		{"imported features end to end", func(c *Config) { c.Backbone, c.Input, c.Mode = "file:x", 0, Finetune }, "mode: finetune; file:x is features that were made elsewhere"},
		{"imported features with an input", func(c *Config) { c.Backbone = "file:x" }, "input: 224 pixels for file:x, which takes no images"},
		{"imported features with more parameters than fit", func(c *Config) {
			c.Backbone, c.Input, c.Size, c.Learners = "file:x", 0, MaxSize, []int{MaxSize}
			c.Features = &backbones.Imported{Width: backbones.MaxImportWidth}
		}, "size: 65536, with a feature of width 65536: 4.29e+09 parameters; want at most"},
		{"a rate that JSON cannot hold", func(c *Config) { c.EmbeddingRate = math.Inf(1) }, "embedding_rate: +Inf; want a finite number"},
		{"a rate of no number", func(c *Config) { c.RegressorRate = math.NaN() }, "regressor_rate: NaN"},
		{"a constant that JSON cannot hold", func(c *Config) { c.Constants = map[string]float64{"alpha": math.Inf(1)} }, "alpha: +Inf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			c.Backbone, c.Learners = "lite0", []int{512}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			tt.set(&c)
			err := c.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The largest values are usable, so the bounds refuse nothing that fits.
func TestValidateAtTheBounds(t *testing.T) {
	c := DefaultConfig(Frozen)
	c.Backbone, c.Size, c.Learners, c.Hidden, c.Steps = "convnet", MaxSize, []int{MaxSize}, MaxSize, MaxSteps
	c.Classes, c.Images = MaxBatch/2, 2
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// A model on imported features needs their width.
func TestFeaturesOfUnknownWidth(t *testing.T) {
	c := DefaultConfig(Frozen)
	c.Backbone, c.Input, c.Learners = "file:x", 0, []int{512}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(&xla.Backend{}, c, "", 10); err == nil || !strings.Contains(err.Error(), "the width of file:x is not known") {
		t.Errorf("got %v", err)
	}
}

// How many classes there are is known when the data is: proxies of all of them are refused before
// they are drawn.
func TestProxiesOfManyClasses(t *testing.T) {
	c := DefaultConfig(Frozen)
	c.Backbone, c.Size, c.Learners, c.Loss, c.Constants = "convnet", 4096, []int{4096}, "soft_triple", map[string]float64{"centres": 100}
	_, err := New(&xla.Backend{}, c, "", 1e6)
	if err == nil || !strings.Contains(err.Error(), "100000000 proxies: 4.1e+11 parameters; want at most") {
		t.Errorf("got %v", err)
	}
}
