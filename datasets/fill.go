package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// writeDataset reads the images of rows and writes a whole data set into dir. It fills in m.
func writeDataset(ctx context.Context, dir string, folder *sources, prepare preparer, m *Manifest, rows []*Row, o IngestOptions,
	l sizeLimits,
) error {
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
	work := func(r *Row) imageOutcome { return readOne(ctx, folder, prepare, r) }
	err = inOrder(ctx, rows, o.Workers, waitingImages(m.Options, o.Workers), work, func(r imageOutcome) error {
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
func readOne(ctx context.Context, folder *sources, prepare preparer, row *Row) (out imageOutcome) {
	out.row = row
	err := folder.read(ctx, row, func(data []byte) error {
		if len(data) > byteLimit {
			out.source, out.bad = sha256.Sum256(data), fmt.Errorf("file is larger than %d bytes", byteLimit)
			return nil
		}
		out.stored, out.bad, out.fatal = prepare.image(ctx, row, data)
		return nil
	})
	if err != nil {
		out.fatal = err
	}
	return out
}

// waitingImages returns how many images may wait for an earlier one: four for each worker, unless they
// are so large that fewer take 256 MiB.
func waitingImages(o Options, workers int) int {
	const most = 256 << 20
	return max(min(4*workers, most/(o.Size*o.Size*3)), 1)
}

// inOrder runs work on every item with n workers. It hands the results to use one by one, in the
// order of the items. At most so many results wait. The first error of use or of ctx ends it.
func inOrder[In, Out any](ctx context.Context, items []In, n, waiting int, work func(In) Out, use func(Out) error) error {
	type job struct {
		item   In
		result chan Out
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	order := make(chan chan Out, waiting)
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
