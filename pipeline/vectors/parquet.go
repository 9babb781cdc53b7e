package vectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// The physical types that are read (Type in parquet.thrift).
const (
	parquetBoolean   = 0
	parquetInt32     = 1
	parquetInt64     = 2
	parquetFloat     = 4
	parquetDouble    = 5
	parquetByteArray = 6
	parquetFixed     = 7
)

// A parquetLeaf is a column of values. Levels are the largest that occur: of repetition, 1 in a list;
// of definition, the number of its ancestors and of itself that may be missing.
type parquetLeaf struct {
	path                   []string
	physical               int64
	length                 int64 // bytes of a fixed-size value
	converted, logical     int64 // the type that it stands for, -1 where none is stated
	repetition, definition int
}

// A parquetChunk is the pages of a leaf in a group of rows.
type parquetChunk struct {
	codec       int64
	offset, end int64 // bytes of the file
	values      int64 // with those that are missing
}

// A parquetGroup is some rows.
type parquetGroup struct {
	first, rows int64
	chunks      []parquetChunk // one for each leaf
}

// parquetFile is an open Parquet file (https://github.com/apache/parquet-format).
type parquetFile struct {
	file    *file
	columns []string // at the top of the tree
	leaves  []parquetLeaf
	groups  []parquetGroup
	rows    int64
}

// parquetMaxFooter is the largest footer that is read, bytes.
const parquetMaxFooter = 64 << 20

// openParquetFile reads the footer of a file: a FileMetaData, its length as uint32, and PAR1.
func openParquetFile(f *file) (*parquetFile, error) {
	const tail, head = 8, 4
	var end [tail]byte
	if err := f.readAt(end[:], f.size-tail); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != "PAR1" || n > min(parquetMaxFooter, f.size-tail-head) {
		return nil, f.errorAt(f.size-tail, "ends in %q, want a footer and PAR1", end)
	}
	footer := make([]byte, n)
	if err := f.readAt(footer, f.size-tail-n); err != nil {
		return nil, err
	}
	p := &parquetFile{file: f}
	if err := p.footer(footer); err != nil {
		return nil, f.errorAt(f.size-tail-n, "footer: %w", err)
	}
	return p, nil
}

// A schemaElement is a node of the tree of columns, which is stored from its root on, children behind
// their parents.
type schemaElement struct {
	parquetLeaf
	name       string
	repetition int64 // 0 required, 1 optional, 2 repeated
	children   int64
}

// footer decodes a FileMetaData.
func (p *parquetFile) footer(raw []byte) error {
	t := &thriftReader{rest: raw}
	var elements []schemaElement
	t.structure(func(id int16, kind byte) {
		switch {
		case id == 2 && kind == thriftList:
			t.list(func(byte) { elements = append(elements, readSchemaElement(t)) })
		case id == 3 && kind == thriftI64:
			p.rows = t.integer()
		case id == 4 && kind == thriftList:
			t.list(func(byte) { p.groups = append(p.groups, readParquetGroup(t)) })
		default:
			t.skip(kind, true)
		}
	})
	if t.err != nil {
		return t.err
	}
	if err := p.tree(elements); err != nil {
		return err
	}
	total := int64(0)
	for i := range p.groups {
		g := &p.groups[i]
		g.first = total
		if g.rows < 0 || g.rows > p.file.mostValues()-total {
			return fmt.Errorf("row group %d has %d rows: more than the file can hold", i, g.rows)
		}
		total += g.rows
		if len(g.chunks) != len(p.leaves) {
			return fmt.Errorf("row group %d has %d columns, want %d", i, len(g.chunks), len(p.leaves))
		}
		for _, c := range g.chunks {
			if c.offset < 4 || c.end < c.offset || c.end > p.file.size || c.values < 0 || c.values > p.file.mostValues() {
				return fmt.Errorf("row group %d: a column of %d values in bytes [%d, %d) of %d", i, c.values, c.offset, c.end, p.file.size)
			}
		}
	}
	if total != p.rows {
		return fmt.Errorf("%d rows, its row groups have %d", p.rows, total)
	}
	return nil
}

// readSchemaElement decodes a SchemaElement.
func readSchemaElement(t *thriftReader) schemaElement {
	e := schemaElement{parquetLeaf: parquetLeaf{physical: -1, converted: -1, logical: -1}}
	t.structure(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftI32:
			e.physical = t.integer()
		case id == 2 && kind == thriftI32:
			e.length = t.integer()
		case id == 3 && kind == thriftI32:
			e.repetition = t.integer()
		case id == 4 && kind == thriftBinary:
			e.name = t.text()
		case id == 5 && kind == thriftI32:
			e.children = t.integer()
		case id == 6 && kind == thriftI32:
			e.converted = t.integer()
		case id == 10 && kind == thriftStruct: // a union: the field that is set is the type
			t.structure(func(id int16, kind byte) {
				e.logical = int64(id)
				t.skip(kind, true)
			})
		default:
			t.skip(kind, true)
		}
	})
	return e
}

// readParquetGroup decodes a RowGroup.
func readParquetGroup(t *thriftReader) (g parquetGroup) {
	t.structure(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftList:
			t.list(func(byte) { g.chunks = append(g.chunks, readParquetChunk(t)) })
		case id == 3 && kind == thriftI64:
			g.rows = t.integer()
		default:
			t.skip(kind, true)
		}
	})
	return g
}

// readParquetChunk decodes a ColumnChunk and the ColumnMetaData in it.
func readParquetChunk(t *thriftReader) (c parquetChunk) {
	var size, data, dictionary int64
	t.structure(func(id int16, kind byte) {
		if id != 3 || kind != thriftStruct {
			t.skip(kind, true)
			return
		}
		t.structure(func(id int16, kind byte) {
			switch {
			case id == 4 && kind == thriftI32:
				c.codec = t.integer()
			case id == 5 && kind == thriftI64:
				c.values = t.integer()
			case id == 7 && kind == thriftI64:
				size = t.integer()
			case id == 9 && kind == thriftI64:
				data = t.integer()
			case id == 11 && kind == thriftI64:
				dictionary = t.integer()
			default:
				t.skip(kind, true)
			}
		})
	})
	c.offset = data
	if dictionary > 0 && dictionary < data {
		c.offset = dictionary
	}
	c.end = c.offset + size
	return c
}

// tree finds the leaves of the tree of columns.
func (p *parquetFile) tree(elements []schemaElement) error {
	if len(elements) == 0 {
		return errors.New("no schema")
	}
	at := 1
	var walk func(children int64, path []string, repetition, definition int) error
	walk = func(children int64, path []string, repetition, definition int) error {
		if len(path) > thriftDepth {
			return fmt.Errorf("columns nested more than %d deep", thriftDepth)
		}
		for ; children > 0; children-- {
			if at >= len(elements) {
				return errors.New("the schema ends too early")
			}
			e := elements[at]
			at++
			if len(path) == 0 {
				p.columns = append(p.columns, e.name)
			}
			r, d := repetition, definition
			switch e.repetition {
			case 1:
				d++
			case 2:
				r, d = r+1, d+1
			}
			below := append(slices.Clone(path), e.name)
			if e.children > 0 {
				if err := walk(e.children, below, r, d); err != nil {
					return err
				}
				continue
			}
			leaf := e.parquetLeaf
			leaf.path, leaf.repetition, leaf.definition = below, r, d
			p.leaves = append(p.leaves, leaf)
		}
		return nil
	}
	return walk(elements[0].children, nil, 0, 0)
}

// floats returns the type of the elements of a leaf, false where it holds no floats.
func (l parquetLeaf) floats() (elements, bool) {
	const float16 = 15 // of LogicalType
	switch {
	case l.physical == parquetFloat:
		return single(), true
	case l.physical == parquetDouble:
		return double(), true
	case l.physical == parquetFixed && l.length == 2 && l.logical == float16:
		return half(), true
	}
	return elements{}, false
}

// parquetNumbers is a column of lists of floats.
type parquetNumbers struct {
	*parquetFile
	leaf  int
	width int
	pages *parquetPages // of the row group that is read; nil where none is
	page  parquetPage   // what is left of its page
	next  int64         // the row that comes next
}

// openParquet opens a column of lists as a matrix.
func openParquet(f *file, o Options) (numbers, error) {
	p, err := openParquetFile(f)
	if err != nil {
		return nil, err
	}
	var names []string
	leaves := map[string]int{}
	for i, l := range p.leaves {
		if _, ok := l.floats(); ok && l.repetition == 1 && len(l.path) <= 3 {
			names, leaves[l.path[0]] = append(names, l.path[0]), i
		}
	}
	name, err := chosenColumn(f, o.Name, names, p.columns)
	if err != nil {
		return nil, err
	}
	n := &parquetNumbers{parquetFile: p, leaf: leaves[name]}
	if p.rows == 0 {
		return n, nil
	}
	return n, n.measure()
}

func (n *parquetNumbers) shape() (rows, width int64) { return n.rows, int64(n.width) }

// measure takes the width from the first row.
func (n *parquetNumbers) measure() error {
	n.seek(0)
	for {
		if err := n.fill(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		k := 0
		for ; k < len(n.page.repetitions) && (n.width+k == 0 || n.page.repetitions[k] != 0); k++ {
			if int(n.page.definitions[k]) != n.leaves[n.leaf].definition {
				return n.file.errorf("row 0: null, or a list without numbers")
			}
		}
		n.width += k
		if k < len(n.page.repetitions) {
			break
		}
		n.page = parquetPage{}
	}
	n.pages = nil
	return nil
}

// seek goes to the row group of a row.
func (n *parquetNumbers) seek(row int64) {
	g := sort.Search(len(n.groups), func(i int) bool { return n.groups[i].first+n.groups[i].rows > row })
	n.page, n.next = parquetPage{}, n.groups[g].first
	n.pages = newParquetPages(n.file, n.leaves[n.leaf], n.groups[g].chunks[n.leaf])
}

// fill reads a page where nothing is left of the one before; io.EOF says that the row group ends.
func (n *parquetNumbers) fill() (err error) {
	for len(n.page.repetitions) == 0 && err == nil {
		n.page, err = n.pages.next()
	}
	return err
}

func (n *parquetNumbers) read(lo, hi int, dst []float32) error {
	for row := int64(lo); row < int64(hi); row++ {
		g := sort.Search(len(n.groups), func(i int) bool { return n.groups[i].first+n.groups[i].rows > row })
		if n.pages == nil || n.next > row || n.next <= n.groups[g].first {
			n.seek(row)
		}
		for ; n.next <= row; n.next++ {
			var into []float32
			if n.next == row {
				into = dst[(row-int64(lo))*int64(n.width):][:n.width]
			}
			if err := n.row(into); err != nil {
				n.pages = nil
				return err
			}
		}
	}
	return nil
}

// row reads the next row, into dst where it is not nil.
func (n *parquetNumbers) row(dst []float32) error {
	for k := range n.width {
		err := n.fill()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err != nil || (n.page.repetitions[0] == 0) != (k == 0):
			return n.file.errorf("row %d: %d numbers, want %d as in the rows before", n.next, k, n.width)
		case int(n.page.definitions[0]) != n.leaves[n.leaf].definition:
			return n.file.errorf("row %d: null, or a list without numbers", n.next)
		}
		if dst != nil {
			dst[k] = n.page.floats[0]
		}
		n.page.repetitions, n.page.definitions, n.page.floats = n.page.repetitions[1:], n.page.definitions[1:], n.page.floats[1:]
	}
	switch err := n.fill(); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return err
	case n.page.repetitions[0] != 0:
		return n.file.errorf("row %d: more than %d numbers, want as many as in the rows before", n.next, n.width)
	}
	return nil
}

// parquetCells is the columns of a Parquet file that are no lists.
type parquetCells struct {
	*parquetFile
	flat []int // leaves
}

// openParquetTable opens a Parquet file as a table.
func openParquetTable(f *file) (cells, error) {
	p, err := openParquetFile(f)
	if err != nil {
		return nil, err
	}
	c := &parquetCells{parquetFile: p}
	for i, l := range p.leaves {
		if len(l.path) == 1 && l.repetition == 0 {
			c.flat = append(c.flat, i)
		}
	}
	return c, nil
}

func (c *parquetCells) names() []string {
	var names []string
	for _, i := range c.flat {
		names = append(names, c.leaves[i].path[0])
	}
	return names
}

func (c *parquetCells) rows() int64 { return c.parquetFile.rows }

func (c *parquetCells) column(i int) (Column, error) {
	leaf := c.leaves[c.flat[i]]
	if err := calledOnce(c.file, leaf.path[0], c.columns); err != nil { // the other may be one of lists
		return Column{}, err
	}
	if what := leaf.cellType(); what != "" {
		return Column{}, c.file.errorf("column %s: %s, want whole numbers or strings", leaf.path[0], what)
	}
	var out Column
	known := map[string]string{}
	for _, g := range c.groups {
		pages := newParquetPages(c.file, leaf, g.chunks[c.flat[i]])
		rows := int64(0)
		for {
			page, err := pages.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return Column{}, err
			}
			if missing := slices.IndexFunc(page.definitions, func(d byte) bool { return int(d) != leaf.definition }); missing >= 0 {
				return Column{}, c.file.errorf("column %s: row %d: null", leaf.path[0], g.first+rows+int64(missing))
			}
			out.Ints = append(out.Ints, page.ints...)
			for _, s := range page.strings {
				kept, ok := known[s]
				if !ok {
					kept = strings.Clone(s)
					known[kept] = kept
				}
				out.Strings = append(out.Strings, kept)
			}
			rows += int64(len(page.ints) + len(page.strings))
		}
		if rows != g.rows {
			return Column{}, c.file.errorf("column %s: %d rows from row %d on, want %d", leaf.path[0], rows, g.first, g.rows)
		}
	}
	return out, nil
}

// cellType says what a leaf holds where that is neither whole numbers nor strings.
func (l parquetLeaf) cellType() string {
	// ConvertedType: 0 UTF8, 4 ENUM, 11 to 14 unsigned, 15 to 18 signed; LogicalType: 1 STRING, 4 ENUM,
	// 10 INTEGER.
	whole := l.logical == 10 || l.logical < 0 && (l.converted < 0 || l.converted >= 11 && l.converted <= 18)
	text := l.logical == 1 || l.logical == 4 || l.logical < 0 && (l.converted == 0 || l.converted == 4)
	switch {
	case l.physical == parquetBoolean, (l.physical == parquetInt32 || l.physical == parquetInt64) && whole, l.physical == parquetByteArray && text:
		return ""
	case l.physical == parquetFloat || l.physical == parquetDouble:
		return "floats"
	case l.physical == parquetByteArray:
		return "bytes"
	}
	return "values of another type"
}

// unsigned reports whether whole numbers have no sign.
func (l parquetLeaf) unsigned() bool { return l.converted >= 11 && l.converted <= 14 }
