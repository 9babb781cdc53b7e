package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
// nothing. A data set whose own files were changed is not up to date, and neither is one in which this
// version would place a box elsewhere or read an image that is in quarantine.
func sourcesUnchanged(ctx context.Context, folder *sources, prepare preparer, dir string, m Manifest, rows []*Row, o IngestOptions) (bool, error) {
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
	known := make(map[int64]int, d.Len())
	for i := range d.Len() {
		known[d.ID(i)] = i
	}
	quarantined := make(map[string]string)
	for _, q := range m.Quarantine {
		quarantined[q.Line+" "+q.Name] = q.SHA256
	}
	// same reports whether a row is what its file gives now.
	same := func(r *Row, data []byte) (bool, error) {
		sum := sha256.Sum256(data)
		i, found := known[r.ID]
		if !found {
			_, bad, failed := prepare.image(ctx, r, data)
			return hex.EncodeToString(sum[:]) == quarantined[r.Line+" "+r.Name] && (bad != nil || len(data) > byteLimit), failed
		}
		if sum != d.SHA256(i) {
			return false, nil
		}
		box := d.Box(i)
		if r.Box == nil || m.Options.Precropped || box == nil {
			return box == nil && (r.Box == nil || m.Options.Precropped), nil
		}
		c, _, ok := codecOf(data)
		width, height := d.Size(i)
		return ok && *box == uprightBox(*r.Box, width, height, c.orientation(data)), nil
	}
	type compared struct {
		same bool
		err  error
	}
	work := func(r *Row) (c compared) {
		c.err = folder.read(ctx, r, func(data []byte) (err error) {
			c.same, err = same(r, data)
			return err
		})
		return c
	}
	errDiffers := errors.New("source differs")
	done := 0
	err = inOrder(ctx, rows, o.Workers, 4*o.Workers, work, func(c compared) error {
		if c.err != nil {
			return c.err
		}
		if !c.same {
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
