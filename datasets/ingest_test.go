package datasets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A rawSet is a set of generated images whose lists are given in the test.
type rawSet struct {
	root string
	rows []Row
}

// newRawSet has 3 train and 2 test classes of 4 images, in an order that is not the order of the files; every
// image has a size of its own.
func newRawSet(t testing.TB) *rawSet {
	t.Helper()
	s := &rawSet{root: t.TempDir()}
	id := int64(100)
	for _, class := range []int32{5, 2, 4, 1, 3} {
		split := Train
		if class > 3 {
			split = Test
		}
		for k := range 4 {
			id--
			s.add(t, Row{
				ID: id, Name: fmt.Sprintf("%07d", id), File: fmt.Sprintf("images/%d/%07d.jpg", class, id),
				Class: class, ClassName: fmt.Sprintf("class %d", class), Superclass: "all", Split: split,
			}, photo(t, 60+int(id), 40+5*k, uint64(id)))
		}
	}
	return s
}

// add puts an image and its row into the set.
func (s *rawSet) add(t testing.TB, r Row, data []byte) {
	t.Helper()
	r.Line = fmt.Sprintf("list.txt:%d", len(s.rows)+1)
	s.rows = append(s.rows, r)
	s.write(t, r.File, data)
}

func (s *rawSet) write(t testing.TB, file string, data []byte) {
	t.Helper()
	path := filepath.Join(s.root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *rawSet) set() Set {
	return Set{
		Name: "cub", Title: "a test",
		Looks: func(dir string) bool { return dir == s.root },
		Read: func(_ context.Context, root, custom string) (*Layout, error) {
			rows := slices.Clone(s.rows)
			return &Layout{
				Set: "cub", Root: root, Found: "generated", Release: release(custom),
				Lists: []List{{Name: "list.txt", SHA256: fmt.Sprint(len(rows)), Rows: len(rows)}}, Rows: rows,
			}, nil
		},
	}
}

func (s *rawSet) options(t testing.TB) IngestOptions {
	t.Helper()
	o := DefaultIngestOptions()
	o.Raw, o.Out, o.Workers, o.Size, o.ToolVersion = s.root, t.TempDir(), 2, 48, "test"
	return o
}

// ingest fails the test when the ingest fails, and opens the result.
func (s *rawSet) ingest(t testing.TB, o IngestOptions) (*Manifest, *Dataset) {
	t.Helper()
	m, dir, err := Ingest(t.Context(), s.set(), o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return m, d
}

// contents are the files below dir.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error is %q, want %q in it", err, p)
		}
	}
}

func TestIngestRows(t *testing.T) {
	s := newRawSet(t)
	m, d := s.ingest(t, s.options(t))
	if m.Rows != 20 || !maps.Equal(m.Counts, map[string]int{"train": 12, "test": 8}) || !maps.Equal(m.Classes, map[string]int{"train": 3, "test": 2}) {
		t.Errorf("manifest has %d rows, %v images, %v classes", m.Rows, m.Counts, m.Classes)
	}
	if m.Subset || !m.Fresh || m.Variant != "official-s48-jpeg" || m.ProtocolSuffix() != "" {
		t.Errorf("manifest is %+v", m)
	}
	byID := map[int64]Row{}
	for _, r := range s.rows {
		byID[r.ID] = r
	}
	for i := range d.Len() {
		r := byID[d.ID(i)]
		if d.Name(i) != r.Name || d.Class(i) != r.Class || d.ClassName(i) != r.ClassName || d.Superclass(i) != "all" || d.Split(i) != r.Split {
			t.Errorf("row %d is %d %s %d, want %+v", i, d.ID(i), d.Name(i), d.Class(i), r)
		}
		if i > 0 && !d.rows[i-1].before(d.rows[i]) {
			t.Errorf("row %d is out of order", i)
		}
		source, err := os.ReadFile(filepath.Join(s.root, r.File))
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		width, height := d.Size(i)
		// What is small enough keeps its bytes, the rest is reduced.
		if same := string(got) == string(source); same != (min(width, height) <= 48) {
			t.Errorf("row %d of %d x %d pixels has the source's bytes: %v", i, width, height, same)
		}
		p, err := decode(got)
		if err != nil {
			t.Fatal(err)
		}
		if min(p.width, p.height) != min(48, width, height) {
			t.Errorf("row %d is stored with %d x %d pixels", i, p.width, p.height)
		}
	}
}

// The same input gives the same bytes in every file, wherever it lies, whenever it was written, with any number of workers.
func TestIngestSameBytes(t *testing.T) {
	small := limits{batch: 12 << 10, part: partReserve + 24<<10, index: 7}
	var first map[string]string
	for _, workers := range []int{1, 4} {
		s := newRawSet(t)
		past := time.Now().Add(-time.Duration(workers) * time.Hour)
		for _, r := range s.rows {
			if err := os.Chtimes(filepath.Join(s.root, r.File), past, past); err != nil {
				t.Fatal(err)
			}
		}
		o := s.options(t)
		o.Workers = workers
		m, dir, err := ingest(t.Context(), s.set(), o, small)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Parts) < 3 {
			t.Errorf("%d parts, want several", len(m.Parts))
		}
		for _, p := range m.Parts {
			if p.Bytes > small.part {
				t.Errorf("%s has %d bytes, want at most %d", p.Name, p.Bytes, small.part)
			}
		}
		if _, err = Verify(t.Context(), dir, nil); err != nil {
			t.Error(err)
		}
		got := contents(t, o.Out)
		if first == nil {
			first = got
		}
		if !maps.Equal(got, first) {
			t.Errorf("files differ with %d workers", workers)
		}
	}
}

// The digest follows from content and options: not from the tool's version, but from a pixel, a class or an option.
func TestIngestDigest(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	m, _ := s.ingest(t, o)
	for name, c := range map[string]struct {
		change func(*rawSet, *IngestOptions)
		same   bool
	}{
		"tool version": {func(_ *rawSet, o *IngestOptions) { o.ToolVersion = "other" }, true},
		"size":         {func(_ *rawSet, o *IngestOptions) { o.Size = 40 }, false},
		"custom name":  {func(_ *rawSet, o *IngestOptions) { o.Custom = "mine" }, false},
		"a class name": {func(s *rawSet, _ *IngestOptions) { s.rows[3].ClassName = "other" }, false},
		"an image":     {func(s *rawSet, _ *IngestOptions) { s.write(t, s.rows[3].File, photo(t, 50, 50, 999)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s2 := newRawSet(t)
			o2 := s2.options(t)
			c.change(s2, &o2)
			if got, _ := s2.ingest(t, o2); (got.Digest == m.Digest) != c.same {
				t.Errorf("digest is the same: %v, want %v", got.Digest == m.Digest, c.same)
			}
		})
	}
}

func TestIngestUpToDate(t *testing.T) {
	s := newRawSet(t)
	s.write(t, s.rows[0].File, []byte("broken"))
	o := s.options(t)
	o.MaxQuarantine = 0.1
	m, _ := s.ingest(t, o)
	again, _ := s.ingest(t, o)
	if again.Fresh || again.Digest != m.Digest {
		t.Error("an unchanged set was written anew")
	}
	// A change that leaves size and time as they were is seen: sources are hashed.
	path := filepath.Join(s.root, s.rows[7].File)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-40] ^= 0x10
	s.write(t, s.rows[7].File, data)
	if err = os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	changed, _ := s.ingest(t, o)
	if !changed.Fresh || changed.Digest == m.Digest {
		t.Error("a changed image was not seen")
	}
	// So is a broken image that was replaced.
	s.write(t, s.rows[0].File, photo(t, 50, 50, 1))
	mended, _ := s.ingest(t, o)
	if !mended.Fresh || mended.Subset || len(mended.Quarantine) != 0 {
		t.Error("a mended image was not seen")
	}
	// A data set with a damaged index is written anew.
	dir := filepath.Join(o.Out, "cub", mended.Variant)
	if err = os.Truncate(filepath.Join(dir, indexName), 100); err != nil {
		t.Fatal(err)
	}
	if last, _ := s.ingest(t, o); !last.Fresh || last.Digest != mended.Digest {
		t.Error("a damaged data set was kept")
	}
}

func TestIngestQuarantine(t *testing.T) {
	for name, c := range badImages(t) {
		t.Run(name, func(t *testing.T) {
			s := newRawSet(t)
			s.write(t, s.rows[4].File, c.data)
			o := s.options(t)
			_, _, err := Ingest(t.Context(), s.set(), o)
			wantError(t, err, "ingest cub: 1 of the first 20 of 20 images are broken, allowed are 0.1% (--max-quarantine):", "list.txt:5: "+s.rows[4].Name+": "+c.reason)
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
			p, err := decode(stored)
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
	// In the order of the data set, class 2 (row 9 holds 4, row 2 holds 5) comes first: both are test classes, 4 before 5.
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
	// A folder is none.
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

func TestIngestBoxes(t *testing.T) {
	s := newRawSet(t)
	for i := range s.rows {
		s.rows[i].Box = &Box{10, 5, 40, 36}
	}
	s.rows[0].Box = &Box{-5, -5, 1000, 20} // is clipped
	of := func(d *Dataset, r Row) int {
		return slices.IndexFunc(d.Rows(), func(i int) bool { return d.ID(i) == r.ID })
	}
	t.Run("kept", func(t *testing.T) {
		_, d := s.ingest(t, s.options(t))
		if b := d.Box(of(d, s.rows[1])); *b != (Box{10, 5, 40, 36}) {
			t.Errorf("box is %v", b)
		}
		width, _ := d.Size(of(d, s.rows[0]))
		if b := d.Box(of(d, s.rows[0])); *b != (Box{0, 0, width, 20}) {
			t.Errorf("clipped box is %v", b)
		}
	})
	t.Run("cropped", func(t *testing.T) {
		o := s.options(t)
		o.Crop = CropBox
		m, d := s.ingest(t, o)
		if m.Variant != "official+box-s48-jpeg" || m.ProtocolSuffix() != "+box" {
			t.Errorf("variant is %s, suffix %s", m.Variant, m.ProtocolSuffix())
		}
		data, err := d.Image(of(d, s.rows[1]))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := decode(data); err != nil || p.width != 30 || p.height != 31 {
			t.Errorf("crop is %d x %d, %v", p.width, p.height, err)
		}
	})
	t.Run("precropped", func(t *testing.T) {
		o := s.options(t)
		o.Precropped = true
		m, d := s.ingest(t, o)
		if d.Box(0) != nil || m.Variant != "official+box-s48-jpeg" {
			t.Errorf("box is %v, variant %s", d.Box(0), m.Variant)
		}
	})
	t.Run("outside", func(t *testing.T) {
		s.rows[8].Box = &Box{1000, 10, 1100, 40}
		_, _, err := Ingest(t.Context(), s.set(), s.options(t))
		wantError(t, err, "list.txt:9: box 1000,10-1100,40 does not touch the image", s.rows[8].File)
	})
	t.Run("no box", func(t *testing.T) {
		s.rows[8].Box = nil
		o := s.options(t)
		o.Crop = CropBox
		_, _, err := Ingest(t.Context(), s.set(), o)
		wantError(t, err, "list.txt:9: the list has no box")
	})
}

func TestIngestPadAndRGB(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	o.Pad = true
	m, padded := s.ingest(t, o)
	if m.Variant != "official+pad-s48-jpeg" {
		t.Errorf("variant is %s", m.Variant)
	}
	o.Store = StoreRGB
	_, raw := s.ingest(t, o)
	for i := range raw.Len() {
		data, err := raw.Image(i)
		if err != nil || len(data) != 48*48*3 {
			t.Fatalf("row %d has %d bytes, %v", i, len(data), err)
		}
		// All images are wider than high: the first line is white, the middle one is not.
		if data[0] != 255 || data[24*48*3] == 255 && data[24*48*3+60] == 255 {
			t.Errorf("row %d is not centred on white", i)
		}
		a, b := make([]uint8, 48*48*3), make([]uint8, 48*48*3)
		if err = errors.Join(raw.Pixels(i, View{Size: 48}, a), padded.Pixels(i, View{Size: 48}, b)); err != nil {
			t.Fatal(err)
		}
		if string(a) != string(data) {
			t.Errorf("row %d: pixels are not the stored ones", i)
		}
		sum := 0
		for k := range a {
			sum += max(int(a[k])-int(b[k]), int(b[k])-int(a[k]))
		}
		if mean := float64(sum) / float64(len(a)); mean > 6 { // JPEG at quality 95 with halved chroma, noise in it
			t.Errorf("row %d: JPEG and RGB differ by %.1f on average", i, mean)
		}
	}
}

func TestIngestCancel(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(done, _ int) {
		if done == 9 {
			cancel()
		}
	}
	_, _, err := Ingest(ctx, s.set(), o)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if left := contents(t, o.Out); len(left) > 0 {
		t.Errorf("files were left: %v", slices.Collect(maps.Keys(left)))
	}
	o.Progress = nil
	m, _ := s.ingest(t, o)
	if !m.Fresh || m.Rows != 20 {
		t.Errorf("manifest is %+v", m)
	}
}

// TestIngestKilled lets a process die in the middle of an ingest by SIGKILL.
func TestIngestKilled(t *testing.T) {
	if raw := os.Getenv("DATASETS_TEST_KILL"); raw != "" {
		s := &rawSet{root: raw, rows: newRawSet(t).rows}
		o := s.options(t)
		o.Out = os.Getenv("DATASETS_TEST_OUT")
		o.Progress = func(done, _ int) {
			if done == 9 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
		_, _, err := Ingest(t.Context(), s.set(), o)
		t.Fatalf("still alive: %v", err)
	}
	s := newRawSet(t)
	o := s.options(t)
	killed(t, "TestIngestKilled", "DATASETS_TEST_KILL="+s.root, "DATASETS_TEST_OUT="+o.Out)
	if left := contents(t, o.Out); len(left) == 0 {
		t.Error("the killed process left nothing: it was not in the middle")
	}
	if found, err := Prepared(o.Out); err != nil || len(found) > 0 {
		t.Errorf("prepared data sets are %v, %v", found, err)
	}
	m, _ := s.ingest(t, o)
	clean := newRawSet(t)
	want, _ := clean.ingest(t, clean.options(t))
	if m.Digest != want.Digest {
		t.Error("digest differs after a kill")
	}
	for name := range contents(t, o.Out) {
		if strings.Contains(name, "partial") || strings.Contains(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
}

func TestIngestTwoAtOnce(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	var second error
	o.Progress = func(done, _ int) {
		if done == 5 {
			quiet := o
			quiet.Progress = nil
			_, _, second = Ingest(t.Context(), s.set(), quiet)
		}
	}
	s.ingest(t, o)
	wantError(t, second, "another process is writing")
}

func TestIngestDiskFull(t *testing.T) {
	s := newRawSet(t)
	o := s.options(t)
	if err := syscall.Mount("tmpfs", o.Out, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(o.Out, 0); err != nil {
			t.Error(err)
		}
	}()
	o.Size, o.Pad, o.Store = 256, true, StoreRGB // 3.9 MB
	_, _, err := Ingest(t.Context(), s.set(), o)
	wantError(t, err, "ingest cub: write ", "no space left on device")
	if left := contents(t, o.Out); len(left) > 0 {
		t.Errorf("files were left: %v", slices.Collect(maps.Keys(left)))
	}
}
