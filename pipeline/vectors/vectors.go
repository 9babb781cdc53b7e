package vectors

import (
	"fmt"
	"math"
)

// A Matrix is an open file with a matrix [Rows, Width]. It holds no more than a batch of rows in
// memory. It is not safe for use by several goroutines.
type Matrix struct {
	Path        string
	Format      string // npy, safetensors, arrow, parquet, csv or tsv
	Rows, Width int    // at least 1
	SHA256      string // of the whole file, hex

	file    *file
	numbers numbers
}

// Options choose the matrix in a file.
type Options struct {
	// Name is a tensor of a safetensors file, or a column of an Arrow or Parquet file. It may be
	// empty where the file has only one that can be meant.
	Name string
}

// numbers is an open matrix of some format.
type numbers interface {
	shape() (rows, width int64)
	// read fills dst, [hi-lo, width], with the rows [lo, hi). Numbers need not be finite.
	read(lo, hi int, dst []float32) error
}

// Open opens a matrix and computes the digest of its file.
func Open(path string, o Options) (*Matrix, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	m, err := newMatrix(f, o)
	if err != nil {
		f.close()
		return nil, fmt.Errorf("vectors: %w", err)
	}
	return m, nil
}

// newMatrix opens the matrix of an open file.
func newMatrix(f *file, o Options) (m *Matrix, err error) {
	format, err := formatOf(f)
	if err != nil {
		return nil, err
	}
	if format.matrix == nil {
		return nil, fmt.Errorf("%s: %s has no matrix of numbers; want %s", f.path, format.name, matrixFormats())
	}
	m = &Matrix{Path: f.path, Format: format.name, file: f}
	if err = f.guarded(func() (err error) { m.numbers, err = format.matrix(f, o); return err }); err != nil {
		return nil, err
	}
	rows, width := m.numbers.shape()
	switch {
	case rows < 1:
		return nil, fmt.Errorf("%s: no rows", f.path)
	case width < 1:
		return nil, fmt.Errorf("%s: vectors of %d numbers, want at least 1", f.path, width)
	case rows > f.mostValues()/width:
		return nil, fmt.Errorf("%s: %d rows of %d numbers in %d bytes: more than it can hold", f.path, rows, width, f.size)
	}
	m.Rows, m.Width = int(rows), int(width)
	m.SHA256, err = f.digest()
	return m, err
}

// Read fills dst, [hi-lo, Width] row-major, with the rows [lo, hi). Reading in order is fastest. The
// error of a number that is not finite names its row.
func (m *Matrix) Read(lo, hi int, dst []float32) error {
	if lo < 0 || hi < lo || hi > m.Rows || len(dst) != (hi-lo)*m.Width {
		panic(fmt.Sprintf("vectors: rows [%d, %d) of %d into %d numbers, want %d", lo, hi, m.Rows, len(dst), (hi-lo)*m.Width))
	}
	if err := m.file.guarded(func() error { return m.numbers.read(lo, hi, dst) }); err != nil {
		return fmt.Errorf("vectors: %w", err)
	}
	for i, v := range dst {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("vectors: %s: row %d: number %d is %g, want a finite float32", m.Path, lo+i/m.Width, i%m.Width, v)
		}
	}
	return nil
}

// Close closes the file.
func (m *Matrix) Close() error { return m.file.close() }
