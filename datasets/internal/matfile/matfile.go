package matfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Class is the class of an array, as in the array's flags.
type Class uint8

// The classes that are read. Numbers of any class are kept as float64.
const (
	Cell   Class = 1
	Struct Class = 2
	Char   Class = 4
	Double Class = 6
	Single Class = 7
	Int8   Class = 8
	Uint8  Class = 9
	Int16  Class = 10
	Uint16 Class = 11
	Int32  Class = 12
	Uint32 Class = 13
	Int64  Class = 14
	Uint64 Class = 15
)

// String returns MATLAB's name of the class.
func (c Class) String() string {
	names := []string{
		1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single", 8: "int8", 9: "uint8",
		10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "function_handle", 17: "opaque",
	}
	if int(c) < len(names) && names[c] != "" {
		return names[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Numeric reports whether the class holds numbers.
func (c Class) Numeric() bool { return c >= Double && c <= Uint64 }

// Array is one array of a file. Contents are column-major, as in the file.
type Array struct {
	Name     string // of a variable; empty inside cells and structs
	Class    Class
	Dims     []int     // two or more
	Numbers  []float64 // numeric classes: one per element; 64-bit integers are exact up to 2^53
	Text     string    // char: the elements in the file's order
	Fields   []string  // struct: field names in the file's order
	Elements []*Array  // cell: one per element; struct: len(Fields) per element, element by element
}

// Error is an error in a file, with its place.
type Error struct {
	File   string
	Offset int64 // in bytes from the start of the file; for the content of a compressed element, the offset of that element
	Msg    string
}

// Error returns "file:offset: msg".
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Offset, e.Msg) }

const (
	headerBytes = 128
	// MaxBytes is the largest size of a file, and of what its compressed elements unpack to
	// together, so that a small file takes less than 100 MiB: arrays of single numbers take three times
	// their bytes. The largest published annotation file has 0.4 MB and unpacks to 8 MB.
	MaxBytes = 24 << 20
)

// Parse reads the variables of a file. name is its name in errors, data the whole file.
func Parse(name string, data []byte) ([]*Array, error) {
	d := &decoder{file: name, data: data, budget: MaxBytes, empty: &Array{Class: Double, Dims: []int{0, 0}}}
	if err := d.header(); err != nil {
		return nil, err
	}
	var variables []*Array
	for pos := headerBytes; pos < len(data); {
		a, next, err := d.variable(pos)
		if err != nil {
			return nil, err
		}
		variables = append(variables, a)
		pos = next
	}
	return variables, nil
}

// header checks the first 128 bytes: text, subsystem offset, version, byte order.
func (d *decoder) header() error {
	signature := []byte("\x89HDF\r\n\x1a\n")
	hdf5 := bytes.HasPrefix(d.data, signature) || len(d.data) >= 520 && bytes.HasPrefix(d.data[512:], signature)
	if hdf5 || bytes.HasPrefix(d.data, []byte("MATLAB 7.3")) {
		return d.errorf(0, "MAT-file of version 7.3 (HDF5), want version 5 to 7.2: save it again with -v7")
	}
	if len(d.data) < headerBytes {
		return d.errorf(len(d.data), "file ends in its header, want %d bytes, got %d", headerBytes, len(d.data))
	}
	if len(d.data) > MaxBytes {
		return d.errorf(MaxBytes, "file of %d bytes, want at most %d", len(d.data), MaxBytes)
	}
	switch order := string(d.data[126:128]); order {
	case "IM":
	case "MI":
		return d.errorf(126, "big-endian MAT-file, want little endian")
	default:
		return d.errorf(126, `not a MAT-file of version 5: byte order mark, want "IM", got %q`, order)
	}
	if v := binary.LittleEndian.Uint16(d.data[124:]); v != 0x0100 {
		return d.errorf(124, "MAT-file version, want 0x0100, got %#04x", v)
	}
	return nil
}

// Len returns the number of elements, the product of Dims.
func (a *Array) Len() int {
	n := 1
	for _, d := range a.Dims {
		n *= d
	}
	return n
}

// Field returns a field of element i of a struct array, or nil where there is
// no such field or element.
func (a *Array) Field(i int, name string) *Array {
	f := slices.Index(a.Fields, name)
	at := i*len(a.Fields) + f
	if a.Class != Struct || f < 0 || i < 0 || at >= len(a.Elements) {
		return nil
	}
	return a.Elements[at]
}

// Int returns the value of a 1x1 numeric array that holds an integer.
func (a *Array) Int() (int, error) {
	if a == nil || !a.Class.Numeric() || len(a.Numbers) != 1 {
		return 0, fmt.Errorf("want one number, got %s", a.describe())
	}
	v := a.Numbers[0]
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, fmt.Errorf("want an integer, got %v", v)
	}
	return int(v), nil
}

// Line returns the text of a char array of one row.
func (a *Array) Line() (string, error) {
	if a == nil || a.Class != Char || len(a.Dims) != 2 || a.Dims[0] != 1 && a.Len() != 0 {
		return "", fmt.Errorf("want a line of text, got %s", a.describe())
	}
	return a.Text, nil
}

// describe returns the size and class, such as "1x2 uint8".
func (a *Array) describe() string {
	if a == nil {
		return "nothing"
	}
	var b bytes.Buffer
	for i, d := range a.Dims {
		if i > 0 {
			b.WriteByte('x')
		}
		fmt.Fprint(&b, d)
	}
	return fmt.Sprintf("%s %s", &b, a.Class)
}
