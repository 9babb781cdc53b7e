package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A journal notes the whole parts of an ingest that has not ended, so that the next one goes on from
// them. It has a folder beside the one that is filled, with a sealed JSON file for each part. What a part
// holds depends on the rows before it, so the parts that are used again are those from the first on.
type journal struct {
	partial string // the hidden folder that becomes the data set
	dir     string // the hidden folder of the notes
	key     string // of the ingest: notes of another one are not used
	whole   int    // parts that are noted
}

// A journalEntry is the note of a part.
type journalEntry struct {
	Key        string       `json:"key"`
	Part       Part         `json:"part"`
	Taken      int          `json:"taken"` // rows of the lists that are dealt with in this part and those before
	Rows       []journalRow `json:"rows"`
	Quarantine []journalBad `json:"quarantine"` // rows that are dealt with in this part
	Seal       string       `json:"seal,omitempty"`
}

// A journalRow is what the index has about a row of a part.
type journalRow struct {
	At     int    `json:"at"` // number of the row in the sorted lists
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Box    *Box   `json:"box,omitempty"`
	Source []byte `json:"source"` // SHA-256
	Sum    []byte `json:"sum"`    // SHA-256
	Size   int    `json:"size"`
	Offset int64  `json:"offset"`
}

// A journalBad is an image in quarantine.
type journalBad struct {
	At int `json:"at"`
	Quarantined
}

// newJournal returns the journal of an ingest of rows into dir.
func newJournal(dir string, m Manifest, rows []*Row, l sizeLimits) (*journal, error) {
	key, err := journalKey(m, rows, l)
	if err != nil {
		return nil, err
	}
	j := &journal{partial: hiddenDir(dir, "partial"), dir: hiddenDir(dir, "journal"), key: key}
	for _, folder := range []string{j.partial, j.dir} {
		if err = os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// journalKey returns a digest of all that decides the bytes of a part but the image files: the schema
// with its metadata, every row, and how rows are put into batches and parts. The release of Go is in it
// because its encoder writes the JPEGs.
func journalKey(m Manifest, rows []*Row, l sizeLimits) (string, error) {
	metadata, err := m.metadata()
	if err != nil {
		return "", err
	}
	const version = 1
	d := contentDigest{hash: sha256.New()}
	d.number(version)
	d.text(runtime.Version())
	for i, key := range metadata.Keys() {
		d.text(key)
		d.text(metadata.Values()[i])
	}
	d.number(l.batch)
	d.number(l.part)
	for _, r := range rows {
		d.number(r.ID)
		d.number(int64(r.Class))
		d.number(int64(r.List))
		for _, text := range []string{r.Name, r.ClassName, r.Superclass, string(r.Split), r.Line} {
			d.text(text)
		}
		if b := r.Box; b != nil {
			d.text(fmt.Sprint(*b))
		}
		d.flush()
	}
	return d.sum(), nil
}

// add notes a part.
func (j *journal) add(e journalEntry) error {
	e.Key = j.key
	data, err := sealJSON(e)
	if err != nil {
		return err
	}
	if err = writeFile(j.path(j.whole), data); err != nil {
		return err
	}
	j.whole++
	return nil
}

// path returns the file of the note of part i.
func (j *journal) path(i int) string {
	return filepath.Join(j.dir, strings.TrimSuffix(partName(i), ".arrow")+".json")
}

// read returns the note of part i, or nil where there is none that can be used for an ingest of so many
// rows. taken are the rows that the parts before deal with.
func (j *journal) read(i, taken, rows int) *journalEntry {
	f, size, err := openRegular(j.path(i))
	if err != nil {
		return nil
	}
	data, err := readAll(f, f.Name(), size, maxManifestBytes)
	if err != nil {
		return nil
	}
	var e journalEntry
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&e) != nil || checkSeal(data, e.Seal) != nil || e.Key != j.key || e.Part.Name != partName(i) {
		return nil
	}
	if e.Taken > rows || len(e.Rows) != e.Part.Rows || len(e.Rows)+len(e.Quarantine) != e.Taken-taken {
		return nil
	}
	at := map[int]bool{}
	for _, r := range e.Rows {
		at[r.At] = true
		if r.At < taken || r.At >= e.Taken || len(r.Source) != sha256.Size || len(r.Sum) != sha256.Size {
			return nil
		}
	}
	for _, q := range e.Quarantine {
		at[q.At] = true
		if q.At < taken || q.At >= e.Taken {
			return nil
		}
	}
	if len(at) != e.Taken-taken {
		return nil
	}
	return &e
}

// intact reports whether a part is still what was written.
func (j *journal) intact(p Part) bool {
	f, size, err := openRegular(filepath.Join(j.partial, p.Name))
	if err != nil {
		return false
	}
	defer f.Close()
	return size == p.Bytes && checkSum(f, p) == nil
}

// keep removes all but the first n parts and their notes.
func (j *journal) keep(n int) error {
	j.whole = n
	wanted := []string{indexName + ".tmp"} // which is being written
	for i := range n {
		wanted = append(wanted, partName(i), filepath.Base(j.path(i)))
	}
	for _, dir := range []string{j.partial, j.dir} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if slices.Contains(wanted, e.Name()) {
				continue
			}
			if err = os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave returns the error of an ingest that ended early. Whole parts stay for the next one.
func (j *journal) leave(err error) error {
	if j.whole == 0 {
		return errors.Join(err, os.RemoveAll(j.partial), os.RemoveAll(j.dir))
	}
	return fmt.Errorf("%w\nwhole parts are kept in %s: the same ingest goes on from there", err, j.partial)
}

// entry returns the note of a part, whose last row is dealt with together with the rows before it.
func (f *filler) entry(p Part, part []stored) journalEntry {
	e := journalEntry{Part: p, Rows: make([]journalRow, len(part)), Quarantine: []journalBad{}}
	for i, s := range part {
		at, _ := slices.BinarySearchFunc(f.rows, s.row, compareRows) // it is there
		e.Rows[i] = journalRow{at, s.width, s.height, s.box, s.source[:], s.sum[:], s.size, s.offset}
		e.Taken = at + 1
	}
	for i, at := range f.broken {
		if at >= f.noted && at < e.Taken {
			e.Quarantine = append(e.Quarantine, journalBad{at, f.m.Quarantine[i]})
		}
	}
	f.noted = e.Taken
	return e
}

// resume takes over the parts that an earlier ingest has left whole, and returns how many rows they deal
// with. A part is used where its bytes are those that were written and where all of its source files,
// broken ones too, have the SHA-256 that they had: their times and sizes prove nothing. All parts from
// the first other one on are written again.
func (f *filler) resume(ctx context.Context) (taken int, err error) {
	whole := 0
	for {
		e := f.journal.read(whole, taken, len(f.rows))
		if e == nil || !f.journal.intact(e.Part) {
			break
		}
		same, failed := f.sourcesOf(ctx, e, taken)
		if failed != nil {
			return 0, failed
		}
		if !same {
			break
		}
		if err = f.takeOver(e, whole); err != nil {
			return 0, err
		}
		taken, whole = e.Taken, whole+1
		f.progress(taken)
	}
	f.noted = taken
	return taken, f.journal.keep(whole)
}

// sourcesOf reports whether the source files of a part are those that it was made from.
func (f *filler) sourcesOf(ctx context.Context, e *journalEntry, taken int) (bool, error) {
	want := make([]string, e.Taken-taken)
	for _, r := range e.Rows {
		want[r.At-taken] = hex.EncodeToString(r.Source)
	}
	for _, q := range e.Quarantine {
		want[q.At-taken] = q.SHA256
	}
	errDiffers := errors.New("source differs")
	work := func(r *Row) (sum string) {
		_ = f.folder.read(ctx, r, func(data []byte) error { // one that cannot be read differs; the next step says why
			sum = hashOf(data)
			return nil
		})
		return sum
	}
	next := 0
	err := inOrder(ctx, f.rows[taken:e.Taken], f.workers, 4*f.workers, work, func(sum string) error {
		if next++; sum != want[next-1] {
			return errDiffers
		}
		return nil
	})
	if errors.Is(err, errDiffers) {
		return false, ctx.Err()
	}
	return err == nil, err
}

// takeOver counts the rows of a part that is there already, and puts them into the index.
func (f *filler) takeOver(e *journalEntry, part int) error {
	rows := make([]stored, len(e.Rows))
	for i, r := range e.Rows {
		rows[i] = stored{
			row: f.rows[r.At], width: r.Width, height: r.Height, box: r.Box,
			source: [32]byte(r.Source), sum: [32]byte(r.Sum), size: r.Size, part: part, offset: r.Offset,
		}
		f.count(rows[i])
	}
	for _, q := range e.Quarantine {
		f.quarantine(q.At, q.Quarantined)
	}
	return f.writer.takeOver(e.Part, rows)
}
