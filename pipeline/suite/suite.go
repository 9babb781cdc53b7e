package suite

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/models"
	"bierbench/models/backbones"
)

//go:embed suites/*.yaml
var builtinFiles embed.FS

// A Suite says what one run trains and evaluates.
type Suite struct {
	Name   string  `json:"name"`
	Blocks []Block `json:"blocks"`
}

// A Block is the product of data sets, methods, sizes and seeds on one backbone.
type Block struct {
	Datasets []string  `json:"datasets"` // cub, sop/grocery, or cub/official+box-s256-jpeg
	Backbone string    `json:"backbone"`
	Mode     string    `json:"mode"`
	Input    int       `json:"input"` // pixels per side; 0 stands for the backbone's own
	Methods  []Variant `json:"methods"`
	Sizes    []int     `json:"sizes"` // dimensions of the embedding
	Seeds    []int     `json:"seeds"`
	Options  []Option  `json:"options,omitempty"` // for every method of the block
	Position Position  `json:"-"`                 // where the block begins
	places   map[string]Position
	features *backbones.Imported // of one data set; see WithFeatures
}

// WithFeatures returns the block on the imported features of one data set: its configurations name
// them. The backbone is file:NAME.
func (b Block) WithFeatures(f backbones.Imported) Block {
	b.features = &f
	return b
}

// place returns where a key of the block is, or where the block begins.
func (b *Block) place(key string) Position {
	if at, ok := b.places[key]; ok {
		return at
	}
	return b.Position
}

// A Variant is a method under a label, with its own options.
type Variant struct {
	Label   string   `json:"label"`
	Method  string   `json:"method"`
	Base    string   `json:"base,omitempty"` // label of the method in the block that reports compare it with; empty stands for DefaultBase
	Options []Option `json:"options,omitempty"`
	at      Position
	baseAt  Position
}

// DefaultBase is the method that reports compare the others with where the suite names none.
const DefaultBase = "baseline"

// A Position is a line of a suite file, for error messages. The zero Position is that of a value
// from the command line.
type Position struct {
	file string
	line int
}

// Errorf returns an error that names the position: "file:line: msg".
func (p Position) Errorf(format string, args ...any) error {
	if p.file == "" {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf("%s:%d: %w", p.file, p.line, fmt.Errorf(format, args...))
}

// RelativeTo names the position in a message about another one: "line 3" in the same file, else
// "b.yaml:3".
func (p Position) RelativeTo(other Position) string {
	if p.file == other.file {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// Builtin returns the names of the built-in suites, sorted.
func Builtin() []string {
	files, _ := fs.Glob(builtinFiles, "suites/*.yaml") // the pattern is well formed
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	slices.Sort(names) // Glob sorts with the ending
	return names
}

// Load reads a suite: a built-in one by its name, or a YAML file.
func Load(nameOrFile string) (*Suite, error) {
	if slices.Contains(Builtin(), nameOrFile) {
		data, err := builtinFiles.ReadFile("suites/" + nameOrFile + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
		}
		return (&source{file: nameOrFile + ".yaml", builtin: true}).suite(nameOrFile, data)
	}
	data, err := readFile(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("suite %q is neither a file nor built in (%s)", nameOrFile, strings.Join(Builtin(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
	}
	name := strings.TrimSuffix(filepath.Base(nameOrFile), filepath.Ext(nameOrFile))
	return Parse(name, nameOrFile, data)
}

// Set overrides a key in every block: key=value, with the value as in a suite file. datasets,
// backbone, mode, input, methods, sizes and seeds replace those of the block; any other key is an
// option of every method.
func (s *Suite) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("--set %q: want OPTION=VALUE", assignment)
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
	if err := checkCells(s.Blocks); err != nil {
		return fmt.Errorf("--set %s: %w", assignment, err)
	}
	return nil
}

// Config returns the configuration of a variant of the block at one size, without a seed. That of the
// untrained features of backbone file:NAME has size 0 before WithFeatures.
func (b *Block) Config(v Variant, size int) (models.Config, error) {
	c := models.DefaultConfig(b.Mode)
	c.Backbone, c.Size, c.Features = b.Backbone, size, b.features
	net, err := c.Network()
	if err != nil {
		return c, b.place("backbone").Errorf("%w", err)
	}
	c.Input = net.Input
	if b.Input != 0 {
		c.Input = b.Input
	}
	if err = net.CheckInput(c.Input); err != nil {
		return c, b.place("input").Errorf("%w", err)
	}
	method, err := methodNamed(v.Method)
	if err != nil {
		return c, v.at.Errorf("%w", err)
	}
	method.Apply(&c)
	learners := method.Learners
	var sizes []int
	learnersAt := v.at
	for _, o := range slices.Concat(b.Options, v.Options) {
		if o.Key == "learners" {
			learners, sizes, learnersAt = 0, nil, o.at
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
		// Options of training do not belong to it: changing them leaves its cells done.
		features := models.Config{
			Backbone: c.Backbone, Mode: c.Mode, Input: c.Input, Untrained: true, Size: net.Features, Features: c.Features,
			SelectionConfig: models.SelectionConfig{Evaluate: c.Evaluate},
		}
		if c.Evaluate == models.EvaluateValidation {
			features.HeldOut = c.HeldOut
		}
		return features, nil
	}
	c.Learners = sizes
	if sizes == nil {
		if learners < 1 || learners > models.MaxLearners {
			return c, learnersAt.Errorf("learners: %d; want 1 to %d", learners, models.MaxLearners)
		}
		c.Learners = models.LearnerSizes(size, learners)
	}
	var errs []error
	for _, err := range eachError(c.Validate()) {
		errs = append(errs, b.placeOf(v, err).Errorf("method %s at size %d: %w", v.Label, size, err))
	}
	return c, errors.Join(errs...)
}

// eachError returns the errors that are joined in one.
func eachError(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) // what it wraps otherwise belongs to it
	if !ok {
		return []error{err}
	}
	var out []error
	for _, part := range joined.Unwrap() {
		out = append(out, eachError(part)...)
	}
	return out
}

// placeOf returns where the option is that an error of models.Config.Validate begins with: the last
// one counts. It is the place of the method where the option has its default.
func (b *Block) placeOf(v Variant, err error) Position {
	option, _, _ := strings.Cut(err.Error(), ":")
	for _, o := range slices.Backward(slices.Concat(b.Options, v.Options)) {
		if o.Key == option {
			return o.at
		}
	}
	if option == "size" {
		option = "sizes"
	}
	if at, ok := b.places[option]; ok {
		return at
	}
	return v.at
}
