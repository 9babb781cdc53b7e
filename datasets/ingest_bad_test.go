package datasets

import (
	"encoding/binary"
	"errors"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIngestQuarantine(t *testing.T) {
	for name, c := range badImages(t) {
		t.Run(name, func(t *testing.T) {
			s := newRawSet(t)
			s.write(t, s.rows[4].File, c.data)
			o := s.options(t)
			_, _, err := Ingest(t.Context(), s.set(), o)
			wantError(t, err, "ingest cub: 1 of the first 20 of 20 images are broken, more than the 0.1% that --max-quarantine allows:", "list.txt:5: "+s.rows[4].Name+": "+c.reason)
			if left := contents(t, o.Out); len(left) > 0 {
				t.Errorf("files were left: %v", slices.Collect(maps.Keys(left)))
			}
			o.MaxQuarantine = 0.05 // of 20 images: one
			m, d := s.ingest(t, o)
			if len(m.Quarantine) != 1 || d.Len() != 19 || !m.Subset || m.ProtocolSuffix() != "+subset" {
				t.Fatalf("manifest is %+v", m)
			}
			if q := m.Quarantine[0]; q.Name != s.rows[4].Name || q.Line != "list.txt:5" || !strings.HasPrefix(q.Reason, c.reason) {
				t.Errorf("quarantine is %+v", q)
			}
		})
	}
	t.Run("the error lists the first ten", func(t *testing.T) {
		s := newRawSet(t)
		for _, r := range s.rows {
			s.write(t, r.File, nil)
		}
		_, _, err := Ingest(t.Context(), s.set(), s.options(t))
		wantError(t, err, "10 of the first 10 of 20 images are broken")
		if n := strings.Count(err.Error(), "file is empty"); n != 10 {
			t.Errorf("%d images are listed", n)
		}
		o := s.options(t)
		o.MaxQuarantine = 1
		_, _, err = Ingest(t.Context(), s.set(), o)
		wantError(t, err, "20 of the first 20 of 20 images are broken")
	})
}

// Odd but whole images are turned into upright JPEGs of three components.
func TestIngestOddImages(t *testing.T) {
	cmyk, err := os.ReadFile("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	gray := image.NewGray(image.Rect(0, 0, 30, 20))
	for name, c := range map[string]struct {
		data          []byte
		width, height int
	}{
		"CMYK":       {cmyk, 16, 24},
		"grayscale":  {jpegOf(t, gray), 30, 20},
		"16-bit PNG": {pngOf(t, image.NewNRGBA64(image.Rect(0, 0, 30, 20))), 30, 20},
		"rotated":    {rotated(jpegOf(t, quarters(30, 20)), binary.BigEndian, 6), 20, 30},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawSet(t)
			s.write(t, s.rows[4].File, c.data)
			m, d := s.ingest(t, s.options(t))
			if len(m.Quarantine) > 0 {
				t.Fatal(m.Quarantine)
			}
			i := slices.IndexFunc(d.Rows(), func(i int) bool { return d.ID(i) == s.rows[4].ID })
			if w, h := d.Size(i); w != c.width || h != c.height {
				t.Errorf("size is %d x %d, want %d x %d", w, h, c.width, c.height)
			}
			stored, err := d.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			p, err := decodeImage(stored)
			if err != nil || !p.jpeg || p.width != c.width || p.height != c.height {
				t.Errorf("stored as %+v, %v", p, err)
			}
			if name == "rotated" && corners(p.raster) != "brwg" {
				t.Errorf("corners are %s", corners(p.raster))
			}
		})
	}
}

func TestIngestMissing(t *testing.T) {
	s := newRawSet(t)
	for _, i := range []int{2, 9} {
		if err := os.Remove(filepath.Join(s.root, s.rows[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	o := s.options(t)
	_, _, err := Ingest(t.Context(), s.set(), o)
	// In the order of the data set, class 2 (row 9 holds 4, row 2 holds 5) comes first: both are
	// test classes, 4 before 5.
	wantError(t, err, "list.txt:10: no "+s.rows[9].File+"; 2 of 20 images are missing", "--allow-missing")
	o.AllowMissing = true
	m, d := s.ingest(t, o)
	if d.Len() != 18 || !m.Subset || !slices.Equal(m.Missing, []string{s.rows[9].Name, s.rows[2].Name}) {
		t.Errorf("%d rows, missing %v", d.Len(), m.Missing)
	}
	if err = os.RemoveAll(filepath.Join(s.root, "images")); err != nil {
		t.Fatal(err)
	}
	_, _, err = Ingest(t.Context(), s.set(), o)
	wantError(t, err, "none of the 20 listed images exists")
}

func TestIngestStaysInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "photo.jpg")
	if err := os.WriteFile(outside, photo(t, 50, 50, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newRawSet(t)
	s.rows[3].File = "../" + filepath.Base(filepath.Dir(outside)) + "/photo.jpg"
	_, _, err := Ingest(t.Context(), s.set(), s.options(t))
	wantError(t, err, "list.txt:4", "path escapes")
	s = newRawSet(t)
	path := filepath.Join(s.root, s.rows[3].File)
	if err = errors.Join(os.Remove(path), os.Symlink(outside, path)); err != nil {
		t.Fatal(err)
	}
	_, _, err = Ingest(t.Context(), s.set(), s.options(t))
	wantError(t, err, "list.txt:4", "path escapes")
	// A link that stays inside is as good as a file.
	if err = errors.Join(os.Remove(path), os.Symlink(filepath.Base(s.rows[2].File), path)); err != nil {
		t.Fatal(err)
	}
	s.ingest(t, s.options(t))
	// A folder is not an image.
	if err = errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	_, _, err = Ingest(t.Context(), s.set(), s.options(t))
	wantError(t, err, "list.txt:4", "is not a regular file")
}

func TestIngestDuplicate(t *testing.T) {
	s := newRawSet(t)
	s.rows[6].ID = s.rows[2].ID
	_, _, err := Ingest(t.Context(), s.set(), s.options(t))
	wantError(t, err, "list.txt:7: id 97 is taken by list.txt:3")
}
