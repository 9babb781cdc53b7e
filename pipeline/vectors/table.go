package vectors

import (
	"fmt"
	"slices"
	"strings"
)

// A Table is an open file with columns of equal length.
type Table struct {
	Path   string
	Format string   // csv, tsv, txt, npy, arrow or parquet
	Names  []string // of the columns, in the file's order; a single "" where it has one without a name
	Rows   int
	SHA256 string // of the whole file, hex

	file  *file
	cells cells
}

// A Column is the cells of a column: one of the two is not nil.
type Column struct {
	Ints    []int64
	Strings []string
}

// Len returns the number of rows.
func (c Column) Len() int { return max(len(c.Ints), len(c.Strings)) }

// Text returns the cell of a row as it is printed.
func (c Column) Text(row int) string {
	if c.Ints != nil {
		return fmt.Sprint(c.Ints[row])
	}
	return c.Strings[row]
}

// cells is an open table of some format.
type cells interface {
	names() []string
	rows() int64
	column(i int) (Column, error)
}

// OpenTable opens a table and computes the digest of its file. Columns are read when they are asked
// for.
func OpenTable(path string) (*Table, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	t, err := newTable(f)
	if err != nil {
		f.close()
		return nil, fmt.Errorf("table: %w", err)
	}
	return t, nil
}

// newTable opens the table of an open file.
func newTable(f *file) (t *Table, err error) {
	format, err := formatOf(f)
	if err != nil {
		return nil, err
	}
	if format.table == nil {
		return nil, fmt.Errorf("%s: %s has no columns; want %s", f.path, format.name, tableFormats())
	}
	t = &Table{Path: f.path, Format: format.name, file: f}
	if err = f.guarded(func() (err error) { t.cells, err = format.table(f); return err }); err != nil {
		return nil, err
	}
	if t.cells.rows() < 1 {
		return nil, fmt.Errorf("%s: no rows", f.path)
	}
	if t.cells.rows() > f.mostValues() {
		return nil, fmt.Errorf("%s: %d rows in %d bytes: more than it can hold", f.path, t.cells.rows(), f.size)
	}
	t.Rows, t.Names = int(t.cells.rows()), t.cells.names()
	t.SHA256, err = f.digest()
	return t, err
}

// Has reports whether the table has a column of a name. A table of one column without a name has
// none.
func (t *Table) Has(name string) bool { return name != "" && slices.Contains(t.Names, name) }

// Column reads a column. The single column of a table without names has the name "". An unknown name
// is an error that lists the known ones; so is a name that two columns have.
func (t *Table) Column(name string) (Column, error) {
	i := slices.Index(t.Names, name)
	if i < 0 {
		return Column{}, fmt.Errorf("table: %s: no column %q; there is %s", t.Path, name, strings.Join(t.Names, ", "))
	}
	if err := calledOnce(t.file, name, t.Names); err != nil {
		return Column{}, fmt.Errorf("table: %w", err)
	}
	var c Column
	err := t.file.guarded(func() (err error) { c, err = t.cells.column(i); return err })
	if err != nil {
		return Column{}, fmt.Errorf("table: %w", err)
	}
	if c.Len() != t.Rows {
		return Column{}, fmt.Errorf("table: %s: column %s has %d rows, want %d", t.Path, name, c.Len(), t.Rows)
	}
	return c, nil
}

// Close closes the file.
func (t *Table) Close() error { return t.file.close() }
