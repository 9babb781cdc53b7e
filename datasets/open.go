package datasets

import (
	"crypto/sha256"
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
)

// A Dataset is an open, prepared data set. Everything but the images is in memory; an image is read
// from its part when it is asked for. Rows are numbered from 0 in the order of the files: by split,
// class and id. Several goroutines may use a Dataset at once.
type Dataset struct {
	Manifest Manifest

	rows  []stored // image is nil
	parts []*os.File
}

// Open opens the data set in dir. It checks the digest of the index and the sizes of the parts;
// Verify checks everything.
func Open(dir string) (*Dataset, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Manifest: *m}
	if err = d.open(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), d.Close())
	}
	return d, nil
}

// open opens the parts and reads the index.
func (d *Dataset) open(dir string) error {
	for _, p := range d.Manifest.Parts {
		f, err := openPart(dir, p)
		if err != nil {
			return err
		}
		d.parts = append(d.parts, f)
	}
	f, err := openPart(dir, d.Manifest.Index)
	if err != nil {
		return err
	}
	defer f.Close()
	if err = checkSum(f, d.Manifest.Index); err != nil {
		return err
	}
	d.rows = make([]stored, 0, d.Manifest.Rows)
	err = eachRecord(f, func(_ int, r arrow.Record) error {
		if want := indexSchema(arrow.Metadata{}); !sameColumns(r.Schema(), want) {
			return fmt.Errorf("%s: columns are %v, want %v", indexName, r.Schema(), want)
		}
		d.rows = appendShared(d.rows, r)
		batch := d.rows[len(d.rows)-int(r.NumRows()):]
		n := len(sharedFields())
		sum, part := r.Column(n).(*array.FixedSizeBinary), r.Column(n+1).(*array.Int32)
		offset, size := r.Column(n+2).(*array.Int64), r.Column(n+3).(*array.Int32)
		for i := range batch {
			s := &batch[i]
			s.sum, s.part, s.offset, s.size = [32]byte(sum.Value(i)), int(part.Value(i)), offset.Value(i), int(size.Value(i))
			if s.part < 0 || s.part >= len(d.parts) || s.size < 0 || s.offset < 0 || s.offset+int64(s.size) > d.Manifest.Parts[s.part].Bytes {
				return fmt.Errorf("%s: row %d lies outside its part", indexName, len(d.rows)-len(batch)+i)
			}
		}
		return nil
	})
	if err == nil && len(d.rows) != d.Manifest.Rows {
		err = fmt.Errorf("%s: has %d rows, want %d", indexName, len(d.rows), d.Manifest.Rows)
	}
	return err
}

// Close closes the files.
func (d *Dataset) Close() error {
	var all []error
	for _, f := range d.parts {
		all = append(all, f.Close())
	}
	d.parts = nil
	return errors.Join(all...)
}

// Len returns the number of images.
func (d *Dataset) Len() int { return len(d.rows) }

// ID returns the number of row i in the official lists.
func (d *Dataset) ID(i int) int64 { return d.rows[i].row.ID }

// Name returns the path or name of row i in the lists.
func (d *Dataset) Name(i int) string { return d.rows[i].row.Name }

// Class returns the class number of row i in the lists.
func (d *Dataset) Class(i int) int32 { return d.rows[i].row.Class }

// ClassName returns the name of row i's class.
func (d *Dataset) ClassName(i int) string { return d.rows[i].row.ClassName }

// Superclass returns the name of row i's super class, empty where the set has none.
func (d *Dataset) Superclass(i int) string { return d.rows[i].row.Superclass }

// Split returns the split of row i.
func (d *Dataset) Split(i int) Split { return d.rows[i].row.Split }

// List returns the test lists of VehicleID that row i is in, as bits: 1 = 800, 2 = 1600, 4 = 2400.
func (d *Dataset) List(i int) uint8 { return d.rows[i].row.List }

// Size returns the width and height of row i's original image, upright, in pixels.
func (d *Dataset) Size(i int) (width, height int) { return d.rows[i].width, d.rows[i].height }

// Box returns row i's box in its original image, clipped to the image, or nil.
func (d *Dataset) Box(i int) *Box { return d.rows[i].box }

// SHA256 returns the digest of the source file of row i.
func (d *Dataset) SHA256(i int) [32]byte { return d.rows[i].source }

// Image returns row i's image as it is stored: a JPEG, or RGB [Size][Size][3] in a data set with
// raw pixels.
func (d *Dataset) Image(i int) ([]byte, error) {
	data := make([]byte, d.rows[i].size)
	return data, d.read(i, data)
}

// read reads row i's image into data, which has the size of the image.
func (d *Dataset) read(i int, data []byte) error {
	s := d.rows[i]
	if _, err := d.parts[s.part].ReadAt(data, s.offset); err != nil {
		return fmt.Errorf("%s: row %d (%s): %w", d.Manifest.Parts[s.part].Name, i, s.row.Name, err)
	}
	return nil
}

// Rows returns the rows of the given splits, ascending; of all splits when none is given.
func (d *Dataset) Rows(splits ...Split) []int {
	var rows []int
	for i, s := range d.rows {
		if len(splits) == 0 || slices.Contains(splits, s.row.Split) {
			rows = append(rows, i)
		}
	}
	return rows
}

// TestHash returns a digest of what an evaluation of rows depends on: id, class, split, list and
// stored image of each, in the given order.
func (d *Dataset) TestHash(rows []int) string {
	sum := contentDigest{sha256.New()}
	for _, i := range rows {
		s := d.rows[i]
		sum.number(s.row.ID)
		sum.number(int64(s.row.Class))
		sum.text(string(s.row.Split))
		sum.number(int64(s.row.List))
		sum.h.Write(s.sum[:])
	}
	return hex.EncodeToString(sum.h.Sum(nil))
}

// openPart opens a file of a data set and checks its size.
func openPart(dir string, p Part) (*os.File, error) {
	f, err := os.Open(filepath.Join(dir, p.Name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != p.Bytes {
		err = fmt.Errorf("%s: has %d bytes, want %d", p.Name, info.Size(), p.Bytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkSum compares a file with its digest.
func checkSum(f *os.File, p Part) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, p.Bytes)); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("%s: sha256 is %s, want %s", p.Name, got, p.SHA256)
	}
	return nil
}

// eachRecord calls use with each batch of an Arrow file; the batch is valid until use returns.
// Arrow's reader panics on some damaged files, which becomes an error here.
func eachRecord(f *os.File, use func(batch int, r arrow.Record) error) (err error) {
	name := filepath.Base(f.Name())
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged Arrow file: %v", name, p)
		}
	}()
	r, err := ipc.NewFileReader(f)
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
