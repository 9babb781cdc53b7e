package vectors

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v15/arrow/float16"
)

// elements is a type of floating-point numbers in a file.
type elements struct {
	name string
	size int // bytes
	at   func(order binary.ByteOrder, p []byte) float32
}

// The element types. A float64 beyond the range of float32 becomes infinite.
func half() elements {
	return elements{"float16", 2, func(o binary.ByteOrder, p []byte) float32 { return float16.FromBits(o.Uint16(p)).Float32() }}
}

func brain() elements {
	return elements{"bfloat16", 2, func(o binary.ByteOrder, p []byte) float32 {
		return math.Float32frombits(uint32(o.Uint16(p)) << 16)
	}}
}

func single() elements {
	return elements{"float32", 4, func(o binary.ByteOrder, p []byte) float32 { return math.Float32frombits(o.Uint32(p)) }}
}

func double() elements {
	return elements{"float64", 8, func(o binary.ByteOrder, p []byte) float32 {
		return float32(math.Float64frombits(o.Uint64(p)))
	}}
}

// decode fills dst, every step-th number of it, from the bytes of as many elements.
func (e elements) decode(order binary.ByteOrder, p []byte, dst []float32, step int) {
	for i := 0; len(p) >= e.size; i += step {
		dst[i] = e.at(order, p)
		p = p[e.size:]
	}
}

// plain is a matrix of elements that lie in a file one after the other.
type plain struct {
	file       *file
	kind       elements
	order      binary.ByteOrder
	start, end int64 // offsets of the elements
	rows, dims int64
	fortran    bool // columns one after the other, in place of rows
	buffer     []byte
}

// plainBuffer is how many bytes are read at a time, at most.
const plainBuffer = 1 << 20

// check compares the shape with the bytes that there are.
func (p *plain) check() error {
	size := int64(p.kind.size)
	have := (p.end - p.start) / size
	fits := p.rows >= 0 && p.dims >= 0 && (p.dims == 0 || p.rows <= have/p.dims) && p.rows*p.dims*size == p.end-p.start
	if !fits {
		return p.file.errorAt(p.start, "%d bytes of %s, want %d x %d numbers of %d bytes", p.end-p.start, p.kind.name, p.rows, p.dims, size)
	}
	return nil
}

func (p *plain) shape() (rows, width int64) { return p.rows, p.dims }

func (p *plain) read(lo, hi int, dst []float32) error {
	if !p.fortran {
		return p.run(int64(lo)*p.dims, len(dst), dst, 1)
	}
	for j := range int(p.dims) {
		if err := p.run(int64(j)*p.rows+int64(lo), hi-lo, dst[min(j, len(dst)):], int(p.dims)); err != nil {
			return err
		}
	}
	return nil
}

// run reads n consecutive elements, from element first on, into every step-th number of dst.
func (p *plain) run(first int64, n int, dst []float32, step int) error {
	size := p.kind.size
	if p.buffer == nil {
		p.buffer = make([]byte, min(plainBuffer, p.end-p.start))
	}
	for done := 0; done < n; {
		part := min(n-done, len(p.buffer)/size)
		raw := p.buffer[:part*size]
		if err := p.file.readAt(raw, p.start+(first+int64(done))*int64(size)); err != nil {
			return err
		}
		p.kind.decode(p.order, raw, dst[done*step:], step)
		done += part
	}
	return nil
}
