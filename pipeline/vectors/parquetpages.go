package vectors

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The encodings that are read (Encoding in parquet.thrift).
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2 // also called so before version 2
	encodingRLE             = 3
	encodingDictionary      = 8
	encodingSplit           = 9 // bytes of equal significance side by side
)

// mostPageValues is far above what writers put into a page, which are at most some 20,000 rows, or a
// million values where they repeat.
const mostPageValues = 1 << 24

// A parquetPage is the values of a page: one of the slices of values. Repetitions and definitions have
// an entry for each value; of flat columns that are never null there are no definitions.
type parquetPage struct {
	repetitions, definitions []byte
	floats                   []float32
	ints                     []int64
	strings                  []string
}

// parquetPages reads the pages of a chunk one after the other.
type parquetPages struct {
	file    *file
	leaf    parquetLeaf
	chunk   parquetChunk
	at      int64 // offset of the next page
	left    int64 // values that are to come
	words   parquetPage
	hasDict bool
}

// newParquetPages returns the pages of a chunk.
func newParquetPages(f *file, l parquetLeaf, c parquetChunk) *parquetPages {
	return &parquetPages{file: f, leaf: l, chunk: c, at: c.offset, left: c.values}
}

// A pageHeader is a PageHeader and what is used of the header in it.
type pageHeader struct {
	kind               int64 // 0 data, 2 dictionary, 3 data of version 2
	unpacked, packed   int64 // bytes
	values, encoding   int64
	definitionEncoding int64
	repetitionEncoding int64
	definitions        int64 // bytes of the levels, version 2
	repetitions        int64
	uncompressed       bool // version 2
}

// readPageHeader decodes a PageHeader.
func readPageHeader(t *thriftReader) (h pageHeader) {
	h.definitionEncoding, h.repetitionEncoding = encodingRLE, encodingRLE
	t.structure(func(id int16, kind byte) {
		switch {
		case id <= 3 && kind == thriftI32:
			*[]*int64{&h.kind, &h.unpacked, &h.packed}[max(id, 1)-1] = t.integer()
		case (id == 5 || id == 7) && kind == thriftStruct:
			into := []*int64{&h.values, &h.encoding, &h.definitionEncoding, &h.repetitionEncoding}
			t.structure(func(id int16, kind byte) {
				if id >= 1 && id <= 4 && kind == thriftI32 {
					*into[id-1] = t.integer()
				} else {
					t.skip(kind, true)
				}
			})
		case id == 8 && kind == thriftStruct:
			var other int64
			into := []*int64{&h.values, &other, &other, &h.encoding, &h.definitions, &h.repetitions}
			t.structure(func(id int16, kind byte) {
				if id >= 1 && id <= 6 && kind == thriftI32 {
					*into[id-1] = t.integer()
					return
				}
				if id == 7 {
					h.uncompressed = kind == thriftFalse
				}
				t.skip(kind, true)
			})
		default:
			t.skip(kind, true)
		}
	})
	return h
}

// next returns the next page of values, io.EOF behind the last one.
func (p *parquetPages) next() (parquetPage, error) {
	for p.left > 0 {
		at := p.at
		h, data, err := p.nextRaw()
		if err != nil {
			return parquetPage{}, err
		}
		var page parquetPage
		switch h.kind {
		case 0, 3:
			page, err = p.decode(h, data)
			p.left -= h.values
		case 2:
			if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary || p.hasDict {
				err = errors.New("want one dictionary of plain values")
				break
			}
			p.hasDict = true
			p.words, err = p.plain(data, int(h.values))
		default:
			continue // an index
		}
		if err != nil {
			return parquetPage{}, p.file.errorAt(at, "page of column %s: %w", p.leaf.path[0], err)
		}
		if h.kind != 2 && h.values > 0 {
			return page, nil
		}
	}
	return parquetPage{}, io.EOF
}

// nextRaw reads the next page and decompresses it.
func (p *parquetPages) nextRaw() (h pageHeader, data []byte, err error) {
	const mostHeader = 1 << 20 // it may hold the smallest and the largest value
	at := p.at
	var t *thriftReader
	var head []byte
	for size := int64(1 << 10); ; size *= 16 {
		head = make([]byte, min(size, p.chunk.end-at))
		if err = p.file.readAt(head, at); err != nil {
			return h, nil, err
		}
		t = &thriftReader{rest: head}
		if h = readPageHeader(t); t.err == nil {
			break
		}
		if size >= mostHeader || int64(len(head)) < size {
			return h, nil, p.file.errorAt(at, "page header: %w", t.err)
		}
	}
	start := at + int64(len(head)-len(t.rest))
	if h.packed < 0 || h.packed > p.chunk.end-start || h.unpacked < 0 || h.unpacked > p.file.mostBytes() ||
		h.values < 0 || h.values > mostPageValues || h.values > p.left && h.kind != 2 {
		return h, nil, p.file.errorAt(at, "a page of %d values in %d bytes, %d when unpacked: more than the column has", h.values, h.packed, h.unpacked)
	}
	raw := make([]byte, h.packed)
	if err = p.file.readAt(raw, start); err != nil {
		return h, nil, err
	}
	p.at = start + h.packed
	levels := int64(0)
	if h.kind == 3 {
		if levels = h.definitions + h.repetitions; h.definitions < 0 || h.repetitions < 0 || levels > min(h.packed, h.unpacked) {
			return h, nil, p.file.errorAt(at, "levels of %d bytes in a page of %d", levels, h.packed)
		}
	}
	if h.uncompressed {
		return h, raw, nil
	}
	data, err = unpack(p.chunk.codec, raw[levels:], int(h.unpacked-levels))
	if err != nil {
		return h, nil, p.file.errorAt(at, "page of column %s: %w", p.leaf.path[0], err)
	}
	return h, append(raw[:levels:levels], data...), nil
}

// zstdWindow is the memory that a page of zstd may ask for besides its content, bytes: the window of
// the highest level that is in common use.
const zstdWindow = 8 << 20

// unpack decompresses what must have size bytes.
func unpack(codec int64, raw []byte, size int) (out []byte, err error) {
	switch codec {
	case 0:
		out = raw
	case 1:
		if n, _ := snappy.DecodedLen(raw); n != size {
			return nil, fmt.Errorf("%d bytes in Snappy, want %d", n, size)
		}
		out, err = snappy.Decode(nil, raw)
	case 2:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(raw)); err == nil {
			out, err = io.ReadAll(io.LimitReader(r, int64(size)+1))
		}
	case 6:
		var d *zstd.Decoder
		if d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(size)+zstdWindow)); err == nil {
			out, err = d.DecodeAll(raw, nil)
			d.Close()
		}
	case 7:
		out = make([]byte, size)
		var n int
		n, err = lz4.UncompressBlock(raw, out)
		out = out[:max(n, 0)]
	default:
		return nil, fmt.Errorf("compressed with codec %d, want none, snappy, gzip, zstd or lz4_raw", codec)
	}
	if err == nil && len(out) != size {
		err = fmt.Errorf("%d bytes when unpacked, want %d", len(out), size)
	}
	return out, err
}

// decode decodes a page of values.
func (p *parquetPages) decode(h pageHeader, data []byte) (page parquetPage, err error) {
	n := int(h.values)
	if h.kind == 3 {
		if page.repetitions, err = levels(data[:h.repetitions], n, p.leaf.repetition); err != nil {
			return page, err
		}
		data = data[h.repetitions:]
		if page.definitions, err = levels(data[:h.definitions], n, p.leaf.definition); err != nil {
			return page, err
		}
		data = data[h.definitions:]
	} else {
		if page.repetitions, data, err = levelsV1(data, n, p.leaf.repetition, h.repetitionEncoding); err != nil {
			return page, err
		}
		if page.definitions, data, err = levelsV1(data, n, p.leaf.definition, h.definitionEncoding); err != nil {
			return page, err
		}
	}
	// Where a value is missing, its row is refused before values are looked at.
	present := n
	for _, d := range page.definitions {
		if int(d) != p.leaf.definition {
			present--
		}
	}
	var values parquetPage
	switch h.encoding {
	case encodingPlain:
		values, err = p.plain(data, present)
	case encodingPlainDictionary, encodingDictionary:
		values, err = p.indexed(data, present)
	case encodingSplit:
		values, err = p.split(data, present)
	case encodingRLE:
		values, err = p.truths(data, present)
	default:
		return page, fmt.Errorf("encoding %d, want plain values, a dictionary or byte_stream_split", h.encoding)
	}
	page.floats, page.ints, page.strings = values.floats, values.ints, values.strings
	return page, err
}

// levelsV1 decodes levels that have their length before them.
func levelsV1(data []byte, n, most int, encoding int64) (out, rest []byte, err error) {
	if most == 0 {
		return nil, data, nil
	}
	if encoding != encodingRLE {
		return nil, nil, fmt.Errorf("levels in encoding %d, want RLE", encoding)
	}
	if len(data) < 4 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(data)
	if data = data[4:]; uint64(size) > uint64(len(data)) {
		return nil, nil, fmt.Errorf("levels of %d bytes in a page of %d", size, len(data))
	}
	out, err = levels(data[:size], n, most)
	return out, data[size:], err
}

// levels decodes n levels up to most. It returns none where most is 0.
func levels(data []byte, n, most int) ([]byte, error) {
	if most == 0 {
		return nil, nil
	}
	out := make([]byte, 0, n)
	err := hybrid(data, n, bits.Len(uint(most)), func(v uint64) { out = append(out, byte(v)) })
	return out, err
}

// hybrid decodes n numbers of a width (bits) from runs: of one number repeated, or of numbers side by
// side.
func hybrid(data []byte, n, width int, visit func(uint64)) error {
	if width > 32 {
		return fmt.Errorf("numbers of %d bits, want at most 32", width)
	}
	for n > 0 {
		head, used := binary.Uvarint(data)
		if used <= 0 || head < 2 {
			return io.ErrUnexpectedEOF
		}
		data = data[used:]
		if head&1 == 0 {
			size := (width + 7) / 8
			if len(data) < size {
				return io.ErrUnexpectedEOF
			}
			value := uint64(0)
			for i := range size {
				value |= uint64(data[i]) << (8 * i)
			}
			data = data[size:]
			for range min(head>>1, uint64(n)) {
				visit(value)
				n--
			}
			continue
		}
		groups := min(head>>1, uint64(n+7)/8) // the last run is padded to eight
		if uint64(len(data)) < groups*uint64(width) {
			return io.ErrUnexpectedEOF
		}
		for k := range min(int(groups)*8, n) {
			value, bit := uint64(0), k*width
			for i := range width {
				value |= uint64(data[(bit+i)/8]>>((bit+i)%8)&1) << i
			}
			visit(value)
		}
		n -= min(int(groups)*8, n)
		data = data[groups*uint64(width):]
	}
	return nil
}

// plain decodes n values one after the other.
func (p *parquetPages) plain(data []byte, n int) (page parquetPage, err error) {
	var size int
	kind, isFloat := p.leaf.floats()
	switch {
	case isFloat:
		size = kind.size
	case p.leaf.physical == parquetInt32:
		size = 4
	case p.leaf.physical == parquetInt64:
		size = 8
	case p.leaf.physical == parquetBoolean:
		if len(data) < (n+7)/8 {
			return page, io.ErrUnexpectedEOF
		}
		for i := range n {
			page.ints = append(page.ints, int64(data[i/8]>>(i%8)&1))
		}
		return page, nil
	default:
		return plainStrings(data, n)
	}
	if len(data)/size < n {
		return page, io.ErrUnexpectedEOF
	}
	if isFloat {
		page.floats = make([]float32, n)
		kind.decode(binary.LittleEndian, data[:n*size], page.floats, 1)
		return page, nil
	}
	page.ints = make([]int64, n)
	for i := range n {
		switch v := data[i*size:]; {
		case size == 8:
			page.ints[i] = int64(binary.LittleEndian.Uint64(v))
			if p.leaf.unsigned() && page.ints[i] < 0 {
				return page, fmt.Errorf("%d does not fit in an int64", uint64(page.ints[i]))
			}
		case p.leaf.unsigned():
			page.ints[i] = int64(binary.LittleEndian.Uint32(v))
		default:
			page.ints[i] = int64(int32(binary.LittleEndian.Uint32(v)))
		}
	}
	return page, nil
}

// plainStrings decodes n strings, each behind its length.
func plainStrings(data []byte, n int) (page parquetPage, err error) {
	if len(data)/4 < n {
		return page, io.ErrUnexpectedEOF
	}
	page.strings = make([]string, n)
	for i := range n {
		if len(data) < 4 {
			return page, io.ErrUnexpectedEOF
		}
		size := binary.LittleEndian.Uint32(data)
		if data = data[4:]; uint64(size) > uint64(len(data)) {
			return page, io.ErrUnexpectedEOF
		}
		page.strings[i], data = string(data[:size]), data[size:]
	}
	return page, nil
}

// indexed decodes n values that are numbers of the dictionary's.
func (p *parquetPages) indexed(data []byte, n int) (page parquetPage, err error) {
	if !p.hasDict {
		return page, errors.New("no dictionary before it")
	}
	if n == 0 {
		return page, nil
	}
	if len(data) == 0 {
		return page, io.ErrUnexpectedEOF
	}
	w, words := p.words, uint64(len(p.words.floats)+len(p.words.ints)+len(p.words.strings))
	err = hybrid(data[1:], n, int(data[0]), func(i uint64) {
		switch {
		case i >= words:
			panic(fmt.Sprintf("word %d of a dictionary of %d", i, words))
		case w.floats != nil:
			page.floats = append(page.floats, w.floats[i])
		case w.ints != nil:
			page.ints = append(page.ints, w.ints[i])
		default:
			page.strings = append(page.strings, w.strings[i])
		}
	})
	return page, err
}

// split decodes n values whose first bytes come first, then their second bytes, and so on.
func (p *parquetPages) split(data []byte, n int) (parquetPage, error) {
	size := 4
	if kind, ok := p.leaf.floats(); ok {
		size = kind.size
	} else if p.leaf.physical == parquetInt64 {
		size = 8
	} else if p.leaf.physical != parquetInt32 {
		return parquetPage{}, errors.New("byte_stream_split of values that have no fixed size")
	}
	if len(data)/size < n {
		return parquetPage{}, io.ErrUnexpectedEOF
	}
	joined := make([]byte, n*size)
	for i := range n {
		for b := range size {
			joined[i*size+b] = data[b*n+i]
		}
	}
	return p.plain(joined, n)
}

// truths decodes n booleans in runs, behind the length of the runs.
func (p *parquetPages) truths(data []byte, n int) (page parquetPage, err error) {
	if p.leaf.physical != parquetBoolean || len(data) < 4 {
		return page, errors.New("runs of values that are no booleans")
	}
	return page, hybrid(data[4:], n, 1, func(v uint64) { page.ints = append(page.ints, int64(v)) })
}
