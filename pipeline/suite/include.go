package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// includeKey is the key of an item that stands for the blocks of another suite.
const includeKey = "include"

// source is a suite file that is being read.
type source struct {
	file    string // its name in errors
	builtin bool
	parent  *source // the file that includes this one; nil for the suite itself
	depth   int     // how many files include it, one the other
	// included counts the includes of the whole suite: files that each include the next one twice
	// would be read 2^n times, even if the last one has no block.
	included *int
}

// blocks reads the items of a suite. The blocks of an include stand in its place. Errors name
// file:line.
func (s *source) blocks(data []byte) ([]Block, error) {
	items, err := s.items(data)
	if err != nil {
		return nil, err
	}
	var out []Block
	for _, node := range items {
		entries, err := mappingEntries(s.file, node)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.key == includeKey }); i >= 0 {
			blocks, err := s.include(entries[i], slices.Delete(slices.Clone(entries), i, i+1))
			if err != nil {
				return nil, err
			}
			out = append(out, blocks...)
		} else {
			b := Block{Position: positionOf(s.file, node)}
			for _, e := range entries {
				if err := b.set(e); err != nil {
					return nil, err
				}
			}
			if err := b.complete(); err != nil {
				return nil, err
			}
			out = append(out, b)
		}
		if len(out) > mostBlocks {
			return nil, positionOf(s.file, node).Errorf("more than %d blocks", mostBlocks)
		}
	}
	return out, nil
}

// include returns the blocks of another suite, with the keys beside the include set in every one of
// them.
func (s *source) include(e entry, overrides []entry) ([]Block, error) {
	var name string
	if _, ok := e.node.(*ast.StringNode); !ok || e.decode(&name) != nil || name == "" {
		return nil, e.at.Errorf("include: want the name of a file or of a built-in suite (%s)", strings.Join(Builtin(), ", "))
	}
	for _, o := range overrides { // a misspelled key is an error even if no block is included
		if !slices.Contains(blockKeys(), o.key) && !slices.Contains(optionKeys(), o.key) {
			return nil, o.at.Errorf("unknown key %q%s", o.key, Suggestion(o.key, itemKeys()))
		}
	}
	known := slices.Contains(Builtin(), name)
	if s.builtin && !known {
		return nil, e.at.Errorf("include %s: a built-in suite includes no file", name)
	}
	if s.included == nil {
		s.included = new(int)
	}
	if *s.included++; *s.included > mostIncludes {
		return nil, e.at.Errorf("include %s: more than %d includes", name, mostIncludes)
	}
	next := &source{file: name, parent: s, depth: s.depth + 1, included: s.included}
	var data []byte
	var err error
	if known {
		next.file, next.builtin = name+".yaml", true
	} else if !filepath.IsAbs(name) {
		next.file = filepath.Join(filepath.Dir(s.file), name)
	}
	if next.includesItself() {
		return nil, e.at.Errorf("include %s: the files include each other in a circle: %s", name, next.chain())
	}
	if next.depth > mostNested {
		return nil, e.at.Errorf("include %s: more than %d files that include each other", name, mostNested)
	}
	if known {
		data, err = builtinFiles.ReadFile("suites/" + next.file)
	} else {
		data, err = readFile(next.file)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, e.at.Errorf("include %s: there is no file %s, and no built-in suite of that name (%s)",
			name, next.file, strings.Join(Builtin(), ", "))
	case err != nil:
		return nil, e.at.Errorf("include %s: %w", name, err)
	}
	blocks, err := next.blocks(data)
	if err != nil {
		return nil, err // the error names the place in the included file
	}
	for i := range blocks {
		for _, o := range overrides {
			if err := blocks[i].override(o); err != nil {
				return nil, err
			}
		}
		if len(overrides) == 0 {
			continue
		}
		if err := blocks[i].complete(); err != nil {
			return nil, e.at.Errorf("include %s with the keys beside it: %w", name, err)
		}
	}
	return blocks, nil
}

// includesItself reports whether the file is one of those that include it.
func (s *source) includesItself() bool {
	self := s.identity()
	for p := s.parent; p != nil; p = p.parent {
		if p.builtin == s.builtin && p.identity() == self {
			return true
		}
	}
	return false
}

// identity returns one name for a source. A built-in suite has its own.
func (s *source) identity() string {
	if s.builtin {
		return s.file
	}
	return fileIdentity(s.file)
}

// fileIdentity returns one name for a file, whatever path and links lead to it.
func fileIdentity(file string) string {
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved
	}
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	return file
}

// chain lists the files that lead to this one: "a.yaml -> b.yaml".
func (s *source) chain() string {
	if s.parent == nil {
		return s.file
	}
	return fmt.Sprintf("%s -> %s", s.parent.chain(), s.file)
}

// override sets one key of the block. It also replaces the key where a method has its own.
func (b *Block) override(e entry) error {
	if err := b.set(e); err != nil || slices.Contains(blockKeys(), e.key) {
		return err
	}
	o, err := decodeOption(e, itemKeys())
	if err != nil {
		return err
	}
	for j := range b.Methods { // else the method's own would count
		m := &b.Methods[j]
		m.Options = dropOverridden(m.Options, o)
	}
	return nil
}

// itemKeys returns every key that may stand in an item of a suite.
func itemKeys() []string {
	return slices.Concat([]string{includeKey}, blockKeys(), optionKeys())
}
