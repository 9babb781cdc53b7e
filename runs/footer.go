package runs

import (
	"encoding/binary"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"
)

// vetFooter looks for vectors in an Arrow file's footer that claim to be longer than the footer.
// The Arrow reader would allocate memory for them before it reads them, and running out of memory
// is not an error that can be caught.
//
// The footer is a flatbuffer (format/File.fbs and Schema.fbs of Arrow 15) at the end of the file,
// followed by its size as uint32 and the six bytes ARROW1. Broken offsets panic, as they do in the
// Arrow reader.
func vetFooter(r io.ReaderAt, size int64) error {
	const tail = 4 + 6
	var end [tail]byte
	if size < tail {
		return fmt.Errorf("%d bytes, want at least %d", size, tail)
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "ARROW1" || n > size-tail || n < 4 {
		return fmt.Errorf("ends in %q, want a footer and ARROW1", end)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tail-n); err != nil {
		return err
	}
	v := footerVetter{bytes: footer}
	root := flatbuffers.Table{Bytes: footer, Pos: flatbuffers.GetUOffsetT(footer)}
	if o := root.Offset(vtableSlot(1)); o != 0 { // Footer.schema
		v.schema(flatbuffers.Table{Bytes: footer, Pos: root.Indirect(root.Pos + flatbuffers.UOffsetT(o))})
	}
	v.vector(root, 2) // Footer.dictionaries
	v.vector(root, 3) // Footer.recordBatches
	return v.err
}

// vtableSlot returns the position of a table's i-th field in its vtable.
func vtableSlot(i int) flatbuffers.VOffsetT { return flatbuffers.VOffsetT(4 + 2*i) }

// footerVetter keeps the first fault of a footer. seen counts tables, so that tables that hold one
// another come to an end.
type footerVetter struct {
	bytes []byte
	seen  int
	err   error
}

// vector returns the length of a table's i-th field, a vector.
func (v *footerVetter) vector(t flatbuffers.Table, i int) int {
	o := t.Offset(vtableSlot(i))
	if o == 0 || v.err != nil {
		return 0
	}
	n := t.VectorLen(flatbuffers.UOffsetT(o))
	if n < 0 || n > len(v.bytes) {
		v.err = fmt.Errorf("a list of %d entries in a footer of %d bytes", n, len(v.bytes))
		return 0
	}
	return n
}

// tables calls f for each table in the vector that is t's i-th field.
func (v *footerVetter) tables(t flatbuffers.Table, i int, f func(flatbuffers.Table)) {
	for k := range v.vector(t, i) {
		if v.seen++; v.seen > len(v.bytes) {
			v.err = fmt.Errorf("more tables than the footer's %d bytes", len(v.bytes))
		}
		if v.err != nil {
			return
		}
		at := t.Vector(flatbuffers.UOffsetT(t.Offset(vtableSlot(i)))) + flatbuffers.UOffsetT(4*k)
		f(flatbuffers.Table{Bytes: v.bytes, Pos: t.Indirect(at)})
	}
}

// schema checks a Schema.
func (v *footerVetter) schema(t flatbuffers.Table) {
	v.tables(t, 1, v.field) // Schema.fields
	v.vector(t, 2)          // Schema.custom_metadata
}

// field checks a Field and those in it.
func (v *footerVetter) field(t flatbuffers.Table) {
	v.tables(t, 5, v.field) // Field.children
	v.vector(t, 6)          // Field.custom_metadata
}
