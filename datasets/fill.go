package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A filler writes a data set: it counts what becomes of each row.
type filler struct {
	m       *Manifest
	rows    []*Row // in the order of the files
	folder  *sources
	writer  *writer
	journal *journal
	digest  *contentDigest
	workers int
	report  func(done, total int) // nil: none

	last   *Row  // that was stored
	broken []int // numbers of the rows in m.Quarantine
	noted  int   // rows that the journal deals with
}

// writeDataset reads the images of rows and writes a whole data set into the journal's folder, from the
// parts on that are there already. It fills in m.
func writeDataset(ctx context.Context, j *journal, folder *sources, prepare preparer, m *Manifest, rows []*Row, o IngestOptions,
	l sizeLimits,
) error {
	f := &filler{m: m, rows: rows, folder: folder, journal: j, workers: o.Workers, report: o.Progress}
	w, err := newWriter(j.partial, *m, rows, l, func(p Part, part []stored) error { return j.add(f.entry(p, part)) })
	if err != nil {
		return err
	}
	defer w.abandon()
	f.writer = w
	if f.digest, err = newDigest(*m); err != nil {
		return err
	}
	m.Counts, m.Classes = map[string]int{}, map[string]int{}
	done, err := f.resume(ctx)
	if err != nil {
		return err
	}
	m.Resumed = done
	allowed := int(o.MaxQuarantine * float64(len(rows)))
	work := func(r *Row) imageOutcome { return readOne(ctx, folder, prepare, r) }
	err = inOrder(ctx, rows[done:], o.Workers, waitingImages(m.Options, o.Workers), work, func(r imageOutcome) error {
		done++
		if r.fatal != nil {
			return r.fatal
		}
		if r.bad != nil {
			f.quarantine(done-1, Quarantined{
				Name: r.row.Name, Line: r.row.Line, Reason: r.bad.Error(), SHA256: hex.EncodeToString(r.source[:]),
			})
			if n := len(m.Quarantine); n > allowed && (n >= 10 || done == len(rows)) {
				return tooManyBroken(m.Quarantine, done, len(rows), o.MaxQuarantine)
			}
		} else {
			f.count(r.stored)
			if failed := w.add(r.stored); failed != nil {
				return failed
			}
		}
		f.progress(done)
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
	m.Digest = f.digest.finish(*m)
	return nil
}

// count counts a row that is stored.
func (f *filler) count(s stored) {
	split := string(s.row.Split)
	if f.m.Counts[split]++; f.last == nil || f.last.Split != s.row.Split || f.last.Class != s.row.Class {
		f.m.Classes[split]++
	}
	f.last = s.row
	f.digest.row(s)
}

// quarantine notes that the image of row number at is broken.
func (f *filler) quarantine(at int, q Quarantined) {
	f.m.Quarantine = append(f.m.Quarantine, q)
	f.broken = append(f.broken, at)
}

// progress reports how many rows are dealt with.
func (f *filler) progress(done int) {
	if f.report != nil {
		f.report(done, len(f.rows))
	}
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
