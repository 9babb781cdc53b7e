package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/golang/snappy"
)

// The limits of what a Parquet file may say about itself.
const (
	mostParquetFooter = 64 << 20 // bytes; a million row groups of an image each have about as much
	mostPageHeader    = 16 << 20 // bytes; old writers put the smallest and the largest image into it
	mostPageBytes     = 1 << 30  // bytes of a page; some writers put a thousand images into one
	mostThriftDepth   = 32
)

// A pageReader reads the pages of a column chunk for Arrow's column reader. Arrow's own page reader takes
// memory for any size that a header claims, and decompresses without a limit; this one compares the
// sizes with what is there first.
//
// A page is a header in the compact protocol of Thrift (PageHeader of parquet.thrift), and the bytes.
type pageReader struct {
	r      *io.SectionReader // the pages of the chunk
	at     int64             // position of the next page
	values int64             // that the chunk still lacks
	codec  compress.Compression
	page   file.Page
	err    error
}

// newPageReader returns the pages of column i of a row group, of a file of size bytes.
func newPageReader(r io.ReaderAt, size int64, group *file.RowGroupReader, i int) (*pageReader, error) {
	c, err := group.MetaData().ColumnChunk(i)
	if err != nil {
		return nil, err
	}
	start, n := c.DataPageOffset(), c.TotalCompressedSize()
	if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
		start = min(start, c.DictionaryPageOffset())
	}
	switch {
	case c.CryptoMetadata() != nil:
		return nil, errors.New("column is encrypted")
	case start < 0 || n < 0 || n > size || start > size-n:
		return nil, fmt.Errorf("column lies at bytes %d to %d of a file of %d", start, start+n, size)
	case c.NumValues() != group.NumRows():
		return nil, fmt.Errorf("column has %d values in %d rows", c.NumValues(), group.NumRows())
	}
	return &pageReader{r: io.NewSectionReader(r, start, n), values: c.NumValues(), codec: c.Compression()}, nil
}

// Page returns the page that Next read.
func (p *pageReader) Page() file.Page { return p.page }

// Err returns why Next returned false; nil at the end of the chunk.
func (p *pageReader) Err() error { return p.err }

// SetMaxPageHeaderSize does nothing: the limit is fixed.
func (p *pageReader) SetMaxPageHeaderSize(int) {}

// Reset is never called: every chunk gets a reader of its own.
func (p *pageReader) Reset(parquet.BufferedReader, int64, compress.Compression, *file.CryptoContext) {
	panic("datasets: the pages of a column are read once")
}

// Next reads the next page of data or the dictionary; others, such as an index, are left out.
func (p *pageReader) Next() bool {
	p.page, p.err = nil, nil
	for p.values > 0 && p.page == nil && p.err == nil {
		p.err = p.next()
	}
	return p.page != nil && p.err == nil
}

// A pageHeader is what is needed of a PageHeader; zero where it is not there.
type pageHeader struct {
	kind, uncompressed, compressed int64
	values, encoding               int64 // of the header of its kind
	nulls, rows                    int64 // version 2
	definition, repetition         int64 // encodings of version 1, bytes of version 2
	plain                          bool  // version 2: not compressed
}

// The kinds of page.
const (
	dataPage       = 0
	dictionaryPage = 2
	dataPageV2     = 3
)

// next reads one page.
func (p *pageReader) next() error {
	h, n, err := p.header()
	if err != nil {
		return fmt.Errorf("header of a page: %w", err)
	}
	p.at += n
	left := p.r.Size() - p.at
	switch {
	case h.compressed < 0 || h.compressed > left:
		return fmt.Errorf("page claims %d bytes where %d are left", h.compressed, left)
	case h.uncompressed < 0 || h.uncompressed > mostPageBytes:
		return fmt.Errorf("page claims %d bytes, want at most %d", h.uncompressed, mostPageBytes)
	}
	at := p.at
	if p.at += h.compressed; h.kind != dataPage && h.kind != dictionaryPage && h.kind != dataPageV2 {
		return nil
	}
	const leastValue = 4 // bytes of a value in a dictionary, and of the length of a text
	switch {
	case h.kind == dictionaryPage && (h.values < 0 || h.values > h.uncompressed/leastValue):
		return fmt.Errorf("dictionary claims %d values in %d bytes", h.values, h.uncompressed)
	case h.kind != dictionaryPage && (h.values < 0 || h.values > p.values):
		return fmt.Errorf("page claims %d values where %d are left", h.values, p.values)
	}
	packed := make([]byte, h.compressed)
	if _, err = p.r.ReadAt(packed, at); err != nil {
		return err
	}
	levels := int64(0) // bytes in front that are never compressed
	if h.kind == dataPageV2 {
		if levels = h.definition + h.repetition; h.definition < 0 || h.repetition < 0 || levels > min(h.compressed, h.uncompressed) {
			return fmt.Errorf("page claims %d and %d bytes of levels in %d", h.definition, h.repetition, h.compressed)
		}
	}
	data := packed
	if !h.plain && p.codec != compress.Codecs.Uncompressed {
		data = make([]byte, h.uncompressed)
		copy(data, packed[:levels])
		if err = unpack(data[levels:], packed[levels:], p.codec); err != nil {
			return err
		}
	}
	if int64(len(data)) != h.uncompressed {
		return fmt.Errorf("page has %d bytes, want %d", len(data), h.uncompressed)
	}
	buffer := memory.NewBufferBytes(data)
	encoding := parquet.Encoding(h.encoding)
	switch h.kind {
	case dictionaryPage:
		p.page = file.NewDictionaryPage(buffer, int32(h.values), encoding)
		return nil
	case dataPage:
		p.page = file.NewDataPageV1(buffer, int32(h.values), encoding, parquet.Encoding(h.definition), parquet.Encoding(h.repetition), int32(len(data)))
	default:
		p.page = file.NewDataPageV2(buffer, int32(h.values), int32(h.nulls), int32(h.rows), encoding,
			int32(h.definition), int32(h.repetition), int32(len(data)), false)
	}
	p.values -= h.values
	return nil
}

// unpack decompresses src, which must fill dst.
func unpack(dst, src []byte, codec compress.Compression) error {
	if len(dst) == 0 {
		return nil
	}
	if codec == compress.Codecs.Snappy {
		n, err := snappy.DecodedLen(src)
		if err == nil && n != len(dst) {
			return fmt.Errorf("page decompresses to %d bytes, want %d", n, len(dst))
		}
		if err == nil {
			_, err = snappy.Decode(dst, src)
		}
		return err
	}
	c, err := compress.GetCodec(codec)
	if err != nil {
		return err
	}
	r := c.NewReader(bytes.NewReader(src))
	defer r.Close()
	if _, err = io.ReadFull(r, dst); err != nil {
		return fmt.Errorf("page decompresses to fewer than %d bytes: %w", len(dst), err)
	}
	return nil
}

// header reads the header at p.at and its length.
func (p *pageReader) header() (h pageHeader, n int64, err error) {
	left := p.r.Size() - p.at
	for size := int64(256); ; size *= 4 {
		size = min(size, left, mostPageHeader)
		data := make([]byte, size)
		if _, err = p.r.ReadAt(data, p.at); err != nil && !errors.Is(err, io.EOF) {
			return h, 0, err
		}
		t := &thriftReader{data: data}
		h = pageHeader{}
		if err = t.fields(0, h.field); err == nil {
			return h, int64(t.at), nil
		}
		if size == min(left, mostPageHeader) {
			return h, 0, err
		}
	}
}

// field takes a field of a PageHeader, or of the header of a kind in it.
func (h *pageHeader) field(path []int16, v int64) {
	if len(path) == 1 {
		switch path[0] {
		case 1:
			h.kind = v
		case 2:
			h.uncompressed = v
		case 3:
			h.compressed = v
		}
		return
	}
	if len(path) != 2 {
		return // statistics
	}
	switch path[0] {
	case 5: // DataPageHeader
		switch path[1] {
		case 1:
			h.values = v
		case 2:
			h.encoding = v
		case 3:
			h.definition = v
		case 4:
			h.repetition = v
		}
	case 7: // DictionaryPageHeader
		switch path[1] {
		case 1:
			h.values = v
		case 2:
			h.encoding = v
		}
	case 8: // DataPageHeaderV2
		switch path[1] {
		case 1:
			h.values = v
		case 2:
			h.nulls = v
		case 3:
			h.rows = v
		case 4:
			h.encoding = v
		case 5:
			h.definition = v
		case 6:
			h.repetition = v
		case 7:
			h.plain = v == 0
		}
	}
}

// A thriftReader reads the compact protocol of Thrift (thrift-compact-protocol.md of Apache Thrift). It
// takes no memory for what the data claim.
type thriftReader struct {
	data []byte
	at   int
	path []int16 // ids of the fields that lead to the present one
}

// The types of the compact protocol.
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
	thriftStruct = 12
)

var errThrift = errors.New("broken Thrift data")

// fields reads a struct and calls use with each number and truth value in it that is in no list: the ids
// of the fields that lead to it, and the value.
func (t *thriftReader) fields(depth int, use func(path []int16, v int64)) error {
	if depth > mostThriftDepth {
		return errThrift
	}
	id := int16(0)
	for {
		head, err := t.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if step := int16(head >> 4); step > 0 {
			id += step
		} else {
			v, failed := t.varint()
			if failed != nil {
				return failed
			}
			id = int16(zigzag(v))
		}
		t.path = append(t.path, id)
		switch kind := head & 15; kind {
		case thriftTrue, thriftFalse:
			use(t.path, int64(thriftFalse-kind))
		default:
			err = t.value(kind, depth, use)
		}
		if err != nil {
			return err
		}
		t.path = t.path[:len(t.path)-1]
	}
}

// value reads one value.
func (t *thriftReader) value(kind byte, depth int, use func(path []int16, v int64)) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte: // a truth value in a list has a byte
		return t.skip(1)
	case thriftI16, thriftI32, thriftI64:
		v, err := t.varint()
		if err == nil {
			use(t.path, zigzag(v))
		}
		return err
	case thriftDouble:
		return t.skip(8)
	case thriftBinary:
		n, err := t.varint()
		if err != nil || n > uint64(len(t.data)) {
			return errThrift
		}
		return t.skip(int(n))
	case thriftList, thriftSet:
		return t.list(depth)
	case thriftStruct:
		return t.fields(depth+1, use)
	}
	return errThrift
}

// list reads a list, each of whose elements has a byte or more. What is in it is not used.
func (t *thriftReader) list(depth int) error {
	head, err := t.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = t.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(t.data)-t.at) {
		return errThrift
	}
	for range n {
		if err = t.value(head&15, depth+1, func([]int16, int64) {}); err != nil {
			return err
		}
	}
	return nil
}

// byte reads a byte.
func (t *thriftReader) byte() (byte, error) {
	if t.at >= len(t.data) {
		return 0, errThrift
	}
	t.at++
	return t.data[t.at-1], nil
}

// skip leaves out n bytes.
func (t *thriftReader) skip(n int) error {
	if n > len(t.data)-t.at {
		return errThrift
	}
	t.at += n
	return nil
}

// varint reads an unsigned number.
func (t *thriftReader) varint() (uint64, error) {
	v, n := binary.Uvarint(t.data[t.at:])
	if n <= 0 {
		return 0, errThrift
	}
	t.at += n
	return v, nil
}

// zigzag turns the unsigned form of a signed number back.
func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// vetParquetFooter reads the footer of a Parquet file of size bytes for lists that claim to be longer
// than the footer is, for which Arrow's reader takes memory before it reads them.
func vetParquetFooter(r io.ReaderAt, size int64) error {
	const tail = 4 + 4 // the length of the footer, and PAR1
	var end [tail]byte
	if size < tail+4 {
		return fmt.Errorf("%d bytes are no Parquet file", size)
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	if string(end[4:]) == "PARE" {
		return errors.New("the file is encrypted")
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "PAR1" || n > min(size-tail, mostParquetFooter) {
		return errors.New("it is no Parquet file, or cut: its end is not that of one")
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tail-n); err != nil {
		return err
	}
	return (&thriftReader{data: footer}).fields(0, func([]int16, int64) {})
}
