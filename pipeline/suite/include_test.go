package suite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/models/losses"
)

// writeFiles writes files into a new folder; names may have folders.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const oneBlock = "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [baseline, {label: slow, method: bier, steps: 7}]\n"

// Included blocks stand in the place of the include, with the keys beside it set in each of them.
// Files are relative to the file that names them.
func TestInclude(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"top.yaml":         strings.Replace(oneBlock, "cub", "sop", 1) + "- include: parts/one.yaml\n  steps: 9\n  seeds: [4, 5]\n- include: quick\n  backbone: googlenet\n",
		"parts/one.yaml":   "- include: other.yaml\n  sizes: 128\n" + oneBlock,
		"parts/other.yaml": strings.Replace(oneBlock, "cub", "cars196", 1),
	})
	s, err := Load(filepath.Join(dir, "top.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, b := range s.Blocks {
		order = append(order, b.Datasets[0]+" "+b.Backbone)
	}
	if want := []string{"sop lite0", "cars196 lite0", "cub lite0", "cub googlenet"}; !slices.Equal(order, want) {
		t.Fatalf("blocks %v, want %v", order, want)
	}
	if s.Name != "top" {
		t.Errorf("name %q; want that of the file that was asked for", s.Name)
	}
	cars, cub, quick := s.Blocks[1], s.Blocks[2], s.Blocks[3]
	if !slices.Equal(cars.Sizes, []int{128}) || !slices.Equal(cub.Sizes, []int{512}) {
		t.Errorf("sizes %v and %v; the override of parts/one.yaml is for what it includes alone", cars.Sizes, cub.Sizes)
	}
	for _, b := range []Block{cars, cub} {
		if !slices.Equal(b.Seeds, []int{4, 5}) {
			t.Errorf("seeds %v, want those beside the include", b.Seeds)
		}
		for _, v := range b.Methods {
			if c, err := b.Config(v, b.Sizes[0]); err != nil || c.Steps != 9 {
				t.Errorf("%s: %d steps, %v; the word beside the include is the last, as that of --set", v.Label, c.Steps, err)
			}
		}
	}
	if slow, err := s.Blocks[0].Config(s.Blocks[0].Methods[1], 512); err != nil || slow.Steps != 7 {
		t.Errorf("the block before the include has %d steps, %v; want its own 7", slow.Steps, err)
	}
	if c, err := quick.Config(quick.Methods[3], 512); err != nil || c.Backbone != "googlenet" || c.Boosting != losses.BoostingEta {
		t.Errorf("the built-in: %+v, %v", c, err)
	}
	// The same file twice is not a circle.
	twice := writeFiles(t, map[string]string{"a.yaml": "- include: b.yaml\n- include: b.yaml\n  seeds: 1\n", "b.yaml": oneBlock})
	if s, err := Load(filepath.Join(twice, "a.yaml")); err != nil || len(s.Blocks) != 2 {
		t.Errorf("the same file twice: %v", err)
	}
}

func TestIncludeErrors(t *testing.T) {
	cases := []struct {
		name  string
		files map[string]string
		want  string // DIR stands for the folder
	}{
		{"no such file", map[string]string{"a.yaml": oneBlock + "- include: b.yaml\n"}, "DIR/a.yaml:5: include b.yaml: there is no file DIR/b.yaml"},
		{"itself", map[string]string{"a.yaml": "- include: a.yaml\n"}, "DIR/a.yaml:1: include a.yaml: the files include each other in a circle: DIR/a.yaml -> DIR/a.yaml"},
		{
			"in a circle, by another path",
			map[string]string{"a.yaml": oneBlock + "- include: x/b.yaml\n", "x/b.yaml": "- include: ../x/../a.yaml\n"},
			"DIR/x/b.yaml:1: include ../x/../a.yaml: the files include each other in a circle: DIR/a.yaml -> DIR/x/b.yaml -> DIR/a.yaml",
		},
		{"a misspelled include", map[string]string{"a.yaml": "- inclde: quick\n"}, `DIR/a.yaml:1: unknown key "inclde"; did you mean "include"?`},
		{"a misspelled override", map[string]string{"a.yaml": "- include: quick\n  stepz: 4\n"}, `DIR/a.yaml:2: unknown key "stepz"; did you mean "steps"?`},
		{"an override of another type", map[string]string{"a.yaml": "- include: quick\n  steps: many\n"}, `DIR/a.yaml:2: steps: "many"; want a value of type int`},
		{
			"an override that does not fit",
			map[string]string{"a.yaml": "- include: b.yaml\n  steps: 0\n", "b.yaml": oneBlock},
			"DIR/a.yaml:1: include b.yaml with the keys beside it: DIR/a.yaml:2: method baseline at size 512: steps: 0; want at least 1",
		},
		{"a mistake in the included file", map[string]string{"a.yaml": "\n\n- include: b.yaml\n", "b.yaml": oneBlock + "  stepz: 3\n"}, `DIR/b.yaml:5: unknown key "stepz"; did you mean "steps"?`},
		{"an included file that is no suite", map[string]string{"a.yaml": "- include: b.yaml\n", "b.yaml": "datasets: cub\n"}, "DIR/b.yaml:1: a suite is a list of blocks"},
		{"a list", map[string]string{"a.yaml": "- include: [quick]\n"}, "DIR/a.yaml:1: include: want the name of a file or of a built-in suite"},
		{"a folder", map[string]string{"a.yaml": "- include: x\n", "x/b.yaml": oneBlock}, "DIR/a.yaml:1: include x: DIR/x is not a file"},
		{"nothing but an empty list", map[string]string{"a.yaml": "- include: b.yaml\n", "b.yaml": "[]\n"}, "DIR/a.yaml: the suite has no block"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := writeFiles(t, c.files)
			_, err := Load(filepath.Join(dir, "a.yaml"))
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), dir, "DIR")
			if !strings.HasPrefix(got, c.want) || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("in a built-in suite", func(t *testing.T) {
		for name, want := range map[string]string{
			"here.yaml": "quick.yaml:5: include here.yaml: a built-in suite includes no file",
			"quick":     "quick.yaml:5: include quick: the files include each other in a circle: quick.yaml -> quick.yaml",
		} {
			_, err := (&source{file: "quick.yaml", builtin: true}).suite("quick", []byte(oneBlock+"- include: "+name+"\n"))
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		}
		s, err := (&source{file: "quick.yaml", builtin: true}).suite("quick", []byte("- include: demo\n"))
		if err != nil || len(s.Blocks) != 1 {
			t.Errorf("a built-in suite that includes another: %v", err)
		}
	})
	t.Run("files that grow without end", func(t *testing.T) {
		files := map[string]string{"b20.yaml": oneBlock}
		for i := range 20 {
			line := "- include: b" + string(rune('a'+i+1)) + ".yaml\n"
			if i == 19 {
				line = "- include: b20.yaml\n"
			}
			files["b"+string(rune('a'+i))+".yaml"] = line + line
		}
		_, err := Load(filepath.Join(writeFiles(t, files), "ba.yaml"))
		if err == nil || !strings.Contains(err.Error(), "more than 2000 blocks") {
			t.Errorf("error %v; want a bound: 2^20 blocks", err)
		}
	})
	if err := (&Suite{Blocks: []Block{{}}}).Set("include=quick"); err == nil || !strings.Contains(err.Error(), "in an item of a suite file") {
		t.Errorf("--set include: %v", err)
	}
}

// Where a cell is in two blocks, the message says in which files.
func TestSeen(t *testing.T) {
	here := Position{"a.yaml", 7}
	if got := (Position{"a.yaml", 3}).RelativeTo(here); got != "line 3" {
		t.Error(got)
	}
	if got := (Position{"b.yaml", 3}).RelativeTo(here); got != "b.yaml:3" {
		t.Error(got)
	}
}

// A written suite reads back equal, whether it was built in, included or overridden.
func TestSuiteYAML(t *testing.T) {
	check := func(name string, s *Suite) {
		t.Helper()
		data, err := s.YAML() // compares
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		file := filepath.Join(t.TempDir(), s.Name+".yaml")
		if err = os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		again, err := Load(file)
		if err != nil || !again.equal(s) {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
	for _, name := range Builtin() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, s)
		for _, assignment := range []string{"steps=7", "learners=2", "lambda_w=1e5", "embedding_rate=3.5e-7", "seeds=[3, 1]", "decay_every=0"} {
			if err := s.Set(assignment); err != nil {
				t.Fatal(err)
			}
		}
		s.Name = "set"
		check(name+" with --set", s)
	}
	odd, err := Parse("odd", "odd.yaml", []byte(`
- datasets: [cub/a b, "sop/x: [y]", cub/true]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [{label: "true", method: bier, learners: 2, constants: {C: 1e7}}, {label: "1e5", method: abier, hidden: 8, lambda_w: 1e+07, lambda_div: 1e-09, base: "true"}, {label: null-, method: baseline, base: "1e5"}]
  constants: {beta: -1e-9, alpha: 1e+30, "C": 3}
  sizes: 24
  lambda_div: .5
  weight_decay: 0x10
`))
	if err != nil {
		t.Fatal(err)
	}
	check("labels and names that YAML would take for other things", odd)
	data, err := odd.YAML()
	if err != nil || !strings.Contains(string(data), `{label: "true", method: bier, learners: 2, constants: {C: 10000000}}`) {
		t.Errorf("%v\n%s", err, data)
	}
}
