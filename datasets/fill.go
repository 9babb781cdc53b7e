package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// writeDataset reads the images of rows and writes a whole data set into dir. It fills in m.
func writeDataset(ctx context.Context, dir string, folder *os.Root, m *Manifest, rows []*Row, o IngestOptions, l sizeLimits) error {
	w, err := newWriter(dir, *m, rows, l)
	if err != nil {
		return err
	}
	defer w.abandon()
	sum, err := newDigest(*m)
	if err != nil {
		return err
	}
	m.Counts, m.Classes = map[string]int{}, map[string]int{}
	allowed := int(o.MaxQuarantine * float64(len(rows)))
	done := 0
	var last *Row
	work := func(r *Row) imageOutcome { return readOne(folder, r, m.Options) }
	err = inOrder(ctx, rows, o.Workers, work, func(r imageOutcome) error {
		done++
		if r.fatal != nil {
			return r.fatal
		}
		if r.bad != nil {
			m.Quarantine = append(m.Quarantine, Quarantined{
				Name: r.row.Name, Line: r.row.Line, Reason: r.bad.Error(), SHA256: hex.EncodeToString(r.source[:]),
			})
			if n := len(m.Quarantine); n > allowed && (n >= 10 || done == len(rows)) {
				return tooManyBroken(m.Quarantine, done, len(rows), o.MaxQuarantine)
			}
		} else {
			split := string(r.row.Split)
			if m.Counts[split]++; last == nil || last.Split != r.row.Split || last.Class != r.row.Class {
				m.Classes[split]++
			}
			last = r.row
			sum.row(r.stored)
			if failed := w.add(r.stored); failed != nil {
				return failed
			}
		}
		if o.Progress != nil {
			o.Progress(done, len(rows))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(m.Quarantine) > allowed || len(m.Quarantine) == len(rows) {
		return tooManyBroken(m.Quarantine, done, len(rows), o.MaxQuarantine)
	}
	if m.Parts, m.Index, err = w.finish(); err != nil {
		return err
	}
	m.Rows = m.Index.Rows
	m.Subset = len(m.Missing)+len(m.Quarantine) > 0
	m.Digest = sum.finish(*m)
	return m.write(dir)
}

// An imageOutcome is what became of the image of a row.
type imageOutcome struct {
	stored
	bad   error // the image is broken
	fatal error // the list is wrong, or the image cannot be read: the ingest ends
}

// readOne reads and prepares the image of a row.
func readOne(folder *os.Root, row *Row, o Options) imageOutcome {
	data, err := readFile(folder, row)
	if err != nil {
		return imageOutcome{stored: stored{row: row}, fatal: err}
	}
	if len(data) > byteLimit {
		return imageOutcome{stored: stored{row: row, source: sha256.Sum256(data)}, bad: fmt.Errorf("file is larger than %d bytes", byteLimit)}
	}
	s, bad, fatal := prepareImage(row, data, o)
	return imageOutcome{s, bad, fatal}
}

// readFile reads an image file, or its first byteLimit+1 bytes.
func readFile(folder *os.Root, row *Row) ([]byte, error) {
	f, err := folder.Open(filepath.FromSlash(row.File))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", row.Line, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", row.Line, err)
	}
	data := make([]byte, min(info.Size(), byteLimit+1))
	if _, err = io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: read %s: %w", row.Line, row.File, err)
	}
	return data, nil
}

// inOrder runs work on every item with n workers. It hands the results to use one by one, in the
// order of the items. At most 4n results wait. The first error of use or of ctx ends it.
func inOrder[In, Out any](ctx context.Context, items []In, n int, work func(In) Out, use func(Out) error) error {
	type job struct {
		item   In
		result chan Out
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	order := make(chan chan Out, 4*n)
	group.Go(func() error {
		defer close(jobs)
		defer close(order)
		for _, item := range items {
			j := job{item, make(chan Out, 1)}
			select {
			case order <- j.result:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range n {
		group.Go(func() error {
			for j := range jobs {
				j.result <- work(j.item)
			}
			return nil
		})
	}
	group.Go(func() error {
		for result := range order {
			select {
			case r := <-result:
				if err := use(r); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
	return group.Wait()
}
