package datasets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// sizeLimits bound what is written at a time.
type sizeLimits struct {
	batch int64 // bytes of images and names in a record batch; a larger image gets a batch of its own
	part  int64 // bytes of a part
	index int   // rows in a record batch of the index
}

// standardLimits returns the limits of Ingest. Batches are small because Arrow readers may load a
// whole batch to show one row.
func standardLimits() sizeLimits {
	return sizeLimits{batch: 4 << 20, part: 256 << 20, index: 4096}
}

// partReserve is kept free in a part for its footer and the padding of one batch.
const partReserve = 1 << 20

// A writer writes the parts and the index of a data set. Rows come in the order in which they are
// stored. A batch ends before the first class that does not fit into it.
type writer struct {
	dir         string
	limits      sizeLimits
	dicts       dictionaries
	schema      *arrow.Schema // of the parts
	indexSchema *arrow.Schema

	batch      []stored
	bytes      int64 // of batch
	classStart int   // first row of batch with the class of its last row

	part      *arrowFile // nil: none is open
	index     *arrowFile
	inPart    []stored // rows of the open part
	unindexed []stored // rows that the index still lacks
	parts     []Part

	whole func(p Part, rows []stored) error // is told of each part that is finished
}

// newWriter starts the files in dir.
func newWriter(dir string, m Manifest, rows []*Row, l sizeLimits, whole func(p Part, rows []stored) error) (*writer, error) {
	metadata, err := m.metadata()
	if err != nil {
		return nil, err
	}
	w := &writer{
		dir: dir, limits: l, dicts: newDictionaries(rows),
		schema: partSchema(m.Options, metadata), indexSchema: indexSchema(metadata), whole: whole,
	}
	w.index, err = createArrow(dir, indexName, w.indexSchema)
	return w, err
}

// add stores a row.
func (w *writer) add(s stored) error {
	size := int64(s.size + len(s.row.Name))
	for len(w.batch) > 0 && w.bytes+size > w.limits.batch {
		n := w.classStart
		if n == 0 {
			n = len(w.batch)
		}
		if err := w.flush(n); err != nil {
			return err
		}
	}
	if n := len(w.batch); n == 0 || w.batch[n-1].row.Class != s.row.Class || w.batch[n-1].row.Split != s.row.Split {
		w.classStart = n
	}
	w.batch = append(w.batch, s)
	w.bytes += size
	return nil
}

// flush writes the first n rows of the batch.
func (w *writer) flush(n int) error {
	rows := w.batch[:n]
	var size int64
	for _, s := range rows {
		size += int64(s.size + len(s.row.Name))
	}
	need := size + int64(n)*128 + partReserve
	if w.part != nil && w.part.size+need > w.limits.part {
		if err := w.closePart(); err != nil {
			return err
		}
	}
	if w.part == nil {
		var err error
		if w.part, err = createArrow(w.dir, partName(len(w.parts)), w.schema); err != nil {
			return err
		}
	}
	if err := w.part.write(w.dicts.partRecord(w.schema, rows)); err != nil {
		return err
	}
	if err := w.locateImages(rows); err != nil {
		return err
	}
	w.inPart = append(w.inPart, rows...)
	w.unindexed = append(w.unindexed, rows...)
	w.batch = append([]stored(nil), w.batch[n:]...)
	w.bytes -= size
	w.classStart = max(w.classStart-n, 0)
	return w.flushIndex(w.limits.index)
}

// locateImages notes where the images of the batch that was just written lie. They are the last
// buffer of the batch, which Arrow pads with zeros to a multiple of 8 bytes.
func (w *writer) locateImages(rows []stored) error {
	var total int64
	for i := range rows {
		total += int64(rows[i].size)
	}
	at := w.part.size - (total+7)/8*8
	for i := range rows {
		rows[i].part, rows[i].offset = len(w.parts), at
		at += int64(rows[i].size)
	}
	// The position follows from the format. To be sure, the first image is read back.
	first := rows[0]
	got := make([]byte, first.size)
	if err := w.part.readAt(got, first.offset); err != nil {
		return err
	}
	if !bytes.Equal(got, first.image) {
		return fmt.Errorf("%s: image is not at offset %d of the file", w.part.name, first.offset)
	}
	for i := range rows {
		rows[i].image = nil
	}
	return nil
}

// flushIndex writes the rows that the index lacks, in batches of n rows. Fewer than n rows are
// left.
func (w *writer) flushIndex(n int) error {
	for len(w.unindexed) >= n {
		if err := w.index.write(w.dicts.indexRecord(w.indexSchema, w.unindexed[:n])); err != nil {
			return err
		}
		w.unindexed = append([]stored(nil), w.unindexed[n:]...)
	}
	return nil
}

// closePart finishes the open part.
func (w *writer) closePart() error {
	p, err := w.part.close()
	w.part = nil
	if err != nil {
		return err
	}
	w.parts = append(w.parts, p)
	err = w.whole(p, w.inPart)
	w.inPart = nil
	return err
}

// takeOver adds a part that is there already, before any row is added. The next row begins a batch and a
// part, as it does where the part is written.
func (w *writer) takeOver(p Part, rows []stored) error {
	w.parts = append(w.parts, p)
	w.unindexed = append(w.unindexed, rows...)
	return w.flushIndex(w.limits.index)
}

// finish writes what is left and returns the parts and the index.
func (w *writer) finish() (parts []Part, index Part, err error) {
	for len(w.batch) > 0 {
		if err = w.flush(len(w.batch)); err != nil {
			return nil, Part{}, err
		}
	}
	if w.part != nil {
		if err = w.closePart(); err != nil {
			return nil, Part{}, err
		}
	}
	if len(w.unindexed) > 0 {
		if err = w.flushIndex(len(w.unindexed)); err != nil {
			return nil, Part{}, err
		}
	}
	index, err = w.index.close()
	w.index = nil
	return w.parts, index, err
}

// abandon removes the files that are still being written. It does nothing after finish.
func (w *writer) abandon() {
	for _, f := range []*arrowFile{w.part, w.index} {
		if f != nil {
			_ = f.file.abandon() // the whole folder goes
		}
	}
	w.part, w.index = nil, nil
}

// partName is the file name of part i.
func partName(i int) string { return fmt.Sprintf("part-%04d.arrow", i) }

// An arrowFile is an Arrow file while it is written. Its bytes are hashed on the way.
type arrowFile struct {
	name   string
	file   *newFile
	buffer *bufio.Writer
	hash   hash.Hash
	size   int64 // bytes written
	rows   int
	arrow  *ipc.FileWriter
}

// createArrow starts an Arrow file.
func createArrow(dir, name string, schema *arrow.Schema) (*arrowFile, error) {
	f := &arrowFile{name: name, hash: sha256.New()}
	var err error
	if f.file, err = createFile(filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	f.buffer = bufio.NewWriterSize(io.MultiWriter(f.file, f.hash), 1<<20)
	if f.arrow, err = ipc.NewFileWriter(f, ipc.WithSchema(schema)); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", name, err), f.file.abandon())
	}
	return f, nil
}

// Write is for the Arrow writer.
func (f *arrowFile) Write(p []byte) (int, error) {
	n, err := f.buffer.Write(p)
	f.size += int64(n)
	return n, err
}

// Seek tells the Arrow writer its position; it asks for nothing else.
func (f *arrowFile) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("datasets: an Arrow file is written from start to end")
	}
	return f.size, nil
}

// write writes a batch.
func (f *arrowFile) write(r arrow.Record) error {
	f.rows += int(r.NumRows())
	return f.wrap(f.arrow.Write(r))
}

// readAt reads back what was written.
func (f *arrowFile) readAt(p []byte, offset int64) error {
	if err := f.buffer.Flush(); err != nil {
		return f.wrap(err)
	}
	_, err := f.file.ReadAt(p, offset)
	return f.wrap(err)
}

// close finishes the file: it writes the footer and gives the file its name.
func (f *arrowFile) close() (Part, error) {
	err := f.arrow.Close()
	if err == nil {
		err = f.buffer.Flush()
	}
	if err == nil {
		err = f.file.commit()
	} else {
		err = errors.Join(err, f.file.abandon())
	}
	return Part{Name: f.name, SHA256: hex.EncodeToString(f.hash.Sum(nil)), Bytes: f.size, Rows: f.rows}, f.wrap(err)
}

// wrap adds the name of the file to an error.
func (f *arrowFile) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", f.name, err)
}
