package datasets

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"golang.org/x/sync/errgroup"
)

// A Dataset is an open, prepared data set. Everything but the images is in memory; an image is read
// from its part when it is asked for. Rows are numbered from 0 in the order of the files: by split,
// class and id. Several goroutines may use a Dataset at once.
type Dataset struct {
	Manifest Manifest

	rows   []stored // image is nil
	parts  []*os.File
	budget budget
}

// Open opens the data set in dir. It checks the manifest's seal, the digest of the index, the sizes of
// the parts, and that the manifest says what the index says, its digest and labels among it. Images are
// compared with their digests when they are read. Verify checks everything at once.
//
// All files are those of one folder, also where the data set is replaced meanwhile.
func Open(dir string) (*Dataset, error) {
	const tries = 5
	for try := 1; ; try++ {
		folder, err := openFolder(dir)
		if err != nil {
			return nil, err
		}
		d, err := openIt(folder)
		// The files of a data set that was replaced are removed: then there is a new one.
		gone := errors.Is(err, fs.ErrNotExist) && !isAt(folder, dir)
		if _ = folder.Close(); !gone || try == tries { // it was only read
			return d, err
		}
	}
}

// isAt reports whether an open folder is still the one at path.
func isAt(folder *os.File, path string) bool {
	a, err := folder.Stat()
	b, failed := os.Stat(path)
	return err == nil && failed == nil && os.SameFile(a, b)
}

// openIt opens the data set in an open folder.
func openIt(folder *os.File) (*Dataset, error) {
	m, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Manifest: *m, budget: newBudget()}
	if err = d.open(folder); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", folder.Name(), err), d.Close())
	}
	return d, nil
}

// open opens the parts and reads the index.
func (d *Dataset) open(dir *os.File) error {
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
	metadata, err := d.Manifest.metadata()
	if err != nil {
		return err
	}
	// The digest of the file, the columns, and the digest of the rows take about as long. They are done
	// at once; what a changed file says is an error of its digest.
	var group errgroup.Group
	sum, batches := make(chan error, 1), make(chan []stored, 16)
	group.Go(func() error {
		sum <- checkSum(f, d.Manifest.Index)
		return nil
	})
	group.Go(func() error { return d.compare(batches) })
	d.rows = make([]stored, 0, d.Manifest.Rows)
	err = d.readIndex(f, metadata, batches)
	close(batches)
	compared := group.Wait()
	if changed := <-sum; changed != nil {
		return changed
	}
	if err != nil {
		return err
	}
	return compared
}

// readIndex reads the rows of the index, and sends those of each batch.
func (d *Dataset) readIndex(f *os.File, metadata arrow.Metadata, batches chan<- []stored) error {
	err := eachRecord(f, func(batch int, r arrow.Record) error {
		if want := indexSchema(metadata); batch == 0 && !sameColumns(r.Schema(), want) {
			return fmt.Errorf("%s: columns are %v, want %v", indexName, r.Schema(), want)
		}
		if got := r.Schema().Metadata(); batch == 0 && !got.Equal(metadata) {
			return fmt.Errorf("%s: metadata is %v, want %v as in %s", indexName, got, metadata, manifestName)
		}
		d.rows = appendShared(d.rows, r)
		rows := d.rows[len(d.rows)-int(r.NumRows()):]
		n := len(sharedFields())
		sum, part := r.Column(n).(*array.FixedSizeBinary), r.Column(n+1).(*array.Int32)
		offset, size := r.Column(n+2).(*array.Int64), r.Column(n+3).(*array.Int32)
		for i := range rows {
			s := &rows[i]
			s.sum, s.part, s.offset, s.size = [32]byte(sum.Value(i)), int(part.Value(i)), offset.Value(i), int(size.Value(i))
			if s.part < 0 || s.part >= len(d.parts) || s.size < 0 || s.offset < 0 || s.offset > d.Manifest.Parts[s.part].Bytes-int64(s.size) {
				return fmt.Errorf("%s: row %d lies outside its part", indexName, len(d.rows)-len(rows)+i)
			}
		}
		batches <- rows
		return nil
	})
	if err == nil && len(d.rows) != d.Manifest.Rows {
		err = fmt.Errorf("%s: has %d rows, want %d", indexName, len(d.rows), d.Manifest.Rows)
	}
	return err
}

// compare compares the manifest with the rows of the index: their order, counts and digest. It takes all
// batches, also behind an error.
func (d *Dataset) compare(batches <-chan []stored) error {
	m := d.Manifest
	counts, classes := map[string]int{}, map[string]int{}
	sum, err := newDigest(m)
	var last *stored
	row := 0
	for rows := range batches {
		for i := range rows {
			if err != nil {
				break
			}
			s := &rows[i]
			split := string(s.row.Split)
			counts[split]++
			if last == nil || last.row.Split != s.row.Split || last.row.Class != s.row.Class {
				classes[split]++
			}
			if last != nil && !last.before(*s) {
				err = fmt.Errorf("%s: row %d is not in order of split, class and id", indexName, row)
			}
			for _, text := range []string{s.row.Name, s.row.ClassName, s.row.Superclass} { // they are printed
				if hasControl(text) {
					err = fmt.Errorf("%s: row %d: %s has control characters", indexName, row, quote(text))
				}
			}
			sum.row(*s)
			last = s
			row++
		}
	}
	if err != nil {
		return err
	}
	if !maps.Equal(counts, m.Counts) {
		return fmt.Errorf("%s: counts are %v, want %v as in %s", manifestName, m.Counts, counts, indexName)
	}
	if !maps.Equal(classes, m.Classes) {
		return fmt.Errorf("%s: classes are %v, want %v as in %s", manifestName, m.Classes, classes, indexName)
	}
	if got := sum.finish(m); got != m.Digest {
		return fmt.Errorf("%s: digest is %s, want %s of %s", manifestName, m.Digest, got, indexName)
	}
	return nil
}

// hasControl reports whether a text has a character for which isControl is true. Most texts are ASCII.
func hasControl(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return strings.ContainsFunc(text, isControl)
		}
	}
	return false
}

// before reports whether s is stored before t.
func (s stored) before(t stored) bool {
	if a, b := splitRank(s.row.Split), splitRank(t.row.Split); a != b {
		return a < b
	}
	if s.row.Class != t.row.Class {
		return s.row.Class < t.row.Class
	}
	return s.row.ID < t.row.ID
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

// Digest returns the digest of the rows that are open and of the options they were stored with. It is
// that of the manifest, which Open has compared with the rows: a caller that planned with an earlier
// manifest learns from it whether the data set was replaced in between.
func (d *Dataset) Digest() string { return d.Manifest.Digest }

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
// raw pixels. An image that does not fit its digest in the index is an error.
func (d *Dataset) Image(i int) ([]byte, error) {
	data := make([]byte, d.rows[i].size)
	return data, d.read(i, data)
}

// read reads row i's image into data, which has the size of the image, and compares it with its digest.
func (d *Dataset) read(i int, data []byte) error {
	s := d.rows[i]
	if _, err := d.parts[s.part].ReadAt(data, s.offset); err != nil {
		return fmt.Errorf("%s: row %d (%s): %w", d.Manifest.Parts[s.part].Name, i, s.row.Name, err)
	}
	if sha256.Sum256(data) != s.sum {
		return fmt.Errorf("%s: row %d (%s): image does not fit its image_sha256 in %s: the part was changed after it was written; ingest again",
			d.Manifest.Parts[s.part].Name, i, s.row.Name, indexName)
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
	sum := contentDigest{hash: sha256.New()}
	for _, i := range rows {
		s := d.rows[i]
		sum.number(s.row.ID)
		sum.number(int64(s.row.Class))
		sum.text(string(s.row.Split))
		sum.number(int64(s.row.List))
		sum.buf = append(sum.buf, s.sum[:]...)
		sum.flush()
	}
	return sum.sum()
}

// openPart opens a file of a data set and checks its size.
func openPart(dir *os.File, p Part) (*os.File, error) {
	f, size, err := openIn(dir, p.Name)
	if err != nil {
		return nil, err
	}
	if size != p.Bytes {
		return nil, errors.Join(fmt.Errorf("%s: has %d bytes, want %d as in %s", p.Name, size, p.Bytes, manifestName), f.Close())
	}
	return f, nil
}
