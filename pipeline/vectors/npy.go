package vectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	npyMagic     = "\x93NUMPY"
	npyMaxHeader = 1 << 20 // bytes; NumPy itself refuses headers of more than 10,000
)

// An npyHeader is the description of an array.
//
// The file is the magic, two bytes of version, the length of the header (uint16 in version 1, uint32
// in 2 and 3, little-endian), the header, and the elements. The header is a Python dictionary with
// descr, fortran_order and shape (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type npyHeader struct {
	descr   string // byte order, kind and size, such as <f4
	fortran bool
	shape   []int64
	start   int64 // offset of the elements
}

// order returns the byte order.
func (h npyHeader) order() binary.ByteOrder {
	if strings.HasPrefix(h.descr, ">") {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// kind returns the type of the elements without the byte order, such as f4.
func (h npyHeader) kind() string { return strings.TrimLeft(h.descr, "<>|=") }

// readNPYHeader reads the header of a .npy file.
func readNPYHeader(f *file) (h npyHeader, err error) {
	const magic = int64(len(npyMagic))
	var prefix [8]byte
	if err = f.readAt(prefix[:], 0); err != nil {
		return h, err
	}
	lengthBytes := int64(4)
	switch major := prefix[magic]; major {
	case 1:
		lengthBytes = 2
	case 2, 3:
	default:
		return h, f.errorAt(magic, "version %d of .npy, want 1 to 3", major)
	}
	var raw [4]byte
	if err = f.readAt(raw[:lengthBytes], int64(len(prefix))); err != nil {
		return h, err
	}
	length := int64(binary.LittleEndian.Uint32(raw[:]))
	at := int64(len(prefix)) + lengthBytes
	if length > npyMaxHeader || length > f.size-at {
		return h, f.errorAt(int64(len(prefix)), "header of %d bytes, want at most %d", length, min(npyMaxHeader, f.size-at))
	}
	text := make([]byte, length)
	if err = f.readAt(text, at); err != nil {
		return h, err
	}
	if h, err = parseNPYHeader(string(text)); err != nil {
		return h, f.errorAt(at, "header: %w", err)
	}
	h.start = at + length
	return h, nil
}

// parseNPYHeader parses the dictionary of a header.
func parseNPYHeader(text string) (h npyHeader, err error) {
	p := npyParser{rest: text}
	seen := map[string]bool{}
	p.want("{")
	for p.err == nil && !p.has("}") {
		key := p.text()
		p.want(":")
		if seen[key] {
			return h, fmt.Errorf("key %q occurs twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if strings.HasPrefix(p.rest, "[") {
				return h, errors.New("a structured array, want one of plain numbers")
			}
			h.descr = p.text()
		case "fortran_order":
			h.fortran = p.truth()
		case "shape":
			h.shape = p.shape()
		default:
			return h, fmt.Errorf("key %q, want descr, fortran_order and shape", key)
		}
		if !p.has(",") {
			p.want("}")
			break
		}
	}
	switch {
	case p.err != nil:
		return h, p.err
	case !seen["descr"] || !seen["fortran_order"] || !seen["shape"]:
		return h, errors.New("want the keys descr, fortran_order and shape")
	case strings.Contains(h.descr, "O"):
		return h, errors.New("an array of Python objects, which is pickled; want one of plain numbers")
	}
	return h, nil
}

// npyParser reads the literals of Python that NumPy writes. It keeps the first error.
type npyParser struct {
	rest string
	err  error
}

// has passes over a token, and reports whether it was there.
func (p *npyParser) has(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = strings.TrimLeft(rest, " \n\t")
	}
	return ok
}

// want passes over a token that must be there.
func (p *npyParser) want(token string) {
	if p.err == nil && !p.has(token) {
		p.err = fmt.Errorf("%.20q, want %q", p.rest, token)
	}
}

// text reads a string without escapes.
func (p *npyParser) text() string {
	for _, quote := range []string{"'", `"`} {
		if p.has(quote) {
			value, rest, ok := strings.Cut(p.rest, quote)
			if ok {
				p.rest = rest
				p.has("")
				return value
			}
		}
	}
	if p.err == nil {
		p.err = fmt.Errorf("%.20q, want a string", p.rest)
	}
	return ""
}

// truth reads True or False.
func (p *npyParser) truth() bool {
	if p.has("True") {
		return true
	}
	p.want("False")
	return false
}

// shape reads a tuple of at most 32 whole numbers.
func (p *npyParser) shape() (shape []int64) {
	const most = 32
	p.want("(")
	for p.err == nil && !p.has(")") {
		digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || len(shape) == most {
			p.err = fmt.Errorf("%.20q, want a shape of whole numbers", p.rest)
			return nil
		}
		shape, p.rest = append(shape, n), p.rest[len(digits):]
		p.has("L") // of Python 2
		if !p.has(",") {
			p.want(")")
			break
		}
	}
	return shape
}

// openNPY opens a .npy file with a matrix.
func openNPY(f *file, _ Options) (numbers, error) {
	h, err := readNPYHeader(f)
	if err != nil {
		return nil, err
	}
	if len(h.shape) != 2 {
		return nil, f.errorf("an array of shape %v, want [rows, width]", h.shape)
	}
	p := &plain{file: f, order: h.order(), start: h.start, end: f.size, rows: h.shape[0], dims: h.shape[1], fortran: h.fortran}
	switch h.kind() {
	case "f2":
		p.kind = half()
	case "f4":
		p.kind = single()
	case "f8":
		p.kind = double()
	default:
		return nil, f.errorf("elements of type %s, want float16, float32 or float64", h.descr)
	}
	return p, p.check()
}

// npyCells is a .npy file of whole numbers, [rows].
type npyCells struct {
	file   *file
	header npyHeader
	size   int // bytes of an element
	signed bool
}

// openNPYTable opens a .npy file of whole numbers [rows] or [rows, 1].
func openNPYTable(f *file) (cells, error) {
	h, err := readNPYHeader(f)
	if err != nil {
		return nil, err
	}
	if len(h.shape) != 1 && (len(h.shape) != 2 || h.shape[1] != 1) {
		return nil, f.errorf("an array of shape %v, want [rows]", h.shape)
	}
	c := &npyCells{file: f, header: h}
	switch h.kind() {
	case "b1", "u1", "i1":
		c.size = 1
	case "u2", "i2":
		c.size = 2
	case "u4", "i4":
		c.size = 4
	case "u8", "i8":
		c.size = 8
	default:
		return nil, f.errorf("elements of type %s, want whole numbers", h.descr)
	}
	c.signed = strings.HasPrefix(h.kind(), "i")
	if have := f.size - h.start; c.rows() > have/int64(c.size) || c.rows()*int64(c.size) != have {
		return nil, f.errorAt(h.start, "%d bytes, want %d numbers of %d", have, c.rows(), c.size)
	}
	return c, nil
}

func (c *npyCells) names() []string { return []string{""} }

func (c *npyCells) rows() int64 { return c.header.shape[0] }

func (c *npyCells) column(int) (Column, error) {
	raw := make([]byte, c.rows()*int64(c.size))
	if err := c.file.readAt(raw, c.header.start); err != nil {
		return Column{}, err
	}
	order, out := c.header.order(), make([]int64, c.rows())
	for i := range out {
		p := raw[i*c.size:][:c.size]
		var v uint64
		switch c.size {
		case 1:
			v = uint64(p[0])
		case 2:
			v = uint64(order.Uint16(p))
		case 4:
			v = uint64(order.Uint32(p))
		default:
			v = order.Uint64(p)
		}
		unused := 64 - 8*c.size
		switch {
		case c.signed:
			out[i] = int64(v<<unused) >> unused
		case int64(v) < 0:
			return Column{}, c.file.errorf("row %d: %d does not fit in an int64", i, v)
		default:
			out[i] = int64(v)
		}
	}
	return Column{Ints: out}, nil
}
