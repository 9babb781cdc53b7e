package runs

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// metadataKey marks the files of this package. Its value is the kind of file and the version of its
// columns.
const metadataKey = "bierbench"

// arrowSchema returns the schema of a kind of file.
func arrowSchema(kind string, fields []arrow.Field) *arrow.Schema {
	m := arrow.NewMetadata([]string{metadataKey}, []string{kind})
	return arrow.NewSchema(fields, &m)
}

// countingWriter buffers a file and knows its position, so that the many small writes and position
// queries of the Arrow writer are cheap.
type countingWriter struct {
	*bufio.Writer
	at int64
}

// Write appends p.
func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.at += int64(n)
	return n, err
}

// Seek only tells the position.
func (w *countingWriter) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return w.at, errors.New("seek in a file that is written in order")
	}
	return w.at, nil
}

// writeArrow writes an Arrow file of n rows whole, in batches of at most the given number of rows,
// and returns its SHA-256, hex. A file without rows has one empty batch.
func writeArrow(path string, schema *arrow.Schema, n, batch int, record func(from, to int) arrow.Record) (digest string, err error) {
	h := sha256.New()
	err = WriteFileFunc(path, 0o644, func(f io.Writer) error {
		out := &countingWriter{Writer: bufio.NewWriterSize(io.MultiWriter(f, h), 1<<20)}
		w, failed := ipc.NewFileWriter(out, ipc.WithSchema(schema), ipc.WithAllocator(memory.NewGoAllocator()))
		if failed != nil {
			return failed
		}
		for from := 0; from < n || from == 0; from += batch {
			r := record(from, min(from+batch, n))
			failed = w.Write(r)
			r.Release()
			if failed != nil {
				return errors.Join(failed, w.Close())
			}
		}
		return errors.Join(w.Close(), out.Flush())
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// readArrow opens an Arrow file of a kind, compares it with its SHA-256 (empty where none is known),
// checks its columns and hands its batches to each. The file may be broken or hostile: the Arrow
// reader's panics become errors.
func readArrow(path, digest string, want *arrow.Schema, each func(rows int64, record arrow.Record) error) (err error) {
	f, err := openDigested(path, digest)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: not a whole Arrow file: %v", path, p)
		}
		err = errors.Join(err, f.Close())
	}()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err = vetFooter(f, size); err != nil {
		return fmt.Errorf("%s: not a whole Arrow file: %w", path, err)
	}
	r, err := ipc.NewFileReader(f, ipc.WithAllocator(&limitedAllocator{left: 1<<16 + 4*size}))
	if err != nil {
		return fmt.Errorf("%s: not a whole Arrow file: %w", path, err)
	}
	if err := checkSchema(r.Schema(), want); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var rows int64
	for i := range r.NumRecords() {
		record, err := r.RecordAt(i)
		if err != nil {
			return fmt.Errorf("%s: batch %d: %w", path, i, err)
		}
		if err := checkNulls(record); err != nil {
			return fmt.Errorf("%s: batch %d: %w", path, i, err)
		}
		if err := each(rows, record); err != nil {
			return fmt.Errorf("%s: batch %d: %w", path, i, err)
		}
		rows += record.NumRows()
		record.Release()
	}
	return nil
}

// limitedAllocator allocates memory for reading a file. A false length in the file must not ask for
// more than a few times the file's size. It panics, as the Arrow reader expects of allocators;
// readArrow turns that into an error.
type limitedAllocator struct {
	memory.GoAllocator
	left int64
}

// take counts n bytes and panics beyond the limit.
func (l *limitedAllocator) take(n int) {
	if l.left -= int64(n); l.left < 0 || n < 0 {
		panic("a length in it is larger than the file")
	}
}

// Allocate returns size bytes within the limit.
func (l *limitedAllocator) Allocate(size int) []byte {
	l.take(size)
	return l.GoAllocator.Allocate(size)
}

// Reallocate grows b to size bytes within the limit.
func (l *limitedAllocator) Reallocate(size int, b []byte) []byte {
	l.take(size - min(size, len(b)))
	return l.GoAllocator.Reallocate(size, b)
}

// Free returns b to the limit.
func (l *limitedAllocator) Free(b []byte) {
	l.left += int64(len(b))
	l.GoAllocator.Free(b)
}

// checkSchema returns an error if the schema of a file is not the one of its kind.
func checkSchema(got, want *arrow.Schema) error {
	key := func(s *arrow.Schema) string {
		m := s.Metadata()
		v, _ := m.GetValue(metadataKey)
		return v
	}
	if key(got) != key(want) {
		return fmt.Errorf("metadata %s is %q, want %q", metadataKey, key(got), key(want))
	}
	if len(got.Fields()) != len(want.Fields()) {
		return fmt.Errorf("%d columns, want %d", len(got.Fields()), len(want.Fields()))
	}
	for i, w := range want.Fields() {
		g := got.Field(i)
		if g.Name != w.Name || !sameType(g.Type, w.Type) {
			return fmt.Errorf("column %d is %s %v, want %s %v", i, g.Name, g.Type, w.Name, w.Type)
		}
	}
	return nil
}

// sameType compares types. The length of a fixed-size list, and the name and nullability of a
// list's elements, may differ.
func sameType(got, want arrow.DataType) bool {
	w, ok := want.(arrow.ListLikeType)
	if !ok || got.ID() != want.ID() {
		return arrow.TypeEqual(got, want)
	}
	return arrow.TypeEqual(got.(arrow.ListLikeType).Elem(), w.Elem())
}

// checkNulls returns an error if a column has nulls.
func checkNulls(record arrow.Record) error {
	for i, c := range record.Columns() {
		if c.NullN() > 0 {
			return fmt.Errorf("column %s has %d nulls, want none", record.ColumnName(i), c.NullN())
		}
	}
	return nil
}
