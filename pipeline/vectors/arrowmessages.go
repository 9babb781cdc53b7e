package vectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"
)

// The kinds of Arrow messages that are used (MessageHeader in format/Message.fbs).
const (
	messageSchema     = 1
	messageDictionary = 2
	messageBatch      = 3
)

// An arrowMessage is a place in a file that holds a message.
type arrowMessage struct {
	kind       byte
	meta, body int64 // offsets
	end        int64
	rows       int64 // of a batch
}

// continuation begins a message since Arrow 0.15; before, the length did.
const continuation = 0xffffffff

// arrowMessages finds the messages of an Arrow stream, or of an Arrow file, which is a stream between
// a magic and a footer. It reads no body, so that it takes as much time as there are messages. What a
// writer did not finish is an error: it would pass for a whole file with fewer rows.
func arrowMessages(f *file) ([]arrowMessage, error) {
	at, end := int64(0), f.size
	framed := string(f.head[:min(len(arrowMagic), len(f.head))]) == arrowMagic
	if framed {
		at = arrowHead
		var err error
		if end, err = arrowFooter(f); err != nil {
			return nil, err
		}
	}
	var all []arrowMessage
	marked := false
	for at <= end-4 {
		m, err := readArrowMessage(f, at)
		if errors.Is(err, io.EOF) {
			marked = m.meta == at+8 // four zero bytes alone may be a part that was not written yet
			break
		}
		if err != nil {
			return nil, err
		}
		if m.end > end {
			return nil, f.errorAt(at, "a message up to %d, want at most %d, where the footer begins", m.end, end)
		}
		all = append(all, m)
		at = m.end
	}
	if !framed && !marked {
		return nil, f.errorAt(at, "the stream has no end mark: it is cut off or still being written")
	}
	return all, nil
}

// arrowMagic begins and ends an Arrow file.
const arrowMagic = "ARROW1"

// arrowHead is the length of the magic at the beginning, with its padding.
const arrowHead = 8

// arrowFooter returns the offset at which the footer of an Arrow file begins: before its length, four
// bytes, and the magic.
func arrowFooter(f *file) (int64, error) {
	var tail [4 + len(arrowMagic)]byte
	if f.size >= arrowHead+int64(len(tail)) {
		if err := f.readAt(tail[:], f.size-int64(len(tail))); err != nil {
			return 0, err
		}
		length := int64(binary.LittleEndian.Uint32(tail[:]))
		if at := f.size - int64(len(tail)) - length; string(tail[4:]) == arrowMagic && length > 0 && at >= arrowHead {
			return at, nil
		}
	}
	return 0, f.errorf("the file is cut off: it has no footer")
}

// readArrowMessage describes the message at an offset; io.EOF says that the stream ends there.
func readArrowMessage(f *file, at int64) (m arrowMessage, err error) {
	var word [4]byte
	if err = f.readAt(word[:], at); err != nil {
		return m, err
	}
	length := int64(binary.LittleEndian.Uint32(word[:]))
	m.meta = at + 4
	if length == continuation {
		if err = f.readAt(word[:], m.meta); err != nil {
			return m, err
		}
		length, m.meta = int64(binary.LittleEndian.Uint32(word[:])), m.meta+4
	}
	if length == 0 {
		return m, io.EOF
	}
	if m.body = m.meta + length; length < 8 || m.body > f.size {
		return m, f.errorAt(at, "a message of %d bytes, want at most %d", length, f.size-m.meta)
	}
	raw := make([]byte, length)
	if err = f.readAt(raw, m.meta); err != nil {
		return m, err
	}
	defer func() { // broken offsets panic
		if p := recover(); p != nil {
			err = f.errorAt(m.meta, "a damaged message: %v", p)
		}
	}()
	// Message: 0 version, 1 and 2 header, 3 bodyLength.
	t := flatbuffers.Table{Bytes: raw, Pos: flatbuffers.GetUOffsetT(raw)}
	header, body := slot(t, 2), int64(0)
	if o := slot(t, 1); o != 0 {
		m.kind = t.GetByte(t.Pos + o)
	}
	if o := slot(t, 3); o != 0 {
		body = t.GetInt64(t.Pos + o)
	}
	if m.end = m.body + body; body < 0 || body > f.size-m.body {
		return m, f.errorAt(m.meta, "a body of %d bytes, want at most %d", body, f.size-m.body)
	}
	if header == 0 {
		return m, f.errorAt(m.meta, "a message without header")
	}
	content := flatbuffers.Table{Bytes: raw, Pos: t.Indirect(t.Pos + header)}
	switch m.kind {
	case messageSchema:
		v := schemaVetter{most: len(raw)}
		v.schema(content)
		if v.err != nil {
			return m, f.errorAt(m.meta, "%w", v.err)
		}
	case messageDictionary:
	case messageBatch:
		if o := slot(content, 0); o != 0 { // RecordBatch.length
			m.rows = content.GetInt64(content.Pos + o)
		}
		if m.rows < 0 || m.rows > f.mostValues() {
			return m, f.errorAt(m.meta, "a batch of %d rows", m.rows)
		}
	default:
		return m, f.errorAt(m.meta, "a message of kind %d, want a schema, a dictionary or a batch of rows", m.kind)
	}
	return m, nil
}

// slot returns the position of a table's i-th field, relative to the table; 0 where there is none.
func slot(t flatbuffers.Table, i int) flatbuffers.UOffsetT {
	return flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*i)))
}

// schemaVetter looks for lists in a schema that claim to be longer than the message, for which the
// Arrow reader would take memory before it reads them, for fields that hold themselves, and for types
// that make it take memory by a number of the file. It keeps the first fault.
type schemaVetter struct {
	most, seen int
	err        error
}

// The types that are refused (Type in format/Schema.fbs): view types count their buffers anew in each
// batch.
const (
	typeBinaryView = 23
	typeUTF8View   = 24
)

// schema checks a Schema.
func (v *schemaVetter) schema(t flatbuffers.Table) {
	v.tables(t, 1, v.field) // Schema.fields
	v.vector(t, 2)          // Schema.custom_metadata
}

// field checks a Field and those in it.
func (v *schemaVetter) field(t flatbuffers.Table) {
	if o := slot(t, 2); o != 0 { // Field.type_type
		if k := t.GetByte(t.Pos + o); k == typeBinaryView || k == typeUTF8View {
			v.err = errors.New("a column of views, want strings or lists")
			return
		}
	}
	v.tables(t, 5, v.field) // Field.children
	v.vector(t, 6)          // Field.custom_metadata
}

// vector returns the length of a table's i-th field, a vector.
func (v *schemaVetter) vector(t flatbuffers.Table, i int) int {
	o := slot(t, i)
	if o == 0 || v.err != nil {
		return 0
	}
	n := t.VectorLen(o)
	if v.seen += n; n < 0 || v.seen > v.most {
		v.err = fmt.Errorf("more than %d entries in a schema of %d bytes", v.seen, v.most)
		return 0
	}
	return n
}

// tables calls f for each table in the vector that is t's i-th field.
func (v *schemaVetter) tables(t flatbuffers.Table, i int, f func(flatbuffers.Table)) {
	for k := range v.vector(t, i) {
		if v.err != nil {
			return
		}
		at := t.Vector(slot(t, i)) + flatbuffers.UOffsetT(4*k)
		f(flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)})
	}
}

// messageSource hands messages of a file to the Arrow reader, in the order in which they are queued.
type messageSource struct {
	file *file
	next []arrowMessage
}

// Message returns the next message, io.EOF where none is queued.
func (s *messageSource) Message() (*ipc.Message, error) {
	if len(s.next) == 0 {
		return nil, io.EOF
	}
	m := s.next[0]
	s.next = s.next[1:]
	raw := make([]byte, m.end-m.meta)
	if err := s.file.readAt(raw, m.meta); err != nil {
		return nil, err
	}
	split := m.body - m.meta
	return ipc.NewMessage(memory.NewBufferBytes(raw[:split:split]), memory.NewBufferBytes(raw[split:])), nil
}

// Retain does nothing: the garbage collector has the messages.
func (s *messageSource) Retain() {}

// Release does nothing.
func (s *messageSource) Release() {}

// boundedMemory is memory for what is read from a file. Beyond the limit it panics, as the Arrow
// reader expects of allocators: running out of memory cannot be caught.
type boundedMemory struct {
	memory.GoAllocator
	limit int64 // bytes in one piece
}

// Allocate returns size bytes.
func (b *boundedMemory) Allocate(size int) []byte {
	b.check(size)
	return b.GoAllocator.Allocate(size)
}

// Reallocate returns size bytes that begin with those of old.
func (b *boundedMemory) Reallocate(size int, old []byte) []byte {
	b.check(size)
	return b.GoAllocator.Reallocate(size, old)
}

// check panics where size cannot be the size of something in the file.
func (b *boundedMemory) check(size int) {
	if size < 0 || int64(size) > b.limit {
		panic(fmt.Sprintf("a piece of %d bytes", size))
	}
}
