package suite

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/models"
	"bierbench/models/backbones"
)

//go:embed suites/*.yaml
var builtinFiles embed.FS

// A Suite is what one run trains and evaluates.
type Suite struct {
	Name   string  `json:"name"`
	Blocks []Block `json:"blocks"`
}

// A Block is data sets x methods x sizes x seeds on one backbone.
type Block struct {
	Datasets []string  `json:"datasets"` // cub, sop/grocery, or cub/official+box-s256-jpeg
	Backbone string    `json:"backbone"`
	Mode     string    `json:"mode"`
	Input    int       `json:"input"` // pixels; 0 is the backbone's own
	Methods  []Variant `json:"methods"`
	Sizes    []int     `json:"sizes"`
	Seeds    []int     `json:"seeds"`
	Options  []Option  `json:"options,omitempty"` // for every method of the block
	Position Position  `json:"-"`                 // where the block begins
}

// A Variant is a method under a label, with options of its own.
type Variant struct {
	Label   string   `json:"label"`
	Method  string   `json:"method"`
	Base    string   `json:"base,omitempty"` // label in the block that reports compare it with; empty is DefaultBase
	Options []Option `json:"options,omitempty"`
	at      Position
	baseAt  Position
}

// DefaultBase is the method that reports compare the others with where the
// suite does not say.
const DefaultBase = "baseline"

// Position is where a value stands, for error messages.
type Position struct {
	file string
	line int
}

func (p Position) Errorf(format string, args ...any) error {
	if p.file == "" {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf("%s:%d: %w", p.file, p.line, fmt.Errorf(format, args...))
}

// RelativeTo names the place to somebody who is at another: its line, and its file
// where that is another one.
func (p Position) RelativeTo(from Position) string {
	if p.file == from.file {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// Builtin returns the names of the suites that come with bierbench.
func Builtin() []string {
	files, _ := fs.Glob(builtinFiles, "suites/*.yaml") // the pattern is well formed
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	slices.Sort(names) // without the ending the order is another one
	return names
}

// Load reads a built-in suite by its name, or a YAML file.
func Load(nameOrFile string) (*Suite, error) {
	if slices.Contains(Builtin(), nameOrFile) {
		data, err := builtinFiles.ReadFile("suites/" + nameOrFile + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
		}
		return (&source{file: nameOrFile + ".yaml", builtin: true}).suite(nameOrFile, data)
	}
	data, err := os.ReadFile(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("suite %q is neither a file nor built in (%s)", nameOrFile, strings.Join(Builtin(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
	}
	name := strings.TrimSuffix(filepath.Base(nameOrFile), filepath.Ext(nameOrFile))
	return Parse(name, nameOrFile, data)
}

// Set overrides an option in every block: key=value, as a suite would write
// them. datasets, backbone, mode, input, methods, sizes and seeds replace the
// block's; any other key is an option of every method.
func (s *Suite) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("--set %q: want key=value", assignment)
	}
	mapping, err := parseAssignment(strings.TrimSpace(key), value)
	if err != nil {
		return fmt.Errorf("--set %s: %w", assignment, err)
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if err := b.override(mapping); err != nil {
			return fmt.Errorf("--set %s: %w", assignment, err)
		}
		if err := b.complete(); err != nil {
			return fmt.Errorf("--set %s: %w", assignment, err)
		}
	}
	return nil
}

// Config resolves a variant of the block at one size, without a seed.
func (b Block) Config(v Variant, size int) (models.Config, error) {
	c := models.DefaultConfig(b.Mode)
	c.Backbone, c.Size = b.Backbone, size
	net, err := backbones.Named(b.Backbone)
	if err != nil {
		return c, b.Position.Errorf("backbone: %w", err)
	}
	c.Input = net.Input
	if b.Input != 0 {
		c.Input = b.Input
	}
	if err = net.CheckInput(c.Input); err != nil {
		return c, b.Position.Errorf("%w", err)
	}
	method, err := methodNamed(v.Method)
	if err != nil {
		return c, v.at.Errorf("%w", err)
	}
	method.Apply(&c)
	learners := method.Learners
	var sizes []int
	for _, o := range slices.Concat(b.Options, v.Options) {
		if o.Key == "learners" {
			learners, sizes = 0, nil
			if json.Unmarshal(o.Value, &learners) != nil && json.Unmarshal(o.Value, &sizes) != nil {
				return c, o.at.Errorf("learners: %s; want a number of learners or a list of sizes", o.Value)
			}
			continue
		}
		if err := applyOption(&c, o); err != nil {
			return c, err
		}
	}
	if err := checkConstants(c, v.Label, slices.Concat(b.Options, v.Options)); err != nil {
		return c, err
	}
	if c.Untrained {
		if c.Mode != models.Frozen {
			return c, v.at.Errorf("method %s trains nothing; want mode %s", v.Label, models.Frozen)
		}
		// Options of training are no part of it: changing them leaves its cells done.
		features := models.Config{Backbone: c.Backbone, Mode: c.Mode, Input: c.Input, Untrained: true, Size: net.Features, SelectionConfig: models.SelectionConfig{Evaluate: c.Evaluate}}
		if c.Evaluate == models.EvaluateValidation {
			features.HeldOut = c.HeldOut
		}
		return features, nil
	}
	c.Learners = sizes
	if sizes == nil {
		if learners < 1 {
			return c, v.at.Errorf("learners: %d; want at least 1", learners)
		}
		c.Learners = models.LearnerSizes(size, learners)
	}
	if err := c.Validate(); err != nil {
		return c, v.at.Errorf("method %s at size %d: %w", v.Label, size, err)
	}
	return c, nil
}
