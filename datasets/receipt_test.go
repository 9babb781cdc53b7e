package datasets

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The receipt of each of the five layouts accounts for every row of its lists and for every file of its
// folder, and its sums add up: an image is taken away, one is broken, and five files are added.
func TestReceipt(t *testing.T) {
	raw := t.TempDir()
	if err := WriteMini(t.Context(), raw, MiniOptions{Seed: 1, Classes: 3, Images: 2}); err != nil {
		t.Fatal(err)
	}
	for _, set := range Published() {
		t.Run(set.Name, func(t *testing.T) {
			root := filepath.Join(raw, set.Folders[0])
			layout, err := readFolder(t.Context(), set, root, MiniRelease)
			if err != nil {
				t.Fatal(err)
			}
			gone, bad := layout.Rows[1], layout.Rows[2]
			err = errors.Join(
				os.Remove(filepath.Join(root, gone.File)), os.WriteFile(filepath.Join(root, bad.File), []byte("no image"), 0o600),
				os.MkdirAll(filepath.Join(root, "__MACOSX", "sub"), 0o755),
			)
			for _, name := range []string{"__MACOSX/sub/a.jpg", "._b.jpg", ".DS_Store", "stray.JPG", "notes.txt"} {
				err = errors.Join(err, os.WriteFile(filepath.Join(root, name), nil, 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			files := 0
			err = filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					files++
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			o := DefaultIngestOptions()
			o.Raw, o.Out, o.Custom, o.AllowMissing, o.MaxQuarantine, o.Report = raw, t.TempDir(), MiniRelease, true, 0.5, t.TempDir()
			m, dir, err := Ingest(t.Context(), set, o)
			if err != nil {
				t.Fatal(err)
			}
			r := m.Receipt
			if r.Listed != len(layout.Rows)+layout.Unlisted || r.Kept != m.Rows || r.Missing != 1 || r.Quarantined != 1 || r.Unlisted != layout.Unlisted {
				t.Errorf("rows of the receipt are %+v", r)
			}
			if r.Files != files || r.Unnamed != 1 || r.Litter != 3 || r.FirstUnnamed[0] != "stray.JPG" || r.Other < 1 {
				t.Errorf("files of the receipt are %+v, want %d in all", r, files)
			}
			if set.Name == "vehicleid" && r.Unlisted == 0 {
				t.Error("no image is unlisted")
			}
			if again, failed := ReadManifest(dir); failed != nil || !again.Receipt.equal(r) {
				t.Errorf("manifest has %+v, %v", again.Receipt, failed)
			}

			// The lines have the same sums.
			f, err := os.Open(filepath.Join(o.Report, set.Name+"."+m.Variant+".csv"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			lines, err := csv.NewReader(f).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string]int{}
			for _, l := range lines[1:] {
				counts[l[0]]++
				switch {
				case l[0] == statusMissing && l[1] != gone.Line, l[0] == statusQuarantined && (l[1] != bad.Line || l[4] == ""):
					t.Errorf("line is %q", l)
				}
			}
			for status, want := range map[string]int{
				statusKept: r.Kept, statusMissing: r.Missing, statusQuarantined: r.Quarantined, statusUnlisted: r.Unlisted,
				statusUnnamed: r.Unnamed, statusOther: r.Other, statusLitter: r.Litter,
			} {
				if counts[status] != want {
					t.Errorf("%d lines say %s, want %d", counts[status], status, want)
				}
			}

			// A file that comes later changes the receipt and not the digest.
			if err = os.WriteFile(filepath.Join(root, "late.png"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			later, _, err := Ingest(t.Context(), set, o)
			if err != nil || later.Fresh || later.Digest != m.Digest || later.Receipt.Unnamed != 2 {
				t.Errorf("receipt is %+v, fresh %t, %v", later.Receipt, later.Fresh, err)
			}
			if _, err = Open(dir); err != nil {
				t.Error(err)
			}
		})
	}
}
