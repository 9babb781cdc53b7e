package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
)

// matchingManifest returns the manifest of the data set in dir if it was made from the same lists
// with the same options, else nil.
func matchingManifest(dir string, m Manifest) *Manifest {
	old, err := ReadManifest(dir)
	if err != nil {
		return nil // there is no data set, or a broken one
	}
	same := old.Set == m.Set && old.Release == m.Release && old.Layout == m.Layout && old.Options == m.Options &&
		old.Unlisted == m.Unlisted && slices.Equal(old.Lists, m.Lists) && slices.Equal(old.Missing, m.Missing)
	if !same {
		return nil
	}
	return old
}

// sourcesUnchanged reports whether the data set in dir, made from the same lists, was made from the
// bytes that the source files of rows have now. It reads all of them: equal time stamps prove
// nothing. A data set whose own files were changed is not up to date.
func sourcesUnchanged(ctx context.Context, folder *os.Root, dir string, m Manifest, rows []*Row, o IngestOptions) (bool, error) {
	d, err := Open(dir)
	if err != nil {
		return false, nil // a data set that cannot be opened is written again
	}
	defer d.Close()
	for i, p := range m.Parts {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if checkSum(d.parts[i], p) != nil {
			return false, nil
		}
	}
	if len(rows) != d.Len()+len(m.Quarantine) || float64(len(m.Quarantine)) > o.MaxQuarantine*float64(len(rows)) {
		return false, nil
	}
	known := make(map[int64]string, d.Len())
	for i := range d.Len() {
		sum := d.SHA256(i)
		known[d.ID(i)] = hex.EncodeToString(sum[:])
	}
	quarantined := make(map[string]string)
	for _, q := range m.Quarantine {
		quarantined[q.Line+" "+q.Name] = q.SHA256
	}
	type hashed struct {
		row *Row
		sum string
		err error
	}
	work := func(r *Row) hashed {
		data, failed := readFile(folder, r)
		sum := sha256.Sum256(data)
		return hashed{r, hex.EncodeToString(sum[:]), failed}
	}
	errDiffers := errors.New("source differs")
	done := 0
	err = inOrder(ctx, rows, o.Workers, work, func(h hashed) error {
		if h.err != nil {
			return h.err
		}
		want, found := known[h.row.ID]
		if !found {
			want = quarantined[h.row.Line+" "+h.row.Name]
		}
		if h.sum != want {
			return errDiffers
		}
		if done++; o.Progress != nil {
			o.Progress(done, len(rows))
		}
		return nil
	})
	if errors.Is(err, errDiffers) {
		return false, nil
	}
	return err == nil, err
}
