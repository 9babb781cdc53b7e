package matfile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The types of data elements.
const (
	typeInt8       = 1
	typeUint8      = 2
	typeInt16      = 3
	typeUint16     = 4
	typeInt32      = 5
	typeUint32     = 6
	typeSingle     = 7
	typeDouble     = 9
	typeInt64      = 12
	typeUint64     = 13
	typeMatrix     = 14
	typeCompressed = 15
	typeUTF8       = 16
	typeUTF16      = 17
)

const (
	tagBytes       = 8
	maxDepth       = 16
	maxDims        = 32
	maxElements    = 1 << 28
	flagComplex    = 0x0800
	deflateMaximum = 1032 // the most bytes that deflate packs into one
)

// decoder reads elements from data, which is a file or the unpacked content of one compressed
// element of it.
type decoder struct {
	file   string
	data   []byte
	packed bool   // data was unpacked
	base   int64  // of unpacked data: offset of the compressed element in the file
	budget int    // bytes that may still be unpacked
	empty  *Array // the array that an element without content stands for
}

// element is the tag of a data element and where its content lies in data.
type element struct {
	kind       uint32
	start, end int
	next       int // position of the following element
}

// errorf returns an Error about a byte of data.
func (d *decoder) errorf(pos int, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if d.packed {
		return &Error{File: d.file, Offset: d.base, Msg: fmt.Sprintf("at byte %d of the unpacked element: %s", pos, msg)}
	}
	return &Error{File: d.file, Offset: int64(pos), Msg: msg}
}

// element reads the tag at pos of a region of data that ends at end. Small
// elements hold up to four bytes in the tag itself.
func (d *decoder) element(pos, end int) (element, error) {
	if end-pos < tagBytes {
		return element{}, d.errorf(pos, "element cut: want a tag of %d bytes, got %d", tagBytes, end-pos)
	}
	word := binary.LittleEndian.Uint32(d.data[pos:])
	if size := word >> 16; size != 0 {
		if size > 4 {
			return element{}, d.errorf(pos, "small element, want at most 4 bytes, got %d", size)
		}
		return element{kind: word & 0xffff, start: pos + 4, end: pos + 4 + int(size), next: pos + tagBytes}, nil
	}
	size := int64(binary.LittleEndian.Uint32(d.data[pos+4:]))
	start := pos + tagBytes
	if size > int64(end-start) {
		return element{}, d.errorf(pos, "element of %d bytes, but %d are left", size, end-start)
	}
	e := element{kind: word, start: start, end: start + int(size)}
	e.next = e.end
	if word != typeCompressed { // padded to 8 bytes
		e.next = min(end, e.end+(8-int(size)%8)%8)
	}
	return e, nil
}

// variable reads the top-level element at pos and returns the position of the next.
func (d *decoder) variable(pos int) (*Array, int, error) {
	e, err := d.element(pos, len(d.data))
	if err != nil {
		return nil, 0, err
	}
	switch e.kind {
	case typeMatrix:
		a, err := d.matrix(e, 0)
		return a, e.next, err
	case typeCompressed:
		inner, err := d.unpack(pos, d.data[e.start:e.end])
		if err != nil {
			return nil, 0, err
		}
		a, err := inner.matrix(element{kind: typeMatrix, start: tagBytes, end: len(inner.data)}, 0)
		return a, e.next, err
	}
	return nil, 0, d.errorf(pos, "element of type %d, want a matrix or a compressed one", e.kind)
}

// unpack inflates a compressed element, which holds one matrix. It reads as
// many bytes as the matrix declares and no more.
func (d *decoder) unpack(pos int, packed []byte) (*decoder, error) {
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, d.errorf(pos, "compressed element: %v", err)
	}
	defer r.Close()
	var tag [tagBytes]byte
	if _, err := io.ReadFull(r, tag[:]); err != nil {
		return nil, d.errorf(pos, "compressed element cut: %v", noEOF(err))
	}
	if kind := binary.LittleEndian.Uint32(tag[:]); kind != typeMatrix {
		return nil, d.errorf(pos, "compressed element of type %d, want a matrix", kind)
	}
	size := int64(binary.LittleEndian.Uint32(tag[4:]))
	switch {
	case size > int64(len(packed))*deflateMaximum:
		return nil, d.errorf(pos, "compressed element says it holds %d bytes, more than its %d can", size, len(packed))
	case size > int64(d.budget):
		return nil, d.errorf(pos, "compressed element of %d bytes, want at most %d in a file", size, MaxBytes)
	}
	d.budget -= int(size)
	data := append(make([]byte, 0, tagBytes+size), tag[:]...)[:tagBytes+size]
	if n, err := io.ReadFull(r, data[tagBytes:]); err != nil {
		return nil, d.errorf(pos, "compressed element, want %d bytes, got %d: %v", size, n, noEOF(err))
	}
	if n, err := io.CopyN(io.Discard, r, 1); n != 0 {
		return nil, d.errorf(pos, "compressed element goes on after the %d bytes that it declares", size)
	} else if !errors.Is(err, io.EOF) { // a wrong checksum
		return nil, d.errorf(pos, "compressed element: %v", err)
	}
	return &decoder{file: d.file, data: data, packed: true, base: int64(pos), empty: d.empty}, nil
}

// noEOF returns io.ErrUnexpectedEOF for io.EOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// matrix reads the content of a matrix element: flags, dimensions, name, data.
func (d *decoder) matrix(m element, depth int) (*Array, error) {
	if m.start == m.end {
		return d.empty, nil
	}
	if depth > maxDepth {
		return nil, d.errorf(m.start, "arrays nested deeper than %d", maxDepth)
	}
	flags, err := d.element(m.start, m.end)
	if err != nil {
		return nil, err
	}
	if flags.kind != typeUint32 || flags.end-flags.start != 8 {
		return nil, d.errorf(m.start, "array flags, want 8 bytes of type %d, got %d of type %d", typeUint32, flags.end-flags.start, flags.kind)
	}
	word := binary.LittleEndian.Uint32(d.data[flags.start:])
	a := &Array{Class: Class(word)} // the lowest byte
	if a.Class > Uint64 {           // function handles and opaque objects have another layout
		a.Dims = []int{0, 0}
		return a, nil
	}
	pos, err := d.dims(a, flags.next, m.end)
	if err != nil {
		return nil, err
	}
	name, err := d.element(pos, m.end)
	if err != nil {
		return nil, err
	}
	if name.kind != typeInt8 && name.kind != typeUTF8 {
		return nil, d.errorf(pos, "array name, want type %d, got %d", typeInt8, name.kind)
	}
	a.Name = string(d.data[name.start:name.end])
	switch {
	case a.Class == Cell:
		pos, err = d.elements(a, a.Len(), name.next, m.end, depth)
	case a.Class == Struct:
		pos, err = d.fields(a, name.next, m.end, depth)
	case a.Class == Char:
		pos, err = d.text(a, name.next, m.end)
	case a.Class.Numeric():
		if word&flagComplex != 0 {
			return nil, d.errorf(m.start, "array %q holds complex numbers, want real ones", a.Name)
		}
		pos, err = d.numbers(a, name.next, m.end)
	default: // objects and sparse arrays: not read
		pos = m.end
	}
	if err != nil {
		return nil, err
	}
	if pos != m.end {
		return nil, d.errorf(pos, "%d bytes left over in a %s", m.end-pos, a.describe())
	}
	return a, nil
}

// dims reads the dimensions at pos.
func (d *decoder) dims(a *Array, pos, end int) (int, error) {
	e, err := d.element(pos, end)
	if err != nil {
		return 0, err
	}
	n := (e.end - e.start) / 4
	if e.kind != typeInt32 || n < 2 || n > maxDims || (e.end-e.start)%4 != 0 {
		return 0, d.errorf(pos, "dimensions, want 2 to %d numbers of type %d, got %d bytes of type %d", maxDims, typeInt32, e.end-e.start, e.kind)
	}
	a.Dims = make([]int, n)
	total := 1
	for i := range a.Dims {
		v := int(int32(binary.LittleEndian.Uint32(d.data[e.start+4*i:])))
		if v < 0 || total > 0 && v > maxElements/total {
			return 0, d.errorf(pos, "dimension %d, want 0 to %d elements in all, got %d", i+1, maxElements, v)
		}
		a.Dims[i] = v
		total *= v
	}
	return e.next, nil
}

// elements reads n matrices, the content of a cell or a struct array.
func (d *decoder) elements(a *Array, n, pos, end, depth int) (int, error) {
	if n > (end-pos)/tagBytes {
		return 0, d.errorf(pos, "%s of %d arrays, but %d bytes are left", a.describe(), n, end-pos)
	}
	a.Elements = make([]*Array, n)
	for i := range a.Elements {
		e, err := d.element(pos, end)
		if err != nil {
			return 0, err
		}
		if e.kind != typeMatrix {
			return 0, d.errorf(pos, "element of type %d in a %s, want a matrix", e.kind, a.describe())
		}
		if a.Elements[i], err = d.matrix(e, depth+1); err != nil {
			return 0, err
		}
		pos = e.next
	}
	return pos, nil
}

// fields reads the field names of a struct array and then its elements.
func (d *decoder) fields(a *Array, pos, end, depth int) (int, error) {
	e, err := d.element(pos, end)
	if err != nil {
		return 0, err
	}
	if e.kind != typeInt32 || e.end-e.start != 4 {
		return 0, d.errorf(pos, "length of field names, want one number of type %d, got %d bytes of type %d", typeInt32, e.end-e.start, e.kind)
	}
	width := int(int32(binary.LittleEndian.Uint32(d.data[e.start:])))
	names, err := d.element(e.next, end)
	if err != nil {
		return 0, err
	}
	size := names.end - names.start
	if names.kind != typeInt8 || width <= 0 || size%width != 0 {
		return 0, d.errorf(e.next, "field names, want names of %d bytes of type %d, got %d bytes of type %d", width, typeInt8, size, names.kind)
	}
	for at := names.start; at < names.end; at += width {
		name, _, _ := strings.Cut(string(d.data[at:at+width]), "\x00")
		if name == "" || slices.Contains(a.Fields, name) {
			return 0, d.errorf(at, "field name %q is empty or a duplicate", name)
		}
		a.Fields = append(a.Fields, name)
	}
	if len(a.Fields) > 0 && a.Len() > (end-names.next)/tagBytes/len(a.Fields) {
		return 0, d.errorf(names.next, "%s with %d fields, but %d bytes are left", a.describe(), len(a.Fields), end-names.next)
	}
	return d.elements(a, a.Len()*len(a.Fields), names.next, end, depth)
}

// text reads the content of a char array.
func (d *decoder) text(a *Array, pos, end int) (int, error) {
	e, err := d.element(pos, end)
	if err != nil {
		return 0, err
	}
	raw := d.data[e.start:e.end]
	count := len(raw)
	switch e.kind {
	case typeInt8, typeUint8: // Latin-1
		runes := make([]rune, len(raw))
		for i, b := range raw {
			runes[i] = rune(b)
		}
		a.Text = string(runes)
	case typeUTF8:
		if !utf8.Valid(raw) {
			return 0, d.errorf(e.start, "text is not UTF-8")
		}
		a.Text = string(raw)
		count = len(utf16.Encode([]rune(a.Text)))
	case typeUint16, typeUTF16:
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(raw[2*i:])
		}
		a.Text = string(utf16.Decode(units))
		count = len(units) + len(raw)%2
	default:
		return 0, d.errorf(pos, "text of type %d, want 8 or 16 bits", e.kind)
	}
	if count != a.Len() {
		return 0, d.errorf(pos, "%s, want %d characters, got %d", a.describe(), a.Len(), count)
	}
	return e.next, nil
}

// numbers reads the content of a numeric array, which may be stored in a smaller numeric type.
func (d *decoder) numbers(a *Array, pos, end int) (int, error) {
	e, err := d.element(pos, end)
	if err != nil {
		return 0, err
	}
	size, value := numberType(e.kind)
	if size == 0 {
		return 0, d.errorf(pos, "numbers of type %d, which is not a numeric one", e.kind)
	}
	raw := d.data[e.start:e.end]
	if len(raw)%size != 0 || len(raw)/size != a.Len() {
		return 0, d.errorf(pos, "%s, want %d bytes, got %d", a.describe(), a.Len()*size, len(raw))
	}
	a.Numbers = make([]float64, a.Len())
	for i := range a.Numbers {
		a.Numbers[i] = value(raw[i*size:])
	}
	return e.next, nil
}

// numberType returns the size of a numeric type in bytes and the function that reads a number; 0
// for other types.
func numberType(kind uint32) (int, func([]byte) float64) {
	le := binary.LittleEndian
	switch kind {
	case typeInt8:
		return 1, func(b []byte) float64 { return float64(int8(b[0])) }
	case typeUint8:
		return 1, func(b []byte) float64 { return float64(b[0]) }
	case typeInt16:
		return 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }
	case typeUint16:
		return 2, func(b []byte) float64 { return float64(le.Uint16(b)) }
	case typeInt32:
		return 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }
	case typeUint32:
		return 4, func(b []byte) float64 { return float64(le.Uint32(b)) }
	case typeSingle:
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	case typeDouble:
		return 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	case typeInt64:
		return 8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }
	case typeUint64:
		return 8, func(b []byte) float64 { return float64(le.Uint64(b)) }
	}
	return 0, nil
}
