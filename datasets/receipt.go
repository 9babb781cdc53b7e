package datasets

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Receipt accounts for every row of the lists and for every file of the raw folder.
type Receipt struct {
	Listed      int `json:"listed"`      // rows of the lists: the sum of the four below
	Kept        int `json:"kept"`        // are stored
	Quarantined int `json:"quarantined"` // have a broken image
	Missing     int `json:"missing"`     // have no image
	Unlisted    int `json:"unlisted"`    // VehicleID: are in no split list

	Files   int `json:"files"`   // in the folder: the sum of the four below
	Named   int `json:"named"`   // images that a row of the lists names, and the lists that were read
	Unnamed int `json:"unnamed"` // images that no row names
	Other   int `json:"other"`   // files that are no images by their names, such as notes and further lists
	Litter  int `json:"litter"`  // what macOS and Windows leave: __MACOSX, ._*, .DS_Store, Thumbs.db

	FirstUnnamed []string `json:"first_unnamed"` // the first of the images that no row names, by path
}

// mostUnnamed is how many images that no row names a manifest lists.
const mostUnnamed = 20

// The words for what became of a row or a file.
const (
	statusKept        = "kept"
	statusQuarantined = "quarantined"
	statusMissing     = "missing"
	statusUnlisted    = "unlisted"
	statusUnnamed     = "unnamed"
	statusOther       = "other"
	statusLitter      = "litter"
)

// A strayFile is a file of the folder that no row names.
type strayFile struct{ name, status string }

// receiptOf returns the receipt of an ingest, and the files that no row names. m says what
// became of the rows.
func (s *sources) receiptOf(ctx context.Context, layout *Layout, m *Manifest) (*Receipt, []strayFile, error) {
	r := &Receipt{
		Listed: len(layout.Rows) + layout.Unlisted, Quarantined: len(m.Quarantine), Missing: len(m.Missing), Unlisted: layout.Unlisted,
		FirstUnnamed: []string{},
	}
	r.Kept = len(layout.Rows) - r.Quarantined - r.Missing
	named := make(map[string]bool, len(layout.Rows))
	for _, row := range layout.Rows {
		named[row.File] = true
	}
	for _, row := range layout.unlisted {
		named[row.File] = true
	}
	for _, list := range layout.Lists {
		named[list.Name] = true
	}
	var stray []strayFile
	err := s.walk(ctx, func(name string) {
		r.Files++
		status := fileStatus(name)
		switch {
		case named[name]:
			r.Named++
			return
		case status == statusUnnamed:
			if r.Unnamed++; len(r.FirstUnnamed) < mostUnnamed {
				r.FirstUnnamed = append(r.FirstUnnamed, printable(name))
			}
		case status == statusLitter:
			r.Litter++
		default:
			r.Other++
		}
		stray = append(stray, strayFile{name, status})
	})
	for _, a := range s.archives() { // which have left out what macOS packed
		r.Files, r.Litter = r.Files+a.ignored, r.Litter+a.ignored
		for range a.ignored {
			stray = append(stray, strayFile{filepath.Base(a.path), statusLitter})
		}
	}
	if err == nil {
		err = r.check(*m)
	}
	return r, stray, err
}

// account puts the receipt into a manifest and calls write, unless a sealed manifest has the same one
// already. It writes the receipt's lines into the folder report, unless that is empty.
func (s *sources) account(ctx context.Context, layout *Layout, m *Manifest, report string, write func() error) error {
	receipt, stray, err := s.receiptOf(ctx, layout, m)
	if err != nil {
		return err
	}
	if m.Seal == "" || !receipt.equal(m.Receipt) {
		m.Receipt = receipt
		if err = write(); err != nil {
			return err
		}
	}
	if report == "" {
		return nil
	}
	return writeReceipt(report, layout, m, stray)
}

// fileStatus says what a file is that no row names.
func fileStatus(name string) string {
	base := path.Base(name)
	switch {
	case slices.ContainsFunc(strings.Split(name, "/"), isLeftover), strings.EqualFold(base, "Thumbs.db"), strings.EqualFold(base, "desktop.ini"):
		return statusLitter
	case slices.Contains([]string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}, strings.ToLower(path.Ext(base))):
		return statusUnnamed
	}
	return statusOther
}

// printable returns a name as it is, or quoted where a terminal would obey it.
func printable(name string) string {
	if strings.ContainsFunc(name, isControl) || strings.ToValidUTF8(name, "") != name {
		return strconv.Quote(name)
	}
	return name
}

// walk calls use with the slash path of every regular file of the source, sorted within each folder, those
// that macOS leaves too. It goes through symbolic links as far as images are read through them, and into no
// folder twice.
func (s *Source) walk(ctx context.Context, use func(name string)) error {
	var been []fs.FileInfo
	var into func(dir string) error
	into = func(dir string) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		entries, err := s.everything(dir)
		if err != nil {
			return fmt.Errorf("look for files that no row names: %w", err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			mode := e.Type()
			if mode&fs.ModeSymlink != 0 {
				info, lost := s.Stat(name)
				if lost != nil {
					continue // it leads out of the folder or nowhere
				}
				mode = info.Mode()
				if mode.IsDir() {
					if slices.ContainsFunc(been, func(b fs.FileInfo) bool { return os.SameFile(b, info) }) {
						continue
					}
					been = append(been, info)
				}
			}
			switch {
			case mode.IsRegular():
				use(name)
			case mode.IsDir():
				if err = into(name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if top, err := s.Stat("."); err == nil {
		been = append(been, top)
	}
	return into(".")
}

// everything returns what is in a folder, by name, with what macOS leaves.
func (s *Source) everything(dir string) ([]fs.DirEntry, error) {
	full, err := s.full("open", dir)
	if err != nil {
		return nil, err
	}
	found := map[string]fs.DirEntry{}
	for _, l := range s.layers {
		entries, failed := l.list(full)
		if failed != nil && !isMissing(failed) {
			return nil, failed
		}
		for _, e := range entries {
			if _, hidden := found[e.Name()]; !hidden {
				found[e.Name()] = e
			}
		}
	}
	var all []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all, nil
}

// check compares a receipt with itself and with its manifest.
func (r *Receipt) check(m Manifest) error {
	switch {
	case r.Listed != r.Kept+r.Quarantined+r.Missing+r.Unlisted:
		return fmt.Errorf("receipt has %d rows, but %d kept, %d quarantined, %d missing and %d in no split list",
			r.Listed, r.Kept, r.Quarantined, r.Missing, r.Unlisted)
	case r.Kept != m.Rows, r.Quarantined != len(m.Quarantine), r.Missing != len(m.Missing), r.Unlisted != m.Unlisted:
		return fmt.Errorf("receipt says %d kept, %d quarantined, %d missing and %d in no split list, want %d, %d, %d and %d",
			r.Kept, r.Quarantined, r.Missing, r.Unlisted, m.Rows, len(m.Quarantine), len(m.Missing), m.Unlisted)
	case r.Files != r.Named+r.Unnamed+r.Other+r.Litter, len(r.FirstUnnamed) != min(r.Unnamed, mostUnnamed):
		return fmt.Errorf("receipt has %d files, but %d named, %d unnamed, %d other and %d litter", r.Files, r.Named, r.Unnamed, r.Other, r.Litter)
	}
	return nil
}

// equal reports whether two receipts say the same; either may be nil.
func (r *Receipt) equal(other *Receipt) bool {
	if r == nil || other == nil {
		return r == other
	}
	a, b := *r, *other
	a.FirstUnnamed, b.FirstUnnamed = nil, nil
	return fmt.Sprint(a) == fmt.Sprint(b) && slices.Equal(r.FirstUnnamed, other.FirstUnnamed)
}

// writeReceipt writes dir/<set>.<variant>.csv, a line for each row of the lists in their order and for
// each file that no row names: status, place in the list, id, name or path, and the reason of a
// quarantine.
func writeReceipt(dir string, layout *Layout, m *Manifest, stray []strayFile) error {
	missing, broken := map[string]bool{}, map[string]string{}
	for _, name := range m.Missing {
		missing[name] = true
	}
	for _, q := range m.Quarantine {
		broken[q.Line+" "+q.Name] = q.Reason
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := func(fields ...string) { _ = w.Write(fields) } // into memory
	line("status", "line", "id", "name", "reason")
	for i := range layout.Rows {
		r := &layout.Rows[i]
		status, reason := statusKept, ""
		if why, bad := broken[r.Line+" "+r.Name]; bad {
			status, reason = statusQuarantined, why
		} else if missing[r.Name] {
			status = statusMissing
		}
		line(status, r.Line, strconv.FormatInt(r.ID, 10), r.Name, reason)
	}
	for _, r := range layout.unlisted {
		line(statusUnlisted, r.Line, strconv.FormatInt(r.ID, 10), r.Name, "")
	}
	for _, f := range stray {
		line(f.status, "", "", printable(f.name), "")
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, m.Set+"."+m.Variant+".csv"), b.Bytes())
}
