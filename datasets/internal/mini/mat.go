package mini

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MAT-file format, version 5, as published by The MathWorks ("MAT-File Format", R2024a, chapter 1):
// data types of elements and classes of arrays.
const (
	miINT8       = 1
	miUINT8      = 2
	miUINT16     = 4
	miINT32      = 5
	miUINT32     = 6
	miMATRIX     = 14
	miCOMPRESSED = 15
	miUTF8       = 16

	mxCELL   = 1
	mxSTRUCT = 2
	mxCHAR   = 4
	mxDOUBLE = 6
	mxUINT8  = 9

	matLogical     = 0x0200 // flag beside the class
	matNameSize    = 17     // bytes of a field name with its final zeros: the longest of the published fields and one
	matHeaderSize  = 116    // bytes of text
	matVersion     = 0x0100
	matEndianness  = "IM" // little endian
	matElementSize = 8    // elements are padded to a multiple
)

// writeMAT writes a little-endian MAT v5 file whose variables are compressed one by one.
func writeMAT(w io.Writer, title string, variables ...[]byte) error {
	header := make([]byte, 0, 128)
	header = fmt.Appendf(header, "%-*s", matHeaderSize, "MATLAB 5.0 MAT-file, Platform: bierbench, "+title)
	header = append(header, make([]byte, 8)...) // no subsystem data
	header = binary.LittleEndian.AppendUint16(header, matVersion)
	header = append(header, matEndianness...)
	if len(header) != 128 {
		return fmt.Errorf("mat header of %d bytes, want 128", len(header))
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, v := range variables {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		_, err := z.Write(v)
		if err = errors.Join(err, z.Close()); err != nil {
			return err
		}
		tag := binary.LittleEndian.AppendUint32(nil, miCOMPRESSED)
		tag = binary.LittleEndian.AppendUint32(tag, uint32(packed.Len())) // not padded
		if _, err := w.Write(append(tag, packed.Bytes()...)); err != nil {
			return err
		}
	}
	return nil
}

// matElement is one data element: tag, data, padding. Up to four bytes of data sit inside the tag.
func matElement(kind uint32, data []byte) []byte {
	n := uint32(len(data))
	var e []byte
	if n > 0 && n <= 4 {
		e = binary.LittleEndian.AppendUint32(e, n<<16|kind)
	} else {
		e = binary.LittleEndian.AppendUint32(e, kind)
		e = binary.LittleEndian.AppendUint32(e, n)
	}
	e = append(e, data...)
	for len(e)%matElementSize != 0 {
		e = append(e, 0)
	}
	return e
}

// matArray is an array of rows x columns: flags, dimensions, name, and what the class holds.
func matArray(class uint32, name string, rows, columns int, content ...[]byte) []byte {
	flags := binary.LittleEndian.AppendUint32(nil, class)
	flags = binary.LittleEndian.AppendUint32(flags, 0) // no sparse elements
	size := binary.LittleEndian.AppendUint32(nil, uint32(rows))
	size = binary.LittleEndian.AppendUint32(size, uint32(columns))
	body := matElement(miUINT32, flags)
	body = append(body, matElement(miINT32, size)...)
	body = append(body, matElement(miINT8, []byte(name))...)
	for _, c := range content {
		body = append(body, c...)
	}
	return matElement(miMATRIX, body)
}

// matText is a row of characters.
func matText(s string) []byte {
	return matArray(mxCHAR, "", 1, len(s), matElement(miUTF8, []byte(s)))
}

// matNumber is a 1x1 double, stored as MATLAB does: in the smallest integer type that holds it.
func matNumber(v int) []byte {
	if v < 1<<8 {
		return matArray(mxDOUBLE, "", 1, 1, matElement(miUINT8, []byte{byte(v)}))
	}
	return matArray(mxDOUBLE, "", 1, 1, matElement(miUINT16, binary.LittleEndian.AppendUint16(nil, uint16(v))))
}

// matBool is a 1x1 logical.
func matBool(v bool) []byte {
	var b byte
	if v {
		b = 1
	}
	return matArray(mxUINT8|matLogical, "", 1, 1, matElement(miUINT8, []byte{b}))
}

// matCell is a 1xN cell of character rows.
func matCell(name string, texts []string) []byte {
	cells := make([][]byte, len(texts))
	for i, t := range texts {
		cells[i] = matText(t)
	}
	return matArray(mxCELL, name, 1, len(texts), cells...)
}

// matStruct is a 1xN struct; rows holds the arrays of each element in the order of the fields.
func matStruct(name string, fields []string, rows [][][]byte) []byte {
	names := make([]byte, matNameSize*len(fields))
	for i, field := range fields {
		copy(names[i*matNameSize:(i+1)*matNameSize-1], field)
	}
	content := [][]byte{
		matElement(miINT32, binary.LittleEndian.AppendUint32(nil, matNameSize)),
		matElement(miINT8, names),
	}
	for _, row := range rows {
		content = append(content, row...)
	}
	return matArray(mxSTRUCT, name, 1, len(rows), content...)
}
