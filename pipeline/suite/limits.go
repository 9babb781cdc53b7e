package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a suite. They lie far above any that was run, and below what would take minutes or
// gigabytes to read.
const (
	mostBytes    = 256 << 10 // of a file
	mostSigns    = 100_000   // of YAML's signs in a file
	mostDepth    = 64        // of brackets in brackets
	mostColumns  = 1_000     // before a list or a mapping without brackets
	mostNested   = 32        // files that include each other
	mostIncludes = 5_000     // of a suite in all
	mostBlocks   = 2_000
	mostMethods  = 1_000 // of a block
	mostCells    = 100_000
)

// readFile reads a suite file. Anything but a regular file is refused before it is opened: a FIFO
// would wait for a writer, and a device may have no end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > mostBytes {
		return nil, fmt.Errorf("%s has %d bytes; want a suite of at most %d", path, max(info.Size(), int64(len(data))), mostBytes)
	}
	return data, nil
}

// parseYAML returns the documents of a YAML text. What the parser would take minutes, gigabytes or
// all of the stack for is refused before it is called.
func parseYAML(file string, data []byte) ([]*ast.DocumentNode, error) {
	// An editor may have put a byte order mark first: YAML 1.2, section 5.2.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	signs := 0
	for _, c := range data {
		if bytes.IndexByte([]byte(",-:?[]{}\n"), c) >= 0 {
			signs++
		}
	}
	if signs > mostSigns {
		return nil, fmt.Errorf("%s: %d signs and lines; want a suite of at most %d", file, signs, mostSigns)
	}
	tokens := lexer.Tokenize(string(data))
	if err := checkTokens(file, tokens); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, yamlError(file, err)
	}
	return tree.Docs, nil
}

// checkTokens refuses what no suite needs and what the parser calls itself for, level by level, and
// numbers that would be read as others than they look like: 010 as 8.
func checkTokens(file string, tokens token.Tokens) error {
	depth := 0               // of brackets
	line := 0                // of the last colon outside of brackets
	unended := []bool{false} // whether there was a colon in the item, by depth
	for _, t := range tokens {
		at := Position{file: file, line: t.Position.Line}
		is := func(kinds ...token.Type) bool { return slices.Contains(kinds, t.Type) }
		switch {
		case is(token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType):
			return at.Errorf("%s: anchors, aliases and tags are not read in a suite; write the value out", short(t.Value))
		case is(token.OctetIntegerType):
			if !strings.Contains(t.Value, "o") {
				return at.Errorf("%s: want a number without leading zeros, which would make it an octal one", short(t.Value))
			}
		case is(token.MappingKeyType):
			return at.Errorf("?: want key: value")
		case is(token.SequenceStartType, token.MappingStartType):
			if depth++; depth > mostDepth {
				return at.Errorf("more than %d brackets in each other", mostDepth)
			}
			unended = append(unended[:depth], false)
		case is(token.SequenceEndType, token.MappingEndType):
			if depth--; depth < 0 {
				return at.Errorf("%s without a bracket that it ends", t.Value)
			}
		case is(token.CollectEntryType):
			unended[depth] = false
		case is(token.SequenceEntryType):
			if depth > 0 {
				return at.Errorf("a list in brackets has commas, not dashes")
			}
			if t.Position.Column > mostColumns {
				return at.Errorf("more than %d columns before a list", mostColumns)
			}
		case is(token.MappingValueType):
			if depth > 0 && unended[depth] || depth == 0 && line == t.Position.Line {
				return at.Errorf("a second colon; want key: value")
			}
			if unended[depth] = depth > 0; depth == 0 {
				line = t.Position.Line
			}
			if depth == 0 && t.Position.Column > mostColumns {
				return at.Errorf("more than %d columns before a value", mostColumns)
			}
		}
	}
	return nil
}

// short returns a text as an error quotes it: the beginning of a long one.
func short(text string) string {
	const most = 120
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// cells returns the number of cells of the block, or more than mostCells where it is larger.
func (b *Block) cells() int {
	n := 1
	for _, count := range []int{len(b.Datasets), len(b.Methods), len(b.Sizes), len(b.Seeds)} {
		if n *= count; n > mostCells {
			return mostCells + 1
		}
	}
	return n
}

// checkLimits returns an error if the block has more methods or cells than a suite may have.
func (b *Block) checkLimits() error {
	if n := len(b.Methods); n > mostMethods {
		return b.place("methods").Errorf("%d methods; want at most %d", n, mostMethods)
	}
	if b.cells() > mostCells {
		return b.Position.Errorf("%d data sets x %d methods x %d sizes x %d seeds; want at most %d cells",
			len(b.Datasets), len(b.Methods), len(b.Sizes), len(b.Seeds), mostCells)
	}
	return nil
}

// checkCells returns an error if the blocks have more cells than a suite may have.
func checkCells(blocks []Block) error {
	n := 0
	for _, b := range blocks {
		if n += b.cells(); n > mostCells {
			return b.Position.Errorf("more than %d cells up to this block", mostCells)
		}
	}
	return nil
}
