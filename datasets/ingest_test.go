package datasets

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

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
		// A small image keeps its bytes, a larger one is reduced.
		if same := string(got) == string(source); same != (min(width, height) <= 48) {
			t.Errorf("row %d of %d x %d pixels has the source's bytes: %v", i, width, height, same)
		}
		p, err := decodeImage(got)
		if err != nil {
			t.Fatal(err)
		}
		if min(p.width, p.height) != min(48, width, height) {
			t.Errorf("row %d is stored with %d x %d pixels", i, p.width, p.height)
		}
	}
}

// The same input gives the same bytes in every file, wherever it lies, whenever it was written,
// with any number of workers.
func TestIngestSameBytes(t *testing.T) {
	small := sizeLimits{batch: 12 << 10, part: partReserve + 24<<10, index: 7}
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
		m, dir, err := ingestSet(t.Context(), s.set(), o, small)
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

// The digest follows from content and options: not from the tool's version, but from a pixel, a
// class or an option.
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
	// A data set with a damaged index is written again.
	dir := filepath.Join(o.Out, "cub", mended.Variant)
	if err = os.Truncate(filepath.Join(dir, indexName), 100); err != nil {
		t.Fatal(err)
	}
	if last, _ := s.ingest(t, o); !last.Fresh || last.Digest != mended.Digest {
		t.Error("a damaged data set was kept")
	}
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
		if p, err := decodeImage(data); err != nil || p.width != 30 || p.height != 31 {
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
		wantError(t, err, "list.txt:9: "+s.rows[8].Name+": box 1000,10-1100,40 does not touch the image of 151 x 40 pixels", "--precropped")
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
