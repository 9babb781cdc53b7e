package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"
)

// checkSum compares a file with its digest.
func checkSum(f *os.File, p Part) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, p.Bytes)); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("%s: sha256 is %s, want %s as in %s", p.Name, got, p.SHA256, manifestName)
	}
	return nil
}

// eachRecord calls use with each batch of an Arrow file; the batch is valid until use returns.
// Arrow's reader panics on some damaged files, which becomes an error here. It takes memory for what a
// file says about itself, which must not be more than the file has.
func eachRecord(f *os.File, use func(batch int, r arrow.Record) error) (err error) {
	name := filepath.Base(f.Name())
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged Arrow file: %v", name, p)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err = vetFooter(f, info.Size()); err != nil {
		return fmt.Errorf("%s: damaged Arrow file: %w", name, err)
	}
	r, err := ipc.NewFileReader(f, ipc.WithAllocator(boundedMemory{memory.DefaultAllocator, info.Size()}))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	for i := range r.NumRecords() {
		record, err := r.RecordAt(i)
		if err != nil {
			return fmt.Errorf("%s: batch %d: %w", name, i, err)
		}
		err = use(i, record)
		record.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// boundedMemory is memory for what is read from a file: no piece is larger than the file. A larger one
// panics, because running out of memory cannot be caught.
type boundedMemory struct {
	memory.Allocator
	limit int64 // bytes of the file
}

// Allocate returns size bytes, which Arrow has rounded up to a multiple of 64.
func (b boundedMemory) Allocate(size int) []byte {
	b.check(size)
	return b.Allocator.Allocate(size)
}

// Reallocate returns size bytes that begin with those of old.
func (b boundedMemory) Reallocate(size int, old []byte) []byte {
	b.check(size)
	return b.Allocator.Reallocate(size, old)
}

// check panics where size cannot be the size of something in the file.
func (b boundedMemory) check(size int) {
	const rounding = 64
	if size < 0 || int64(size) > b.limit+rounding {
		panic(fmt.Sprintf("a piece of %d bytes in a file of %d", size, b.limit))
	}
}

// The limits of an Arrow footer, far above what is written: 15 columns and 8 lines of metadata.
const (
	mostFooterEntries = 1 << 10
	mostFooterBytes   = 64 << 20
)

// vetFooter looks for lists in the schema of an Arrow file's footer that claim to be longer than any
// that is written, for which the Arrow reader would take memory before it reads them, and for fields
// that hold themselves.
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
	if string(end[4:]) != "ARROW1" || n < 4 || n > min(size-tail, mostFooterBytes) {
		return fmt.Errorf("ends in %q, want a footer and ARROW1", end)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tail-n); err != nil {
		return err
	}
	root := flatbuffers.Table{Bytes: footer, Pos: flatbuffers.GetUOffsetT(footer)}
	schema, found := tableSlot(root, 1)
	if !found {
		return errors.New("the footer has no schema")
	}
	seen := 0
	return vetFields(flatbuffers.Table{Bytes: footer, Pos: root.Indirect(root.Pos + schema)}, 1, 2, &seen)
}

// vetFields checks the fields of a schema or a field t, and its metadata: the vectors in these slots.
// seen counts the fields.
func vetFields(t flatbuffers.Table, fields, metadata int, seen *int) error {
	for _, slot := range []int{fields, metadata} {
		o, found := tableSlot(t, slot)
		if !found {
			continue
		}
		n := t.VectorLen(o)
		if *seen += n; n < 0 || *seen > mostFooterEntries {
			return fmt.Errorf("more than %d columns and metadata in the footer", mostFooterEntries)
		}
		if slot == metadata {
			continue
		}
		for k := range n {
			at := t.Vector(o) + flatbuffers.UOffsetT(4*k)
			if err := vetFields(flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}, 5, 6, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// tableSlot returns the position of field i of a table, relative to the table.
func tableSlot(t flatbuffers.Table, i int) (flatbuffers.UOffsetT, bool) {
	o := t.Offset(flatbuffers.VOffsetT(4 + 2*i))
	return flatbuffers.UOffsetT(o), o != 0
}

// sameColumns compares names and types, not the metadata.
func sameColumns(got, want *arrow.Schema) bool {
	return slices.EqualFunc(got.Fields(), want.Fields(), func(a, b arrow.Field) bool {
		return a.Name == b.Name && a.Nullable == b.Nullable && arrow.TypeEqual(a.Type, b.Type)
	})
}

// appendShared appends the rows of a batch, from the columns of sharedFields.
func appendShared(rows []stored, r arrow.Record) []stored {
	id, name, class := r.Column(0).(*array.Int64), r.Column(1).(*array.String), r.Column(2).(*array.Int32)
	className, superclass, split := dictionaryWords(r.Column(3)), dictionaryWords(r.Column(4)), dictionaryWords(r.Column(5))
	list, width, height := r.Column(6).(*array.Uint8), r.Column(7).(*array.Int32), r.Column(8).(*array.Int32)
	box, source := r.Column(9).(*array.FixedSizeList), r.Column(10).(*array.FixedSizeBinary)
	corners := box.ListValues().(*array.Int32)
	batch := make([]Row, r.NumRows())
	for i := range batch {
		batch[i] = Row{
			ID: id.Value(i), Name: name.Value(i), Class: class.Value(i),
			ClassName: className(i), Superclass: superclass(i), Split: Split(split(i)), List: list.Value(i),
		}
		s := stored{row: &batch[i], width: int(width.Value(i)), height: int(height.Value(i)), source: [32]byte(source.Value(i))}
		if box.IsValid(i) {
			v := corners.Int32Values()[4*i : 4*i+4]
			s.box = &Box{int(v[0]), int(v[1]), int(v[2]), int(v[3])}
		}
		rows = append(rows, s)
	}
	return rows
}

// dictionaryWords returns a function that returns the value of a dictionary column in row i.
func dictionaryWords(column arrow.Array) func(i int) string {
	d := column.(*array.Dictionary)
	values := d.Dictionary().(*array.String)
	return func(i int) string { return values.Value(d.GetValueIndex(i)) }
}
