package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Ingest prepares a data set: it reads the official lists and every image that they name, and
// writes Arrow files to o.Out/<set>/<variant>, the folder it returns. Where that folder already
// holds the same data (the same lists, options and bytes of every source file), it writes nothing,
// and Manifest.Fresh is false.
//
// The folder appears whole or not at all. Everything is written to a hidden folder beside it, the
// manifest last, and that folder takes its place; until then an older one stays. What an interrupted or
// killed Ingest left is taken up by the next one of the same lists and options, from the last whole part
// on, with the same result. It reads every source file of these parts again: one that was changed since
// is not missed.
func Ingest(ctx context.Context, set Set, o IngestOptions) (*Manifest, string, error) {
	m, dir, err := ingestSet(ctx, set, o, standardLimits())
	if err != nil {
		return nil, "", fmt.Errorf("ingest %s: %w", set.Name, err)
	}
	return m, dir, nil
}

// ingestSet is Ingest with limits for tests.
func ingestSet(ctx context.Context, set Set, o IngestOptions, l sizeLimits) (*Manifest, string, error) {
	if err := o.Validate(); err != nil {
		return nil, "", err
	}
	if err := o.ValidateFor(set); err != nil {
		return nil, "", err
	}
	layout, src, err := readSet(ctx, set, o)
	if err != nil {
		return nil, "", err
	}
	defer src.Close()
	rows, err := sortedRows(layout)
	if err != nil {
		return nil, "", err
	}
	folder := newSources(src)
	rows, missing, nested, err := folder.existing(ctx, rows, o.AllowMissing)
	if err != nil {
		return nil, "", err
	}
	for _, name := range nested {
		layout.Found += ", images in " + name
	}
	layout.Found += src.note()
	if err = folder.checkResolution(ctx, layout, rows, o.Precropped); err != nil {
		return nil, "", err
	}
	if layout.HighRes && o.Crop == CropBox {
		return nil, "", fmt.Errorf("crop: the boxes of the lists refer to the 256x256 images, and these are of high resolution (%s)", layout.Found)
	}
	options := o.options()
	options.HighRes = layout.HighRes
	m := Manifest{
		Schema: schemaVersion, Set: set.Name, Release: layout.Release, Variant: options.variant(layout.Release),
		Layout: layout.Found, Options: options, Lists: layout.Lists, Unlisted: layout.Unlisted,
		Missing: missing, Quarantine: []Quarantined{}, ToolVersion: o.ToolVersion,
	}
	prepare := preparer{budget: folder.budget, options: options, most: layout.most}
	home := filepath.Join(o.Out, set.Name)
	dir := filepath.Join(home, m.Variant)
	if err = os.MkdirAll(home, 0o755); err != nil {
		return nil, "", err
	}
	unlock, err := lockDir(home)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	if err = restoreDir(dir); err != nil {
		return nil, "", err
	}
	if old := matchingManifest(dir, m); old != nil {
		same, failed := sourcesUnchanged(ctx, folder, prepare, dir, *old, rows, o)
		if failed != nil {
			return nil, "", failed
		}
		if same {
			failed = folder.account(ctx, layout, old, o.Report, func() error { return old.write(dir) })
			return old, dir, errors.Join(failed, os.RemoveAll(hiddenDir(dir, "partial")), os.RemoveAll(hiddenDir(dir, "journal")))
		}
	}
	j, err := newJournal(dir, m, rows, l)
	if err != nil {
		return nil, "", err
	}
	err = writeDataset(ctx, j, folder, prepare, &m, rows, o, l)
	if err == nil {
		err = folder.account(ctx, layout, &m, o.Report, func() error { return m.write(j.partial) })
	}
	if err != nil {
		return nil, "", j.leave(err)
	}
	if err = replaceDir(dir, j.partial, moves{exchange, os.Rename}); err != nil {
		return nil, "", err
	}
	if err = os.RemoveAll(j.dir); err != nil {
		return nil, "", err
	}
	m.Fresh = true
	return &m, dir, nil
}

// readSet reads what says which images there are, and returns it with the source that holds them, which the
// caller closes.
func readSet(ctx context.Context, set Set, o IngestOptions) (*Layout, *Source, error) {
	if set.Own() {
		return set.readOwn(ctx, o)
	}
	src, err := openSet(ctx, set, o)
	if err != nil {
		return nil, nil, err
	}
	layout, err := set.Read(ctx, src, o.Custom)
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return layout, src, nil
}

// hiddenDir returns the name of a folder beside dir that is not a data set.
func hiddenDir(dir, purpose string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"."+purpose)
}

// moves are the ways in which folders take each other's place. Tests put others in.
type moves struct {
	exchange func(a, b string) error // in one step
	rename   func(from, to string) error
}

// replaceDir puts the folder partial in the place of dir. Where there is a folder already, the two
// change places in one step, so that dir is never without a data set. Where the file system cannot do
// that, the old folder steps aside, and restoreDir puts it back if the second step did not come.
func replaceDir(dir, partial string, m moves) error {
	home := filepath.Dir(dir)
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return errors.Join(m.rename(partial, dir), syncDir(home))
	}
	err := m.exchange(dir, partial)
	if err == nil {
		return errors.Join(syncDir(home), os.RemoveAll(partial))
	}
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	old := hiddenDir(dir, "old")
	if err = m.rename(dir, old); err != nil {
		return err
	}
	if err = m.rename(partial, dir); err != nil {
		return errors.Join(err, restoreDir(dir))
	}
	return errors.Join(syncDir(home), os.RemoveAll(old))
}

// restoreDir ends what a killed replaceDir began: it puts the old folder back where there is no new
// one, and removes it else.
func restoreDir(dir string) error {
	old := hiddenDir(dir, "old")
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(old))
	}
	if err := os.Rename(old, dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lockDir keeps other processes from ingesting the same set into the same workspace. The system
// lifts the lock when the process ends, however it ends.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = d.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another process is writing to %s; wait until it is done", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = d.Close() }, nil
}

// sortedRows returns the rows of a layout by (split, class, id). An id that comes twice is an
// error.
func sortedRows(layout *Layout) ([]*Row, error) {
	seen := make(map[int64]*Row, len(layout.Rows))
	rows := make([]*Row, len(layout.Rows))
	for i := range layout.Rows {
		r := &layout.Rows[i]
		if !slices.Contains(splitOrder(), r.Split) {
			return nil, fmt.Errorf("%s: split is %q, want train, test, query or gallery", r.Line, r.Split)
		}
		if first, twice := seen[r.ID]; twice {
			return nil, fmt.Errorf("%s: id %d is taken by %s", r.Line, r.ID, first.Line)
		}
		seen[r.ID], rows[i] = r, r
	}
	slices.SortFunc(rows, compareRows)
	return rows, nil
}

// compareRows orders rows by split, class and id.
func compareRows(a, b *Row) int {
	return cmp.Or(cmp.Compare(splitRank(a.Split), splitRank(b.Split)), cmp.Compare(a.Class, b.Class), cmp.Compare(a.ID, b.ID))
}

// tooManyBroken returns the error of more broken images than are allowed.
func tooManyBroken(broken []Quarantined, seen, total int, share float64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of the first %d of %d images are broken, more than the %g%% that --max-quarantine allows:",
		len(broken), seen, total, 100*share)
	for _, q := range broken[:min(len(broken), 10)] {
		fmt.Fprintf(&b, "\n  %s: %s: %s", q.Line, q.Name, q.Reason)
	}
	return errors.New(b.String())
}
