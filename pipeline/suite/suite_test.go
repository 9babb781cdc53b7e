package suite

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/losses"
)

// configOf resolves one method of a suite's first block.
func configOf(t *testing.T, s *Suite, label string, size int) models.Config {
	t.Helper()
	b := s.Blocks[0]
	for _, v := range b.Methods {
		if v.Label == label {
			c, err := b.Config(v, size)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("no method %s", label)
	return models.Config{}
}

func TestBuiltinSuites(t *testing.T) {
	names := Builtin()
	if !slices.Contains(names, "demo") || !slices.Contains(names, "quick") {
		t.Fatalf("built-in suites %v; want demo and quick among them", names)
	}
	for _, name := range names {
		s, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, b := range s.Blocks {
			for _, v := range b.Methods {
				for _, size := range b.Sizes {
					if c, err := b.Config(v, size); err != nil || c.Validate() != nil {
						t.Errorf("%s: %s at size %d: %v, %v", name, v.Label, size, err, c.Validate())
					}
				}
			}
		}
	}
}

// The ablation and the search have every loss but the one of the other blocks,
// alone on one learner and boosted by rule gradient, and the ablation compares
// the two.
func TestSuitesCoverLosses(t *testing.T) {
	for _, name := range []string{"ablation", "search-losses"} {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			label, base string
			config      models.Config
		}
		var rows []row
		for _, b := range s.Blocks {
			for _, v := range b.Methods {
				c, err := b.Config(v, b.Sizes[0])
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row{v.Label, v.Base, c})
			}
		}
		for _, backbone := range []string{"lite0", "googlenet"} {
			for _, loss := range losses.All() {
				if loss.Name == "binomial_deviance" {
					continue
				}
				alone, boosted := map[string]bool{}, map[string]string{} // labels; of the boosted, with their base
				for _, r := range rows {
					switch {
					case r.config.Backbone != backbone || r.config.Loss != loss.Name:
					case len(r.config.Learners) == 1:
						alone[r.label] = true
					case r.config.Boosting == losses.BoostingGradient:
						boosted[r.label] = r.base
					}
				}
				if len(alone) == 0 || len(alone) != len(boosted) {
					t.Errorf("%s, %s: loss %s is alone in %d rows and boosted in %d", name, backbone, loss.Name, len(alone), len(boosted))
				}
				for label, base := range boosted {
					if name == "ablation" && !alone[base] {
						t.Errorf("%s, %s: %s is compared with %q, want one of %v", name, backbone, label, base, alone)
					}
				}
			}
		}
	}
}

// The defaults are those of the design for both modes; a method's options win
// over its block's.
func TestSuiteOptions(t *testing.T) {
	_, err := Parse("s", "s.yaml", []byte(`
- datasets: [cub, sop/grocery]
  backbone: lite0
  mode: frozen
  methods:
    - baseline
    - ensemble
    - {label: slow, method: bier, steps: 7, learners: [200, 312]}
    - {label: four, method: abier, learners: 4}
  sizes: [512, 100]
  seeds: [3, 4]
  steps: 50
  constants: {beta: 0.4}
`))
	if err == nil {
		t.Fatal("learners [200, 312] at size 100: no error")
	}
	if want := "s.yaml:8: method slow at size 100: learners: [200 312] sum to 512; want size 100"; !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("error %q, want %q", err, want)
	}
	s, err := Parse("s", "s.yaml", []byte(`
- datasets: cub
  backbone: lite0
  mode: frozen
  methods:
    - baseline
    - ensemble
    - {label: slow, method: bier, steps: 7, learners: [200, 312]}
    - {label: four, method: abier, learners: 4}
  steps: 50
  constants: {beta: 0.4}
`))
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Blocks[0]; !slices.Equal(b.Sizes, []int{512}) || !slices.Equal(b.Seeds, []int{0}) {
		t.Errorf("sizes %v, seeds %v; want the defaults 512 and 0", b.Sizes, b.Seeds)
	}
	baseline := configOf(t, s, "baseline", 512)
	if baseline.Steps != 50 || baseline.Constants["beta"] != 0.4 || !slices.Equal(baseline.Learners, []int{512}) || baseline.Classes != 12 || baseline.EmbeddingRate != 3e-4 {
		t.Errorf("baseline: %+v", baseline)
	}
	if c := configOf(t, s, "ensemble", 512); !slices.Equal(c.Learners, []int{96, 160, 256}) || c.Boosting != losses.BoostingNone {
		t.Errorf("ensemble: learners %v, boosting %s", c.Learners, c.Boosting)
	}
	if c := configOf(t, s, "slow", 512); c.Steps != 7 || !slices.Equal(c.Learners, []int{200, 312}) || c.Boosting != losses.BoostingEta {
		t.Errorf("slow: %+v", c)
	}
	if c := configOf(t, s, "four", 512); !slices.Equal(c.Learners, []int{50, 96, 148, 218}) || c.Diversity != models.DiversityAdversarial {
		t.Errorf("four: learners %v, diversity %s", c.Learners, c.Diversity)
	}
	if err := s.Set("steps=9"); err != nil {
		t.Fatal(err)
	}
	if c := configOf(t, s, "slow", 512); c.Steps != 9 {
		t.Errorf("--set steps=9: %d steps; it wins over the method's own", c.Steps)
	}
	if err := s.Set("seeds=[7, 8]"); err != nil || !slices.Equal(s.Blocks[0].Seeds, []int{7, 8}) {
		t.Errorf("--set seeds: %v, %v", s.Blocks[0].Seeds, err)
	}
	if data, err := json.Marshal(s); err != nil || !json.Valid(data) {
		t.Errorf("the resolved suite does not encode: %v", err)
	}
}

// A block on imported features has their width where it is known, and is written as it was read.
func TestImportedFeatures(t *testing.T) {
	s, err := Parse("s", "s.yaml", []byte("- datasets: [cub]\n  backbone: file:dinov2\n  mode: frozen\n  methods: [features, bier]\n  sizes: [24]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := s.YAML(); err != nil || !strings.Contains(string(text), "  backbone: file:dinov2\n") {
		t.Errorf("%v, written as\n%s", err, text)
	}
	plain := s.Blocks[0]
	f := backbones.Imported{Digest: "d", Width: 768, Origin: "a network"}
	known := plain.WithFeatures(f)
	for _, tt := range []struct {
		block  Block
		method int
		size   int
	}{{plain, 0, 0}, {known, 0, 768}, {plain, 1, 24}, {known, 1, 24}} {
		c, err := tt.block.Config(tt.block.Methods[tt.method], 24)
		if err != nil || c.Size != tt.size || c.Input != 0 || c.Backbone != "file:dinov2" {
			t.Errorf("method %d: %+v, %v; want size %d", tt.method, c, err, tt.size)
		}
		if (c.Features != nil) != (tt.block.features != nil) || c.Features != nil && *c.Features != f {
			t.Errorf("method %d: features %+v", tt.method, c.Features)
		}
	}
	wide := plain.WithFeatures(backbones.Imported{Digest: "d", Width: backbones.MaxImportWidth + 1})
	if _, err := wide.Config(wide.Methods[1], 24); err == nil || !strings.Contains(err.Error(), "features: width 65537; want 1 to 65536") {
		t.Errorf("a width that none may have: %v", err)
	}
}

func TestSuiteErrors(t *testing.T) {
	const head = "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [bier]\n"
	cases := []struct{ name, text, want string }{
		{"misspelled block key", head + "  stepz: 3\n", `s.yaml:5: unknown key "stepz"; did you mean "steps"?`},
		{"misspelled method option", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods:\n    - {label: x, method: bier, bossting: eta}\n", `s.yaml:5: unknown key "bossting"; did you mean "boosting"?`},
		{"a value of another type", head + "  steps: many\n", `s.yaml:5: steps: "many"; want a value of type int`},
		{"a fraction of a step", head + "  steps: 1.5\n", `s.yaml:5: steps: 1.5; want a value of type int`},
		{"a value out of its range", head + "  steps: 0\n", "s.yaml:5: method bier at size 512: steps: 0; want at least 1"},
		{"unknown method", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [beir]\n", `s.yaml:4: method "beir" is not one of`},
		{"unknown data set", strings.Replace(head, "cub", "cubs", 1), "s.yaml:1: datasets:"},
		{"unknown backbone", strings.Replace(head, "lite0", "lite9", 1), `s.yaml:2: backbone: "lite9" is not one of`},
		{"unknown mode", strings.Replace(head, "frozen", "cold", 1), `s.yaml:3: mode: "cold"; want frozen or finetune`},
		{"an input the backbone cannot take", head + "  input: 100\n", "s.yaml:5: input: 100 pixels for lite0; want a multiple of 32"},
		{"features of a backbone that is trained", "- datasets: [cub]\n  backbone: lite0\n  mode: finetune\n  methods: [features]\n", "s.yaml:4: method features trains nothing; want mode frozen"},
		{"no methods", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n", "s.yaml:1: the block has no methods"},
		{"a label twice", strings.Replace(head, "[bier]", "[bier, bier]", 1), `s.yaml:4: the label "bier" is used twice`},
		{"a label that is a path", strings.Replace(head, "[bier]", "[{label: ../x, method: bier}]", 1), "s.yaml:4: label:"},
		{"not a list", "datasets: [cub]\n", "s.yaml:1: a suite is a list of blocks"},
		{"not YAML", "- datasets: [cub\n", "s.yaml:1:"},
		{"an empty file", "", "s.yaml"},
		{"a negative seed", head + "  seeds: [-1]\n", "s.yaml:5: seeds: -1; want at least 0"},
		{"a base that is not there", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods:\n    - baseline\n    - {label: x, method: bier,\n       base: bier}\n", `s.yaml:7: base: the block has no method "bier"; it has baseline`},
		{"a base of its own", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [baseline, {label: x, method: bier, base: x}]\n", `s.yaml:4: base: "x" would be compared with itself`},
		{"a base in a block of one method", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [{method: bier, base: baseline}]\n", `s.yaml:4: base: "baseline" is not in the block`},
		{"a base for a block", head + "  base: baseline\n", `s.yaml:5: unknown key "base"`},
		{"a constant that the loss has not", head + "  constants: {alpha: 2, gamma: 1}\n", `s.yaml:5: constants: the loss binomial_deviance of method bier has no "gamma"; it has alpha, beta, C`},
		{"a constant of another loss", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  constants: {alpha: 3}\n  methods:\n    - bier\n    - {label: x, method: baseline, loss: triplet}\n", `s.yaml:4: constants: the loss triplet of method x has no "alpha"; it has `},
		{"a constant out of its range", head + "  constants: {beta: 2}\n", "s.yaml:5: method bier at size 512: constants: beta: 2; want -1 to 1"},
		{"a constant that is a word", head + "  constants: {beta: half}\n", `s.yaml:5: constants: {"beta":"half"}; want numbers of the loss by name`},
		{"constants that are no mapping", head + "  constants: 3\n", "s.yaml:5: constants: 3; want numbers of the loss by name"},
		{"constants that are nothing", head + "  constants:\n", "s.yaml:5: constants: null; want numbers of the loss by name"},
		{"a fraction of a size, which would be cut", head + "  sizes: [64, 128.7]\n", "s.yaml:5: sizes: 128.7; want a whole number"},
		{"a fraction of a seed", head + "  seeds: [2.5]\n", "s.yaml:5: seeds: 2.5; want a whole number"},
		{"a fraction of a pixel", head + "  input: 64.9\n", "s.yaml:5: input: 64.9; want a whole number"},
		{"a size in words", head + "  sizes: ['64']\n", "s.yaml:5: sizes: '64'; want a whole number"},
		{"an input of 0, which is not the default", head + "  input: 0\n", "s.yaml:5: input: 0; want at least 1"},
		{"an input that no memory holds", head + "  input: 9223372036854775776\n", "s.yaml:5: input: 9223372036854775776 pixels for lite0; want a multiple of 32 from 32 to 2048"},
		{"an input that no int holds", head + "  input: 18446744073709551584\n", "s.yaml:5: input: 18446744073709551584; want at most 9223372036854775807"},
		{"a size that no memory holds", head + "  sizes: [4611686018427387904]\n", "s.yaml:5: method bier at size 4611686018427387904: size: 4611686018427387904; want at most 65536"},
		{"a number with a leading zero, which is octal", head + "  steps: 010\n", "s.yaml:5: 010: want a number without leading zeros"},
		{"the same below 0 and in a list", head + "  sizes: [8,\n    -010]\n", "s.yaml:6: -010: want a number without leading zeros"},
		{"a size twice, which is one cell", head + "  sizes: [64, 32, 64]\n", "s.yaml:5: sizes: 64 is given twice"},
		{"a seed twice", head + "  seeds: [1, 1]\n", "s.yaml:5: seeds: 1 is given twice"},
		{"a data set twice", strings.Replace(head, "[cub]", "[cub, cub]", 1), "s.yaml:1: datasets: cub is given twice"},
		{"a data set that is a list", strings.Replace(head, "[cub]", "[[cub]]", 1), "s.yaml:1: datasets: [[cub]]; want a list of words"},
		{"a word that is a mapping", strings.Replace(head, "frozen", "{a: b}", 1), "s.yaml:3: mode: {a: b}; want a word"},
		{"more learners than there can be", head + "  learners: 9223372036854775807\n", "s.yaml:5: learners: 9223372036854775807; want 1 to 128"},
		{"the same as a number of 64 bits that a float rounds", head + "  learners: 1e12\n", "s.yaml:5: learners: "},
		{"no learner", head + "  learners: 0\n", "s.yaml:5: learners: 0; want 1 to 128"},
		{"a value of a method out of its range", "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  steps: 3\n  methods:\n    - label: x\n      method: bier\n      steps: -5\n", "s.yaml:8: method x at size 512: steps: -5; want at least 1"},
		{"infinity, which JSON cannot hold", head + "  embedding_rate: .inf\n", "s.yaml:5: embedding_rate: .inf; want finite numbers"},
		{"no number", head + "  constants: {alpha: .nan}\n", "s.yaml:5: constants: {alpha: .nan}; want finite numbers"},
		{"two documents", head + "---\n" + head, "s.yaml:5: a second YAML document; want one"},
		{"an anchor", head + "  steps: &x 5\n", "s.yaml:5: &: anchors, aliases and tags are not read in a suite"},
		{"hidden units of a petabyte", head + "  hidden: 2000000000\n", "s.yaml:5: method bier at size 512: hidden: 2000000000; want at most 65536"},
		{"a batch whose size wraps around", head + "  images: 4294967296\n  classes: 4294967296\n", "s.yaml:6: method bier at size 512: classes: 4294967296 x 4294967296 images; want a batch of at most 65536"},
		{"a reserved key", head + "  untrained: true\n", `s.yaml:5: unknown key "untrained"`},
		{"features that an import decides", head + "  features: {width: 3}\n", `s.yaml:5: unknown key "features"`},
		{"imported features end to end", "- datasets: [cub]\n  backbone: file:dinov2\n  mode: finetune\n  methods: [bier]\n", "s.yaml:3: method bier at size 512: mode: finetune; file:dinov2 is features that were made elsewhere"},
		{"an input for imported features", "- datasets: [cub]\n  backbone: file:dinov2\n  mode: frozen\n  methods: [bier]\n  input: 224\n", "s.yaml:5: input: 224 pixels for file:dinov2, which takes no images"},
		{"imported features without a name", "- datasets: [cub]\n  backbone: 'file:'\n  mode: frozen\n  methods: [bier]\n", `s.yaml:2: backbone: file:: "" is no name of features`},
		{"imported features in a folder elsewhere", "- datasets: [cub]\n  backbone: file:../x\n  mode: frozen\n  methods: [bier]\n", `s.yaml:2: backbone: file:../x: "../x" is no name of features`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("s", "s.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %s", err)
			}
		})
	}
}

func FuzzSuite(f *testing.F) {
	for _, name := range Builtin() {
		data, err := builtinFiles.ReadFile("suites/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("- {}"))
	f.Add([]byte("- datasets: &a [*a]"))
	f.Add([]byte("- include: quick\n  seeds: [1, 2]\n  lambda_w: 1e30\n"))
	f.Add([]byte("- include: no such file\n  stepz: 3\n"))
	f.Add([]byte(oneBlock + "  learners: [256, 256]\n  beta: -1e-9\n  steps: 1_000\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("s", "s.yaml", data)
		if err == nil && len(s.Blocks) == 0 {
			t.Error("no error and no block")
		}
		if err == nil {
			if _, err := s.YAML(); err != nil { // writes it and reads it back
				t.Error(err)
			}
		}
	})
}
