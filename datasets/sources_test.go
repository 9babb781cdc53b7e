package datasets

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Symbolic links that lead out of the folder are refused with what to do, and followed when asked for.
func TestIngestLinks(t *testing.T) {
	clean := newRawSet(t)
	want, _ := clean.ingest(t, clean.options(t))
	for name, link := range map[string]func(t *testing.T, s *rawSet, disk string) (named string){
		"the folder of images": func(t *testing.T, s *rawSet, disk string) string {
			t.Helper()
			images := filepath.Join(s.root, "images")
			if err := errors.Join(os.Rename(images, filepath.Join(disk, "images")), os.Symlink(filepath.Join(disk, "images"), images)); err != nil {
				t.Fatal(err)
			}
			return "images is a symbolic link to " + filepath.Join(disk, "images")
		},
		"a folder below it": func(t *testing.T, s *rawSet, disk string) string {
			t.Helper()
			images := filepath.Join(s.root, "images", "3")
			if err := errors.Join(os.Rename(images, filepath.Join(disk, "3")), os.Symlink(filepath.Join(disk, "3"), images)); err != nil {
				t.Fatal(err)
			}
			return "images/3 is a symbolic link to " + filepath.Join(disk, "3")
		},
		"every file": func(t *testing.T, s *rawSet, disk string) string {
			t.Helper()
			for _, r := range s.rows {
				path, blob := filepath.Join(s.root, r.File), filepath.Join(disk, r.Name)
				if err := errors.Join(os.Rename(path, blob), os.Symlink(blob, path)); err != nil {
					t.Fatal(err)
				}
			}
			return ".jpg is a symbolic link to " + disk
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, disk := newRawSet(t), t.TempDir()
			named := link(t, s, disk)
			o := s.options(t)
			_, _, err := Ingest(t.Context(), s.set(), o)
			wantError(t, err, named, "outside the data set's folder "+s.root+"; --follow-links reads", "path escapes")
			o.FollowLinks = true
			if m, _ := s.ingest(t, o); m.Digest != want.Digest {
				t.Error("digest differs where links are followed")
			}
		})
	}
	// A name that leaves the folder is none of the links that may be followed.
	s := newRawSet(t)
	s.rows[3].File = "../photo.jpg"
	o := s.options(t)
	o.FollowLinks = true
	_, _, err := Ingest(t.Context(), s.set(), o)
	wantError(t, err, "list.txt:4", "path escapes")
}

// The image folder of every layout may lie once more in a folder of its own name, as it does where an
// archive was unpacked into a folder of the same name. The data are the same.
func TestIngestNested(t *testing.T) {
	raw := t.TempDir()
	o := DefaultMini()
	o.Classes, o.Images = 3, 2
	if err := WriteMini(t.Context(), raw, o); err != nil {
		t.Fatal(err)
	}
	for _, set := range Published() {
		root, err := Locate(set, raw)
		if err != nil {
			t.Fatal(err)
		}
		options := DefaultIngestOptions()
		options.Raw, options.Out, options.Custom, options.Workers = root, t.TempDir(), "mini", 2
		want, _, err := Ingest(t.Context(), set, options)
		if err != nil {
			t.Fatal(err)
		}
		var moved []string
		for _, folder := range nestable(t, root) {
			path := filepath.Join(root, folder)
			inner := filepath.Join(path, filepath.Base(folder))
			if err = errors.Join(os.Rename(path, path+".x"), os.Mkdir(path, 0o755), os.Rename(path+".x", inner)); err != nil {
				t.Fatal(err)
			}
			moved = append(moved, folder+"/"+filepath.Base(folder))
		}
		m, dir, err := Ingest(t.Context(), set, options)
		if err != nil {
			t.Errorf("%s: %v", set.Name, err)
			continue
		}
		if m.Digest != want.Digest || !m.Fresh || !strings.Contains(m.Layout, "images in "+moved[0]) {
			t.Errorf("%s: digest %s, layout %s, want %s and %v", set.Name, m.Digest, m.Layout, want.Digest, moved)
		}
		if _, err = Verify(t.Context(), dir, nil); err != nil {
			t.Error(err)
		}
	}
}

// nestable returns the folders of images in a raw data set: those that the rows name first.
func nestable(t *testing.T, root string) []string {
	t.Helper()
	src := folderSource(t, root)
	for _, name := range []string{"Img/img", "images", "car_ims", "image"} {
		if isFolder(src, name) {
			return []string{name}
		}
	}
	names, err := src.Folders(".")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Boxes are those of the file: they are turned with an image whose EXIF orientation says so.
func TestIngestTurnedBoxes(t *testing.T) {
	s := newRawSet(t)
	upright := quarters(60, 40)
	for i := range s.rows {
		s.write(t, s.rows[i].File, pngOf(t, upright))
		s.rows[i].Box = &Box{32, 2, 58, 18} // in the green quarter
	}
	for i := range uint16(8) {
		s.write(t, s.rows[i].File, rotated(pngOf(t, upright), binary.BigEndian, i+1))
	}
	o := s.options(t)
	o.Crop = CropBox
	m, d := s.ingest(t, o)
	if len(m.Quarantine) > 0 {
		t.Fatal(m.Quarantine)
	}
	for i := range d.Len() {
		r, err := d.decodeRow(i)
		if err != nil {
			t.Fatal(err)
		}
		if got := corners(r); got != "gggg" {
			t.Errorf("row %d: box %v, corners %s, want green ones", i, d.Box(i), got)
		}
	}
	if again, _ := s.ingest(t, o); again.Fresh {
		t.Error("an unchanged set was written again")
	}
	// A data set in which an earlier version did not turn the boxes is written again: here it looks so,
	// because the lists say another place now and have the same digests.
	for i := range s.rows {
		s.rows[i].Box = &Box{30, 2, 58, 18}
	}
	if now, _ := s.ingest(t, o); !now.Fresh || now.Digest == m.Digest {
		t.Error("wrong boxes were kept")
	}
}

// A quarantined file that this version reads is no reason to call the set up to date.
func TestIngestUnquarantines(t *testing.T) {
	s := newRawSet(t)
	s.write(t, s.rows[4].File, []byte("broken"))
	o := s.options(t)
	o.MaxQuarantine = 0.1
	m, _ := s.ingest(t, o)
	dir := filepath.Join(o.Out, "cub", m.Variant)
	data := gifOf(t, quarters(60, 50), quarters(60, 50).Bounds())
	s.write(t, s.rows[4].File, data)
	m.Quarantine[0].SHA256 = hashOf(data) // as an earlier version, to which a GIF was broken, left it
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	if now, d := s.ingest(t, o); !now.Fresh || len(now.Quarantine) > 0 || d.Len() != 20 || now.Subset {
		t.Errorf("manifest is %+v", now)
	}
}

// A manifest of an earlier version gets its seal when ingest finds the set up to date.
func TestIngestSeals(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	m, _ := s.ingest(t, o)
	path := filepath.Join(o.Out, "cub", m.Variant, manifestName)
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(path, unsealed(sealed), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, _ := s.ingest(t, o); again.Fresh {
		t.Error("the set was written again")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(sealed) {
		t.Errorf("manifest is\n%s\n%v", got, err)
	}
}

// Images of another resolution than that of the boxes are noticed by their sizes.
func TestIngestResolution(t *testing.T) {
	boxes := func(s *rawSet, b Box) {
		for i := range s.rows {
			s.rows[i].Box = &b
		}
	}
	t.Run("smaller", func(t *testing.T) { // copies of CUB and Cars for training have 256 pixels
		s := newRawSet(t)
		boxes(s, Box{90, 10, 300, 200})
		_, _, err := Ingest(t.Context(), s.set(), s.options(t))
		wantError(t, err, "20 of 20 boxes reach beyond their images, such as list.txt:", "--precropped")
		o := s.options(t)
		o.Precropped = true
		s.ingest(t, o)
	})
	t.Run("larger", func(t *testing.T) {
		s := newRawSet(t)
		set := s.set()
		read := set.Read
		set.Read = func(ctx context.Context, src *Source, custom string) (*Layout, error) {
			l, err := read(ctx, src, custom)
			l.most = 100
			return l, err
		}
		_, _, err := Ingest(t.Context(), set, s.options(t))
		wantError(t, err, "images are larger than the published ones, whose sides have at most 100 pixels", "images/")
	})
	t.Run("a few larger", func(t *testing.T) {
		s := newRawSet(t)
		boxes(s, Box{1, 1, 30, 30})
		set := s.set()
		read := set.Read
		set.Read = func(ctx context.Context, src *Source, custom string) (*Layout, error) {
			l, err := read(ctx, src, custom)
			l.most = 158 // the widest has 159
			return l, err
		}
		o := s.options(t)
		_, _, err := Ingest(t.Context(), set, o)
		wantError(t, err, "image is 159 x 40 pixels, but its box is for one of at most 158 x 158")
	})
}

// In-Shop images of high resolution are noticed in a folder that is called img, are labelled, and have
// no boxes. Lists of one's own have boxes of their own.
func TestIngestInShopResolution(t *testing.T) {
	type result struct {
		found, suffix string
		boxes         bool
	}
	for name, c := range map[string]struct {
		folder string
		side   int
		box    string
		crop   string
		custom string
		want   result
		err    string
	}{
		"as published":             {"Img/img", 256, "064 064 192 192", CropNone, "mine", result{"images in Img/img", "+mine", true}, ""},
		"as published, cropped":    {"Img/img", 256, "064 064 192 192", CropBox, "mine", result{"images in Img/img", "+box+mine", true}, ""},
		"high resolution":          {"Img/img_highres", 400, "064 064 192 192", CropNone, "mine", result{"images in Img/img_highres (high resolution), boxes not used: they refer to the 256x256 images", "+highres+mine", false}, ""},
		"high resolution in img":   {"Img/img", 400, "064 064 192 192", CropNone, "mine", result{"images in Img/img (high resolution), boxes not used: they refer to the 256x256 images", "+highres+mine", false}, ""},
		"high resolution, cropped": {"Img/img", 400, "064 064 192 192", CropBox, "mine", result{}, "crop: the boxes of the lists refer to the 256x256 images"},
		"boxes of one's own":       {"img", 400, "064 064 192 390", CropBox, "mine", result{"images in img", "+box+mine", true}, ""},
		"images of one's own":      {"img", 400, "", CropNone, "mine", result{"images in img", "+mine", false}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := inshopFiles(someGarments())
			if c.box == "" {
				delete(files, "Anno/"+inshopBoxes)
			} else {
				files["Anno/"+inshopBoxes] = strings.ReplaceAll(files["Anno/"+inshopBoxes], "050 049 208 235", c.box)
			}
			root := files.write(t)
			s := rawSet{root: root}
			layout, err := readFolder(t.Context(), inshop(), root, c.custom)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range layout.Rows {
				rest := strings.TrimPrefix(r.Name, "img/")
				s.write(t, c.folder+"/"+rest, photo(t, c.side, c.side, uint64(i)))
			}
			o := s.options(t)
			o.Custom, o.Crop = c.custom, c.crop
			m, dir, err := Ingest(t.Context(), inshop(), o)
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := (result{m.Layout, m.ProtocolSuffix(), d.Box(0) != nil}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if high := strings.Contains(c.want.suffix, "highres"); high != strings.HasPrefix(m.Variant, "mine+highres") {
				t.Errorf("variant is %s", m.Variant)
			}
		})
	}
}
