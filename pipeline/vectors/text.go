package vectors

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// markEvery is the number of rows between two places from which a text can be read.
const markEvery = 1 << 12

// A textMark is a place in a text: the offset at which a row begins, and the number of lines before.
type textMark struct {
	offset int64
	lines  int
}

// records reads the lines of a CSV file.
type records struct {
	file *file
	*csv.Reader
	from  int64 // offset at which reading began
	lines int   // before it
}

// openRecords reads records from a place on.
func openRecords(f *file, comma rune, at textMark) *records {
	r := csv.NewReader(bufio.NewReaderSize(f.section(at.offset), 1<<16))
	r.Comma, r.ReuseRecord = comma, true
	return &records{f, r, at.offset, at.lines}
}

// next returns the next record, io.EOF at the end. The error of a bad one names its line.
func (r *records) next() ([]string, error) {
	record, err := r.Read()
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		err = fmt.Errorf("%s:%d: %w", r.file.path, r.lines+bad.Line, bad.Err)
		if errors.Is(bad.Err, csv.ErrFieldCount) {
			err = fmt.Errorf("%s:%d: %d cells, want %d as in the lines before", r.file.path, r.lines+bad.Line, len(record), r.FieldsPerRecord)
		}
	}
	return record, err
}

// line returns the line of the record that was read last.
func (r *records) line() int {
	line, _ := r.FieldPos(0)
	return r.lines + line
}

// mark returns the place behind the record that was read last.
func (r *records) mark() textMark { return textMark{r.from + r.InputOffset(), r.line()} }

// openText returns the records of a file from its beginning, behind a byte order mark.
func openText(f *file, comma rune) (*records, error) {
	start := textMark{}
	if strings.HasPrefix(string(f.head), "\ufeff") {
		start.offset = int64(len("\ufeff"))
	}
	if slices.Contains(f.head, 0) {
		return nil, f.errorAt(int64(slices.Index(f.head, 0)), "a zero byte, want text in UTF-8")
	}
	return openRecords(f, comma, start), nil
}

// csvNumbers is a matrix as text, a row a line.
type csvNumbers struct {
	file  *file
	comma rune
	count int64
	width int
	marks []textMark // of every markEvery-th row
	open  *records   // reads row next; nil where none does
	next  int
}

// openCSV opens a matrix in a text.
func openCSV(comma rune) func(*file, Options) (numbers, error) {
	return func(f *file, _ Options) (numbers, error) {
		r, err := openText(f, comma)
		if err != nil {
			return nil, err
		}
		c := &csvNumbers{file: f, comma: comma}
		before := textMark{offset: r.from}
		for first := true; ; first = false {
			record, err := r.next()
			if errors.Is(err, io.EOF) {
				return c, nil
			}
			if err != nil {
				return nil, err
			}
			if c.width = len(record); first && !slices.ContainsFunc(record, isNumber) {
				if bad := slices.IndexFunc(record, noDimension); bad >= 0 {
					return nil, fmt.Errorf("%s:%d: column %d is called %q, want dimensions alone", f.path, r.line(), bad+1, record[bad])
				}
				before = r.mark()
				continue
			}
			if c.count%markEvery == 0 {
				c.marks = append(c.marks, before)
			}
			c.count++
			if c.count%markEvery == 0 {
				before = r.mark()
			}
		}
	}
}

// noDimension reports whether a column with this name is none of a vector's: what says which row it
// is, or the index that pandas writes, which has no name.
func noDimension(name string) bool {
	return slices.Contains([]string{"", "id", "label", "class", "split", "path"}, strings.ToLower(strings.TrimSpace(name)))
}

// isNumber reports whether a cell is a number.
func isNumber(cell string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(cell), 32)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func (c *csvNumbers) shape() (rows, width int64) { return c.count, int64(c.width) }

func (c *csvNumbers) read(lo, hi int, dst []float32) error {
	if c.open == nil || c.next > lo || lo-c.next > markEvery {
		mark := lo / markEvery
		if mark >= len(c.marks) {
			return nil // no row is asked for
		}
		c.open, c.next = openRecords(c.file, c.comma, c.marks[mark]), mark*markEvery
		c.open.FieldsPerRecord = c.width
	}
	for ; c.next < hi; c.next++ {
		record, err := c.open.next()
		if err != nil {
			c.open = nil
			return err
		}
		if c.next < lo {
			continue
		}
		row := dst[(c.next-lo)*c.width:][:c.width]
		for j, cell := range record {
			v, err := strconv.ParseFloat(strings.TrimSpace(cell), 32)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				err = fmt.Errorf("%s:%d: column %d is %.40q, want a number", c.file.path, c.open.line(), j+1, cell)
				c.open = nil
				return err
			}
			row[j] = float32(v)
		}
	}
	return nil
}

// csvCells is a table as text.
type csvCells struct {
	file   *file
	comma  rune
	header []string
	first  textMark // behind the header
	count  int64
}

// openCSVTable opens a table in a text whose first line names the columns.
func openCSVTable(comma rune) func(*file) (cells, error) {
	return func(f *file) (cells, error) {
		r, err := openText(f, comma)
		if err != nil {
			return nil, err
		}
		header, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil, f.errorf("no header")
		}
		if err != nil {
			return nil, err
		}
		c := &csvCells{file: f, comma: comma, first: r.mark()}
		for i, name := range header {
			name = strings.TrimSpace(name)
			if slices.Contains(c.header, name) {
				return nil, fmt.Errorf("%s:%d: two columns are called %q", f.path, r.line(), name)
			}
			if name == "" && i > 0 {
				return nil, fmt.Errorf("%s:%d: column %d has no name", f.path, r.line(), i+1)
			}
			c.header = append(c.header, strings.Clone(name))
		}
		for {
			_, err := r.next()
			if errors.Is(err, io.EOF) {
				return c, nil
			}
			if err != nil {
				return nil, err
			}
			c.count++
		}
	}
}

func (c *csvCells) names() []string { return c.header }

func (c *csvCells) rows() int64 { return c.count }

func (c *csvCells) column(i int) (Column, error) {
	r := openRecords(c.file, c.comma, c.first)
	r.FieldsPerRecord = len(c.header)
	b := columnBuilder{}
	for {
		record, err := r.next()
		if errors.Is(err, io.EOF) {
			return b.column(), nil
		}
		if err != nil {
			return Column{}, err
		}
		b.add(strings.TrimSpace(record[i]))
	}
}

// columnBuilder collects the cells of a column of text. They are int64 as long as all are.
type columnBuilder struct {
	ints    []int64
	strings []string
	text    bool
	known   map[string]string // equal cells share their bytes
}

// add appends a cell.
func (b *columnBuilder) add(cell string) {
	if !b.text {
		v, ok := canonicalInt(cell)
		if ok {
			b.ints = append(b.ints, v)
			return
		}
		b.text, b.known = true, map[string]string{}
		for _, v := range b.ints {
			b.strings = append(b.strings, strconv.FormatInt(v, 10))
		}
		b.ints = nil
	}
	kept, ok := b.known[cell]
	if !ok {
		kept = strings.Clone(cell)
		b.known[kept] = kept
	}
	b.strings = append(b.strings, kept)
}

func (b *columnBuilder) column() Column { return Column{Ints: b.ints, Strings: b.strings} }

// canonicalInt returns the whole number of a cell that is written as it is printed.
func canonicalInt(cell string) (int64, bool) {
	v, err := strconv.ParseInt(cell, 10, 64)
	if err != nil || len(cell) > 1 && (cell[0] == '0' || cell[0] == '+' || cell[0] == '-' && cell[1] == '0') {
		return 0, false
	}
	return v, true
}

// lineCells is a text with a value a line.
type lineCells struct{ values Column }

// openLines opens a text with a value a line. Empty lines at the end are passed over.
func openLines(f *file) (cells, error) {
	if slices.Contains(f.head, 0) {
		return nil, f.errorAt(int64(slices.Index(f.head, 0)), "a zero byte, want text in UTF-8")
	}
	s := bufio.NewScanner(f.section(0))
	s.Buffer(nil, int(min(f.size+1, 1<<20)))
	b := columnBuilder{}
	empty := 0 // the first of the empty lines before
	line := 1
	for ; s.Scan(); line++ {
		cell := strings.TrimSpace(s.Text())
		if line == 1 {
			cell = strings.TrimPrefix(cell, "\ufeff")
		}
		if cell == "" {
			if empty == 0 {
				empty = line
			}
			continue
		}
		if empty != 0 {
			return nil, fmt.Errorf("%s:%d: the line is empty, want a value", f.path, empty)
		}
		b.add(cell)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", f.path, line, err)
	}
	return &lineCells{b.column()}, nil
}

func (c *lineCells) names() []string { return []string{""} }

func (c *lineCells) rows() int64 { return int64(c.values.Len()) }

func (c *lineCells) column(int) (Column, error) { return c.values, nil }
