package vectors

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The kinds of values in Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// thriftDepth is how deep structures may be nested; those of Parquet are less than ten deep.
const thriftDepth = 32

// thriftReader reads values of the compact protocol. It keeps the first error, after which all values
// are zero and all lists are at their end.
type thriftReader struct {
	rest  []byte
	depth int
	err   error
}

// fail keeps the first error.
func (t *thriftReader) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.rest = nil
}

// take returns the next n bytes.
func (t *thriftReader) take(n uint64) []byte {
	if t.err != nil || n > uint64(len(t.rest)) {
		t.fail(errors.New("it ends too early"))
		return nil
	}
	p := t.rest[:n]
	t.rest = t.rest[n:]
	return p
}

// octet returns the next byte.
func (t *thriftReader) octet() byte {
	if p := t.take(1); p != nil {
		return p[0]
	}
	return 0
}

// unsigned reads a variable-length number.
func (t *thriftReader) unsigned() uint64 {
	v, n := binary.Uvarint(t.rest)
	if n <= 0 {
		t.fail(errors.New("a number ends too early"))
		return 0
	}
	t.take(uint64(n))
	return v
}

// integer reads an i16, i32 or i64.
func (t *thriftReader) integer() int64 {
	v := t.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

// text reads a string or bytes.
func (t *thriftReader) text() string { return string(t.take(t.unsigned())) }

// structure calls field for each field of a structure. field reads its value or skips it.
func (t *thriftReader) structure(field func(id int16, kind byte)) {
	if t.depth++; t.depth > thriftDepth {
		t.fail(fmt.Errorf("nested more than %d deep", thriftDepth))
	}
	defer func() { t.depth-- }()
	for id := int16(0); t.err == nil; {
		head := t.octet()
		if head == 0 {
			return
		}
		if step := int16(head >> 4); step != 0 {
			id += step
		} else {
			id = int16(t.integer())
		}
		field(id, head&0xf)
	}
}

// list calls each for each element of a list or a set. each reads its value or skips it. An element
// takes at least a byte.
func (t *thriftReader) list(each func(kind byte)) {
	head := t.octet()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.unsigned()
	}
	if n > uint64(len(t.rest)) {
		t.fail(fmt.Errorf("a list of %d in %d bytes", n, len(t.rest)))
		return
	}
	if t.depth++; t.depth > thriftDepth {
		t.fail(fmt.Errorf("nested more than %d deep", thriftDepth))
	}
	for ; n > 0 && t.err == nil; n-- {
		each(head & 0xf)
	}
	t.depth--
}

// skip passes over a value. field says that it is of a field of a structure, where the kind is the
// value of a truth.
func (t *thriftReader) skip(kind byte, field bool) {
	switch kind {
	case thriftTrue, thriftFalse:
		if !field {
			t.octet()
		}
	case thriftByte:
		t.octet()
	case thriftI16, thriftI32, thriftI64:
		t.unsigned()
	case thriftDouble:
		t.take(8)
	case thriftBinary:
		t.take(t.unsigned())
	case thriftList, thriftSet:
		t.list(func(kind byte) { t.skip(kind, false) })
	case thriftMap:
		n := t.unsigned()
		if n == 0 {
			return
		}
		kinds := t.octet()
		if n > uint64(len(t.rest)) {
			t.fail(fmt.Errorf("a map of %d in %d bytes", n, len(t.rest)))
		}
		if t.depth++; t.depth > thriftDepth {
			t.fail(fmt.Errorf("nested more than %d deep", thriftDepth))
		}
		for ; n > 0 && t.err == nil; n-- {
			t.skip(kinds>>4, false)
			t.skip(kinds&0xf, false)
		}
		t.depth--
	case thriftStruct:
		t.structure(func(_ int16, kind byte) { t.skip(kind, true) })
	default:
		t.fail(fmt.Errorf("a value of kind %d", kind))
	}
}
