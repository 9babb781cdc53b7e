package mattest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"unicode/utf16"
)

// The types of elements that files are made of.
const (
	Int8       = 1
	Uint8      = 2
	Uint16     = 4
	Int32      = 5
	Uint32     = 6
	Double     = 9
	Matrix     = 14
	Compressed = 15
	UTF8       = 16
)

// Value is an array without its name.
type Value struct {
	Class byte
	Flags byte // 8 = complex
	Dims  []int32
	Body  []byte // the elements after the name
}

// Number returns a 1x1 double, stored as MATLAB does: in the smallest unsigned
// type that holds it.
func Number(v int) Value {
	body := Element(Uint8, []byte{byte(v)})
	if v < 0 || v > 255 {
		body = Element(Uint16, binary.LittleEndian.AppendUint16(nil, uint16(v)))
	}
	return Value{Class: 6, Dims: []int32{1, 1}, Body: body}
}

// Numbers returns a 1xn array of a class, stored in a type as raw.
func Numbers(class byte, n int, kind uint32, raw []byte) Value {
	return Value{Class: class, Dims: []int32{1, int32(n)}, Body: Element(kind, raw)}
}

// Text returns a line of text in 16-bit units.
func Text(s string) Value {
	units := utf16.Encode([]rune(s))
	var raw []byte
	for _, u := range units {
		raw = binary.LittleEndian.AppendUint16(raw, u)
	}
	return Value{Class: 4, Dims: []int32{1, int32(len(units))}, Body: Element(Uint16, raw)}
}

// Cells returns a 1xn cell.
func Cells(values ...Value) Value {
	v := Value{Class: 1, Dims: []int32{1, int32(len(values))}}
	for _, e := range values {
		v.Body = append(v.Body, e.element("")...)
	}
	return v
}

// Structs returns a 1xn struct array; a row has one value per field.
func Structs(fields []string, rows ...[]Value) Value {
	const width = 32
	v := Value{Class: 2, Dims: []int32{1, int32(len(rows))}}
	v.Body = Element(Int32, []byte{width, 0, 0, 0})
	names := make([]byte, 0, width*len(fields))
	for _, f := range fields {
		name := make([]byte, width)
		copy(name, f)
		names = append(names, name...)
	}
	v.Body = append(v.Body, Element(Int8, names)...)
	for _, row := range rows {
		for _, e := range row {
			v.Body = append(v.Body, e.element("")...)
		}
	}
	return v
}

// Variable returns the value as a named element, not compressed.
func Variable(name string, v Value) []byte { return v.element(name) }

// element returns the value as an element.
func (v Value) element(name string) []byte {
	data := Element(Uint32, []byte{v.Class, v.Flags, 0, 0, 0, 0, 0, 0})
	var dims []byte
	for _, d := range v.Dims {
		dims = binary.LittleEndian.AppendUint32(dims, uint32(d))
	}
	data = append(data, Element(Int32, dims)...)
	data = append(data, Element(Int8, []byte(name))...)
	return Element(Matrix, append(data, v.Body...))
}

// Element returns an element with its tag and padding: a small one where its
// data fits in the tag.
func Element(kind uint32, data []byte) []byte {
	var tag []byte
	if n := len(data); n > 0 && n <= 4 {
		tag = binary.LittleEndian.AppendUint32(tag, kind|uint32(n)<<16)
		return append(tag, append(data, 0, 0, 0, 0)[:4]...)
	}
	tag = binary.LittleEndian.AppendUint32(tag, kind)
	tag = binary.LittleEndian.AppendUint32(tag, uint32(len(data)))
	padding := (8 - len(data)%8) % 8
	return append(append(tag, data...), make([]byte, padding)...)
}

// Compress returns an element that holds the given ones compressed. It is not
// padded.
func Compress(elements []byte) []byte {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write(elements)
	if closing := w.Close(); err != nil || closing != nil {
		panic("mattest: writing to memory")
	}
	tag := binary.LittleEndian.AppendUint32(nil, Compressed)
	tag = binary.LittleEndian.AppendUint32(tag, uint32(packed.Len()))
	return append(tag, packed.Bytes()...)
}

// File returns a file of these elements.
func File(elements ...[]byte) []byte {
	data := bytes.Repeat([]byte(" "), 124)
	copy(data, "MATLAB 5.0 MAT-file, Platform: TEST")
	copy(data[116:], make([]byte, 8))
	data = append(data, 0x00, 0x01, 'I', 'M')
	return append(data, bytes.Join(elements, nil)...)
}
