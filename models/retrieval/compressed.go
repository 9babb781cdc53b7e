package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"bierbench/models/xla"
)

// The forms in which the numbers of a vector are kept. None needs calibration: a vector is
// compressed by its own numbers alone.
const (
	// Float32 keeps the numbers as they are: 4 bytes each.
	Float32 = "float32"
	// Int8 keeps each number as round(127 v / max|v|), halves to even, with max|v| over the vector
	// (symmetric, one scale a vector): a byte each, and 4 bytes for the scale max|v| / 127. The score of
	// two vectors is the integer dot product times the gallery vector's scale. The query's scale would
	// change no order and is left out.
	Int8 = "int8"
	// Bits keeps whether each number is above 0: a bit each. The score of two vectors is their
	// dimensions less twice the Hamming distance, so the nearest have the most bits in common.
	Bits = "bits"
)

// Forms returns every form, the largest first.
func Forms() []string { return []string{Float32, Int8, Bits} }

// A Compression says what is kept of a vector.
type Compression struct {
	Dimensions int    // the first ones
	Form       string // of Forms
	// Unit gives the kept dimensions unit length before they are stored, as their cosine asks for.
	// Without it the dot product of what is kept is the score.
	Unit bool
}

// Bytes returns the bytes of a vector in memory, without ids and without an index.
func (c Compression) Bytes() int {
	switch c.Form {
	case Int8:
		return c.Dimensions + 4
	case Bits:
		return (c.Dimensions + 7) / 8
	default:
		return 4 * c.Dimensions
	}
}

// check refuses what does not fit vectors of a width.
func (c Compression) check(width int) error {
	switch {
	case c.Dimensions < 1 || c.Dimensions > width:
		return fmt.Errorf("%d dimensions of %d; want at least 1 and no more than there are", c.Dimensions, width)
	case !slices.Contains(Forms(), c.Form):
		return fmt.Errorf("form %q is not one of %s", c.Form, strings.Join(Forms(), ", "))
	}
	return nil
}

// RetrieveCompressed is Retrieve on compressed vectors, queries and gallery alike. The search is
// exact: products of int8 and of bits are whole numbers without rounding, and equal scores are
// ordered and bounded as in Retrieve. It takes the memory of Retrieve and a copy of the vectors.
func RetrieveCompressed(ctx context.Context, b *xla.Backend, s Search, c Compression) (*Result, error) {
	order, err := s.checkedOrder()
	if err == nil {
		err = c.check(s.Width)
	}
	if err == nil && s.Distance {
		err = errors.New("the vectors are searched by Euclidean distance; want dot products")
	}
	if err != nil {
		return nil, fmt.Errorf("retrieve compressed: %w", err)
	}
	shared := len(s.Queries) == len(s.Gallery) && &s.Queries[0] == &s.Gallery[0]
	queries := c.pack(s.Queries, s.Width)
	gallery := queries
	if !shared {
		gallery = c.pack(s.Gallery, s.Width)
	}
	r, err := s.rankAll(order, func(visit visitScores) error {
		if gallery.scales != nil {
			visit = scaled(gallery.scales, order, visit)
		}
		if !exactInFloat32(queries, gallery) {
			return integerScores(ctx, queries, gallery, order, visit)
		}
		return scoreBlocks(ctx, b, false,
			vectorRows{len(s.QueryIDs), c.Dimensions, queries.row},
			vectorRows{len(order), c.Dimensions, func(i int) []float32 { return gallery.row(order[i]) }}, visit)
	})
	if err != nil {
		return nil, fmt.Errorf("retrieve compressed: %w", err)
	}
	return r, nil
}

// packed is compressed vectors, whose numbers are held as float32: those of int8 and of bits are
// whole.
type packed struct {
	values []float32 // row-major [n, width]
	width  int
	scales []float32 // of each row of int8, else nil
	whole  bool      // the numbers are
}

func (p packed) row(i int) []float32 { return p.values[i*p.width:][:p.width] }

// pack compresses vectors, row-major [n, width].
func (c Compression) pack(values []float32, width int) packed {
	n := len(values) / width
	p := packed{values: make([]float32, n*c.Dimensions), width: c.Dimensions, whole: c.Form != Float32}
	if c.Form == Int8 {
		p.scales = make([]float32, n)
	}
	for i := range n {
		row := p.row(i)
		copy(row, values[i*width:])
		if c.Unit {
			scaleToLength(row, 1, math.SmallestNonzeroFloat32) // a vector of zeros stays
		}
		switch c.Form {
		case Int8:
			p.scales[i] = toInt8(row)
		case Bits:
			for j, v := range row {
				row[j] = -1
				if v > 0 {
					row[j] = 1
				}
			}
		}
	}
	return p
}

// toInt8 rounds a vector to whole numbers of at most 127, in place, and returns its scale.
func toInt8(row []float32) float32 {
	const most = 127
	largest := 0.0
	for _, v := range row {
		largest = max(largest, math.Abs(float64(v)))
	}
	if largest == 0 {
		return 0
	}
	for i, v := range row {
		row[i] = float32(math.RoundToEven(most * float64(v) / largest))
	}
	return float32(largest / most)
}

// scaled returns a visit of scores that are multiplied by the scale of their gallery vector.
func scaled(scales []float32, order []int, visit visitScores) visitScores {
	rows := make([][]float32, scoreWorkers())
	return func(worker, q int, row []float32) {
		if rows[worker] == nil {
			rows[worker] = make([]float32, len(order))
		}
		for i, k := range order {
			rows[worker][i] = row[i] * scales[k]
		}
		visit(worker, q, rows[worker])
	}
}

// exactInFloat32 reports whether sums of products of whole numbers stay below 2^24 in any order, so
// that float32 holds each of them. No partial sum is larger than the product of the lengths.
func exactInFloat32(queries, gallery packed) bool {
	longest := func(p packed) float64 {
		most := 0.0
		for i := 0; i < len(p.values); i += p.width {
			square := 0.0
			for _, v := range p.values[i : i+p.width] {
				square += float64(v) * float64(v)
			}
			most = max(most, square)
		}
		return math.Sqrt(most)
	}
	return !queries.whole || longest(queries)*longest(gallery) < 1<<24
}

// integerScores computes the dot products of whole numbers in int32, where float32 might round.
// Their sums are below 127^2 times the largest width of an embedding, 65,536, and so fit.
func integerScores(ctx context.Context, queries, gallery packed, order []int, visit visitScores) error {
	integers := func(p packed) []int8 {
		out := make([]int8, len(p.values))
		for i, v := range p.values {
			out[i] = int8(v)
		}
		return out
	}
	q, g, width := integers(queries), integers(gallery), queries.width
	rows := make([][]float32, scoreWorkers())
	visitRows(len(q)/width, func(worker, i int) {
		if ctx.Err() != nil {
			return
		}
		if rows[worker] == nil {
			rows[worker] = make([]float32, len(order))
		}
		a := q[i*width:][:width]
		for at, k := range order {
			sum := int32(0)
			for j, v := range g[k*width:][:width] {
				sum += int32(a[j]) * int32(v)
			}
			rows[worker][at] = float32(sum)
		}
		visit(worker, i, rows[worker])
	})
	return ctx.Err()
}
