package suite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"bierbench/datasets"
	"bierbench/models"
)

// entry is one key of a YAML mapping.
type entry struct {
	key  string
	node ast.Node
	at   Position
}

// blockKeys returns the keys of a block that are not options of its methods.
func blockKeys() []string {
	return []string{"datasets", "backbone", "mode", "input", "methods", "sizes", "seeds"}
}

// Parse reads a suite from the content of a file. Errors name file:line.
func Parse(name, file string, data []byte) (*Suite, error) {
	return (&source{file: file}).suite(name, data)
}

// suite reads the suite of a source.
func (s *source) suite(name string, data []byte) (*Suite, error) {
	blocks, err := s.blocks(data)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%s: the suite has no block", s.file)
	}
	if err := checkCells(blocks); err != nil {
		return nil, err
	}
	return &Suite{Name: name, Blocks: blocks}, nil
}

// items returns the items of a suite as YAML nodes.
func (s *source) items(data []byte) ([]ast.Node, error) {
	documents, err := parseYAML(s.file, data)
	if err != nil {
		return nil, err
	}
	switch n := len(documents); {
	case n == 0:
		return nil, fmt.Errorf("%s:1: the file is empty; want a list of blocks", s.file)
	case n > 1:
		at := Position{file: s.file, line: 1}
		if start := documents[1].Start; start != nil {
			at.line = start.Position.Line
		}
		return nil, at.Errorf("a second YAML document; want one")
	}
	list, ok := documents[0].Body.(*ast.SequenceNode)
	if !ok {
		return nil, fmt.Errorf("%s:1: a suite is a list of blocks; want a line that begins with \"- \"", s.file)
	}
	return list.Values, nil
}

// parseAssignment reads the value of --set key=value as YAML.
func parseAssignment(key, value string) (entry, error) {
	documents, err := parseYAML("", []byte(value))
	if err != nil {
		return entry{}, err
	}
	if len(documents) != 1 || documents[0].Body == nil {
		return entry{}, errors.New("the value is empty")
	}
	return entry{key: key, node: documents[0].Body}, nil
}

// set sets one key of the block.
func (b *Block) set(e entry) error {
	if slices.Contains(blockKeys(), e.key) {
		if b.places == nil {
			b.places = map[string]Position{}
		}
		b.places[e.key] = e.at
	}
	var err error
	switch e.key {
	case "datasets":
		if b.Datasets, err = e.words(); err == nil {
			err = checkTwice(e, b.Datasets)
		}
	case "backbone":
		err = e.decode(&b.Backbone)
	case "mode":
		err = e.decode(&b.Mode)
		if err == nil && b.Mode != models.Frozen && b.Mode != models.Finetune {
			err = e.at.Errorf("mode: %q; want %s or %s", b.Mode, models.Frozen, models.Finetune)
		}
	case "input":
		b.Input, err = number(e, e.node, 1)
	case "sizes":
		if b.Sizes, err = e.numbers(1); err == nil {
			err = checkTwice(e, b.Sizes)
		}
	case "seeds":
		if b.Seeds, err = e.numbers(0); err == nil {
			err = checkTwice(e, b.Seeds)
		}
	case "methods":
		b.Methods, err = decodeVariants(e)
	case includeKey:
		err = e.at.Errorf("include: want this key in an item of a suite file")
	default:
		var o Option
		if o, err = decodeOption(e, itemKeys()); err == nil {
			b.Options = mergeOption(b.Options, o)
		}
	}
	return err
}

// complete fills in the defaults and checks the block, with the configuration of every method and
// size.
func (b *Block) complete() error {
	if b.Sizes == nil {
		b.Sizes = []int{512}
	}
	if b.Seeds == nil {
		b.Seeds = []int{0}
	}
	for _, must := range []struct {
		key   string
		given bool
	}{
		{"datasets", len(b.Datasets) > 0}, {"backbone", b.Backbone != ""}, {"mode", b.Mode != ""}, {"methods", len(b.Methods) > 0},
	} {
		if !must.given {
			return b.Position.Errorf("the block has no %s", must.key)
		}
	}
	if err := b.checkLimits(); err != nil {
		return err
	}
	for _, name := range b.Datasets {
		set, variant, err := datasets.LookupVariant(name)
		if err != nil {
			return b.place("datasets").Errorf("datasets: %w", err)
		}
		if set.Own() && variant == "" {
			return b.place("datasets").Errorf("datasets: %s has no published release: want %s/NAME, as it was ingested with --custom NAME", name, name)
		}
	}
	labels := map[string]bool{}
	for _, v := range b.Methods {
		if labels[v.Label] {
			return v.at.Errorf("the label %q is used twice", v.Label)
		}
		labels[v.Label] = true
		if err := b.checkBase(v); err != nil {
			return err
		}
		for _, size := range b.Sizes {
			if _, err := b.Config(v, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeVariants reads the methods of a block: names, or mappings with a label, a method, a base
// and options.
func decodeVariants(e entry) ([]Variant, error) {
	sequence, ok := e.node.(*ast.SequenceNode)
	if !ok {
		return nil, e.at.Errorf("methods: want a list")
	}
	var out []Variant
	for _, node := range sequence.Values {
		v := Variant{at: positionOf(e.at.file, node)}
		if name, ok := node.(*ast.StringNode); ok {
			v.Label, v.Method = name.Value, name.Value
		} else {
			entries, err := mappingEntries(e.at.file, node)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				switch e.key {
				case "label":
					err = e.decode(&v.Label)
				case "method":
					err = e.decode(&v.Method)
				case "base":
					v.baseAt = e.at
					err = e.decode(&v.Base)
				default:
					var o Option
					o, err = decodeOption(e, append([]string{"label", "method", "base"}, optionKeys()...))
					v.Options = append(v.Options, o)
				}
				if err != nil {
					return nil, err
				}
			}
		}
		if v.Method == "" {
			v.Method = v.Label
		}
		if v.Label == "" {
			v.Label = v.Method
		}
		if err := checkLabel(v.Label); err != nil {
			return nil, v.at.Errorf("label: %w", err)
		}
		if _, err := methodNamed(v.Method); err != nil {
			return nil, v.at.Errorf("%w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// checkBase checks that the base of a method is another method of its block.
func (b *Block) checkBase(v Variant) error {
	var others []string
	for _, other := range b.Methods {
		if other.Label != v.Label {
			others = append(others, other.Label)
		}
	}
	switch {
	case v.Base == "" || slices.Contains(others, v.Base):
		return nil
	case v.Base == v.Label:
		return v.baseAt.Errorf("base: %q would be compared with itself", v.Base)
	case len(others) == 0:
		return v.baseAt.Errorf("base: %q is not in the block, and no other method is", v.Base)
	}
	return v.baseAt.Errorf("base: the block has no method %q; it has %s", v.Base, strings.Join(others, ", "))
}

// checkLabel checks that a label is a valid folder name on every system.
func checkLabel(label string) error {
	for _, r := range label {
		if r != '-' && r != '_' && r != '.' && r != '+' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return fmt.Errorf("%q; want letters, digits and -_.+", label)
		}
	}
	if label == "" || label[0] == '.' {
		return fmt.Errorf("%q; want a name that does not begin with a dot", label)
	}
	return nil
}

// text returns the value of the entry as an error quotes it.
func (e entry) text() string { return short(strings.TrimSpace(e.node.String())) }

// decode reads the value of the entry into a variable, which is a word or, as any, whatever stands
// there.
func (e entry) decode(into any) error {
	want := "a value"
	if _, ok := into.(*string); ok {
		want = "a word"
	}
	if err := yaml.NodeToValue(e.node, into); err != nil {
		return e.at.Errorf("%s: %s; want %s", e.key, e.text(), want)
	}
	return nil
}

// nodes returns the values of a list. A single value stands for a list of one.
func (e entry) nodes() ([]ast.Node, error) {
	list, ok := e.node.(*ast.SequenceNode)
	switch {
	case !ok:
		return []ast.Node{e.node}, nil
	case len(list.Values) == 0:
		return nil, e.at.Errorf("%s: the list is empty", e.key)
	}
	return list.Values, nil
}

// words reads a list of words.
func (e entry) words() ([]string, error) {
	nodes, err := e.nodes()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(nodes))
	for i, node := range nodes {
		if err := yaml.NodeToValue(node, &out[i]); err != nil {
			return nil, e.at.Errorf("%s: %s; want a list of words", e.key, e.text())
		}
	}
	return out, nil
}

// numbers reads a list of whole numbers of at least least.
func (e entry) numbers(least int) ([]int, error) {
	nodes, err := e.nodes()
	if err != nil {
		return nil, err
	}
	out := make([]int, len(nodes))
	for i, node := range nodes {
		if out[i], err = number(e, node, least); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// number reads a whole number of at least least from a node of the entry. A fraction is an error:
// it would be cut.
func number(e entry, node ast.Node, least int) (int, error) {
	integer, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, e.at.Errorf("%s: %s; want a whole number", e.key, short(strings.TrimSpace(node.String())))
	}
	n, err := strconv.Atoi(fmt.Sprint(integer.Value))
	if err != nil {
		return 0, e.at.Errorf("%s: %v; want at most %d", e.key, integer.Value, math.MaxInt)
	}
	if n < least {
		return 0, e.at.Errorf("%s: %d; want at least %d", e.key, n, least)
	}
	return n, nil
}

// checkTwice returns an error if a list names a value twice: it would be one cell.
func checkTwice[T comparable](e entry, list []T) error {
	seen := map[T]bool{}
	for _, v := range list {
		if seen[v] {
			return e.at.Errorf("%s: %v is given twice", e.key, v)
		}
		seen[v] = true
	}
	return nil
}

// mappingEntries returns the entries of a YAML mapping, in their order.
func mappingEntries(file string, node ast.Node) ([]entry, error) {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, positionOf(file, node).Errorf("want key: value")
	}
	entries := make([]entry, len(values))
	for i, v := range values {
		entries[i] = entry{key: v.Key.GetToken().Value, node: v.Value, at: positionOf(file, v.Key)}
	}
	return entries, nil
}

// positionOf returns the position of a node.
func positionOf(file string, node ast.Node) Position {
	return Position{file: file, line: node.GetToken().Position.Line}
}

// yamlError returns a syntax error with its place, in the words of the parser.
func yamlError(file string, err error) error {
	at := Position{file: file, line: 1}
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		at.line = syntax.GetToken().Position.Line
		return at.Errorf("%s", syntax.GetMessage())
	}
	return at.Errorf("%w", err)
}

// Suggestion returns "; did you mean ...?" with the known word that is closest to a misspelled one,
// or nothing where none is close: at most three letters inserted, removed or changed.
func Suggestion(word string, known []string) string {
	best, distance := "", 4
	if len(word) > 100 {
		return ""
	}
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance returns the Levenshtein distance of two words, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
