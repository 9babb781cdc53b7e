package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"golang.org/x/sync/errgroup"
)

// prepared ingests the generated set into small batches and several parts, and returns the folder.
func prepared(tb testing.TB) (dir string, m *Manifest) {
	tb.Helper()
	s := newRawSet(tb)
	m, dir, err := ingestSet(tb.Context(), s.set(), s.options(tb), sizeLimits{batch: 12 << 10, part: partReserve + 24<<10, index: 7})
	if err != nil {
		tb.Fatal(err)
	}
	return dir, m
}

// A batch is bounded by bytes, and holds a class whole where it fits.
func TestBatches(t *testing.T) {
	dir, m := prepared(t)
	var first, last []int32 // class at the ends of each batch
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	for _, p := range m.Parts {
		f, err := openPart(folder, p)
		if err != nil {
			t.Fatal(err)
		}
		err = eachRecord(f, func(_ int, r arrow.Record) error {
			rows := appendShared(nil, r)
			size := 0
			for i := range rows {
				size += len(imageValue(r.Column(int(r.NumCols())-1), i)) + len(rows[i].row.Name)
			}
			if size > 12<<10 {
				t.Errorf("a batch has %d bytes", size)
			}
			first, last = append(first, rows[0].row.Class), append(last, rows[len(rows)-1].row.Class)
			return nil
		})
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if len(first) < 3 {
		t.Errorf("%d batches, want several", len(first))
	}
	for i := 1; i < len(first); i++ {
		if first[i] == last[i-1] {
			t.Errorf("class %d is in two batches", first[i])
		}
	}
}

// A class that is larger than a batch is split, and an image that is larger has a batch of its own.
func TestBatchesSmallerThanAClass(t *testing.T) {
	s := newRawSet(t)
	_, dir, err := ingestSet(t.Context(), s.set(), s.options(t), sizeLimits{batch: 5 << 10, part: 256 << 20, index: 100})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Verify(t.Context(), dir, nil); err != nil {
		t.Error(err)
	}
	_, dir, err = ingestSet(t.Context(), s.set(), s.options(t), sizeLimits{batch: 1, part: 256 << 20, index: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Verify(t.Context(), dir, nil); err != nil {
		t.Error(err)
	}
}

// unsealed returns a manifest without its seal, as earlier versions wrote it.
func unsealed(data []byte) []byte {
	before, _, sealed := bytes.Cut(data, []byte(",\n  \"seal\""))
	if !sealed {
		return data
	}
	return append(bytes.Clone(before), "\n}\n"...)
}

// Changes of the manifest are made to one without a seal: what it says is compared with itself and
// with the index.
func TestOpenDamaged(t *testing.T) {
	flip := func(name string, at int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			data[(at+int64(len(data)))%int64(len(data))] ^= 1 // from the end where at is negative
			if err = os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	manifest := func(old, new string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, manifestName)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(data), old) {
				t.Fatalf("manifest has no %s", old)
			}
			if err = os.WriteFile(path, unsealed([]byte(strings.Replace(string(data), old, new, 1))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(name string, size int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, string)
		want   string
		opens  bool // the damage is in what only Verify reads
	}{
		"no manifest":       {remove(manifestName), `no prepared data set in`, false},
		"cut manifest":      {cut(manifestName, 50), "manifest.json: unexpected end of JSON input", false},
		"another schema":    {manifest(`"schema": 1`, `"schema": 9`), "schema is 9, want 1", false},
		"a part outside":    {manifest(`"part-0000.arrow"`, `"../part-0000.arrow"`), "is not a plain file name", false},
		"rows that lie":     {manifest("\"rows\": 20,\n  \"counts\"", "\"rows\": 21,\n  \"counts\""), "rows is ", false},
		"an unknown key":    {manifest(`"subset"`, `"subsev"`), `manifest.json: json: unknown field "subsev"`, false},
		"a key of options":  {manifest(`"precropped"`, `"preCropqed"`), `manifest.json: json: unknown field "preCropqed"`, false},
		"a key of a list":   {manifest("\"name\": \"list.txt\"", "\"nane\": \"list.txt\""), `unknown field "nane"`, false},
		"a label that lies": {manifest(`"subset": false`, `"subset": true`), "subset is true, but 0 images are missing", false},
		"an option":         {manifest(`"precropped": false`, `"precropped": true`), `variant is "official-s48-jpeg", want "official+box-s48-jpeg"`, false},
		"a missing image":   {manifest(`"missing": []`, `"missing": ["a"]`), "subset is false, but 1 images are missing", false},
		"cut part":          {cut("part-0001.arrow", 5000), "part-0001.arrow: has 5000 bytes, want", false},
		"missing part":      {remove("part-0001.arrow"), "part-0001.arrow: no such file", false},
		"damaged index":     {flip(indexName, 3000), "index.arrow: sha256 is", false},
		"damaged part":      {flip("part-0001.arrow", 9000), "part-0001.arrow: sha256 is", true},
		"damaged footer":    {flip("part-0000.arrow", -1), "part-0000.arrow: sha256 is", true},
		"counts that lie":   {manifest(`"train": 12`, `"train": 11`), "manifest.json: counts are", false},
		"classes that lie":  {manifest(`"train": 3`, `"train": 4`), "manifest.json: classes are", false},
		"a changed list":    {manifest(`"name": "list.txt"`, `"name": "other.txt"`), "index.arrow: metadata is", false},
		"a changed release": {manifest(`"release": "official"`, `"release": "papers"`), `variant is "official-s48-jpeg", want "papers-s48-jpeg"`, false},
		"a changed set":     {manifest(`"set": "cub"`, `"set": "sop"`), "index.arrow: metadata is", false},
		"another digest":    {manifest(`"digest": "`, `"digest": "00`), "manifest.json: digest is 00", false},
		"a file too many": {func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "part-0099.arrow"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "part-0099.arrow: is not in manifest.json", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := prepared(t)
			c.damage(t, dir)
			d, err := Open(dir)
			if c.opens != (err == nil) {
				t.Fatalf("open: %v", err)
			}
			if err == nil {
				err = d.Close()
			} else {
				wantError(t, err, c.want)
			}
			if err != nil && c.opens {
				t.Fatal(err)
			}
			_, err = Verify(t.Context(), dir, nil)
			wantError(t, err, c.want)
			if name == "no manifest" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("a caller cannot tell that there is no data set")
			}
		})
	}
}

// Verify names part and row of an image that cannot be decoded, even when digests were made to fit.
func TestVerifyNamesTheRow(t *testing.T) {
	dir, m := prepared(t)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const row = 14
	s := d.rows[row]
	path := filepath.Join(dir, m.Parts[s.part].Name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[s.offset+200 : s.offset+int64(s.size)])
	if err = os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	first := 0
	for d.rows[first].part != s.part {
		first++
	}
	report, err := Verify(t.Context(), dir, nil)
	wantError(t, err, m.Parts[s.part].Name+": sha256 is")
	want := Problem{m.Parts[s.part].Name, row - first, s.row.Name + ": differs from index.arrow"}
	found := false
	for _, p := range report.Problems {
		found = found || p == want
	}
	if !found || report.Images != 20 {
		t.Errorf("problems are %v, want %v", report.Problems, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Verify(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// An image is compared with its digest whenever it is read. A bit of a JPEG's quantisation tables is
// changed here, so that it decodes to other pixels without an error.
func TestImageDigest(t *testing.T) {
	for _, store := range []string{StoreJPEG, StoreRGB} {
		s := newRawSet(t)
		o := s.options(t)
		o.Pad, o.Store = true, store
		m, d := s.ingest(t, o)
		const row = 7
		path := filepath.Join(o.Out, "cub", m.Variant, m.Parts[d.rows[row].part].Name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[d.rows[row].offset+40] ^= 4
		if err = os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err = jpeg.Decode(bytes.NewReader(data[d.rows[row].offset:])); store == StoreJPEG && err != nil {
			t.Fatalf("the damage shows without a digest: %v", err)
		}
		want := []string{"part-0000.arrow: row 7 (" + d.Name(row) + "): image does not fit its image_sha256 in index.arrow"}
		_, err = d.Image(row)
		wantError(t, err, want...)
		wantError(t, d.Pixels(row, View{Size: 32}, make([]uint8, 32*32*3)), want...)
		_, _, _, err = d.Thumbnail(row, 32, 80)
		wantError(t, err, want...)
		var sheet bytes.Buffer
		wantError(t, ContactSheet(d, 0, &sheet), want...)
		if _, err = d.Image(row + 1); err != nil {
			t.Error(err)
		}
		// The next ingest sees it and writes the data set again.
		if again, _ := s.ingest(t, o); !again.Fresh || again.Digest != m.Digest {
			t.Error("ingest kept a data set with a damaged part")
		}
	}
}

// Verify believes nothing that a part with a wrong digest says about itself: lengths of blocks, of
// buffers and of the footer's lists would take more memory than there is.
func TestVerifyDamagedLengths(t *testing.T) {
	dir, m := prepared(t)
	path := filepath.Join(dir, m.Parts[0].Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 16; at < len(whole); at++ {
		inHeader := at < 3000 || at > len(whole)-3000
		if !inHeader || at%151 != 0 { // the blocks, and where they begin, are at both ends
			continue
		}
		changed := bytes.Clone(whole)
		copy(changed[at:], []byte{0xff, 0xff, 0xff, 0x3f}) // 1 GiB
		if err = os.WriteFile(path, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(t.Context(), dir, nil)
		wantError(t, err, m.Parts[0].Name+": sha256 is")
		if report.Images != 20 {
			t.Errorf("byte %d: %d images were looked at", at, report.Images)
		}
	}
}

// An Arrow file is read in pieces that are no larger than the file, whatever it says and whatever its
// digest is.
func TestEachRecordBounded(t *testing.T) {
	dir, m := prepared(t)
	for _, name := range []string{m.Parts[0].Name, indexName} {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		for at := 8; at < len(whole)-4; at += 61 {
			if at == 3000 && len(whole) > 6000 {
				at = len(whole) - 3000
			}
			changed := bytes.Clone(whole)
			copy(changed[at:], []byte{0xff, 0xff, 0xff, 0x3f})
			path := filepath.Join(t.TempDir(), name)
			if err = os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			f, _, err := openRegular(path)
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&before)
			failed := eachRecord(f, func(_ int, r arrow.Record) error {
				if want := int64(20); r.NumRows() > want {
					return fmt.Errorf("%d rows", r.NumRows())
				}
				return nil
			})
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 20*uint64(len(whole))+10<<20 {
				t.Fatalf("%s, byte %d: took %d bytes (%v)", name, at, used, failed)
			}
			if err = f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What comparing an image with its digest costs, beside reading and decoding it: a stored image of a
// photograph of 375 x 500 pixels.
func BenchmarkImage(b *testing.B) {
	s := newRawSet(b)
	o := s.options(b)
	o.Size = 256
	for _, r := range s.rows {
		s.write(b, r.File, photo(b, 500, 375, uint64(r.ID)))
	}
	for _, store := range []string{StoreJPEG, StoreRGB} {
		o.Store, o.Pad = store, store == StoreRGB
		_, d := s.ingest(b, o)
		data, err := d.Image(0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(store+"/digest", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				sha256.Sum256(data)
			}
		})
		b.Run(store+"/read", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for i := 0; b.Loop(); i++ {
				if err := d.read(0, data); err != nil {
					b.Fatal(err)
				}
			}
		})
		pixels := make([]uint8, 224*224*3)
		b.Run(store+"/pixels", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := d.Pixels(i%d.Len(), View{Size: 224}, pixels); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What opening a data set of the size of Stanford Online Products takes, which every run does.
func BenchmarkOpen(b *testing.B) {
	const images = 120_053
	o := DefaultIngestOptions().options()
	m := Manifest{
		Schema: schemaVersion, Set: "sop", Release: "official", Variant: o.variant("official"), Options: o,
		Counts: map[string]int{"train": images}, Classes: map[string]int{"train": (images + 4) / 5},
	}
	rows := make([]*Row, images)
	for i := range rows {
		rows[i] = &Row{
			ID: int64(i + 1), Name: fmt.Sprintf("bicycle_final/%012d_%d.JPG", i/5, i%5), Class: int32(i/5 + 1),
			ClassName: fmt.Sprint(i/5 + 1), Superclass: "bicycle", Split: Train,
		}
	}
	dir := b.TempDir()
	w, err := newWriter(dir, m, rows, standardLimits(), func(Part, []stored) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	sum, err := newDigest(m)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		s := stored{row: r, width: 256, height: 256, source: sha256.Sum256([]byte(r.Name)), image: []byte(r.Name)}.withDigest()
		sum.row(s)
		if err = w.add(s); err != nil {
			b.Fatal(err)
		}
	}
	if m.Parts, m.Index, err = w.finish(); err != nil {
		b.Fatal(err)
	}
	m.Rows, m.Digest = m.Index.Rows, sum.finish(m)
	if err = m.write(dir); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		if err = d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// Several goroutines read one data set: with -race this is a test of Open's promise.
func TestDatasetConcurrent(t *testing.T) {
	dir, _ := prepared(t)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	want := make([][]uint8, d.Len())
	for i := range want {
		want[i] = make([]uint8, 32*32*3)
		if err := d.Pixels(i, View{Size: 32}, want[i]); err != nil {
			t.Fatal(err)
		}
	}
	var group errgroup.Group
	for seed := range uint64(4) {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(seed, 0))
			got := make([]uint8, 32*32*3)
			for range 40 {
				i := random.IntN(d.Len())
				if err := d.Pixels(i, View{Size: 32}, got); err != nil {
					return err
				}
				if !bytes.Equal(got, want[i]) {
					return errors.New("pixels differ")
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if err := d.Pixels(0, View{Size: 32}, make([]uint8, 5)); err == nil {
		t.Error("a short buffer was accepted")
	}
}

func TestDatasetRowsAndHash(t *testing.T) {
	dir, _ := prepared(t)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	train, test := d.Rows(Train), d.Rows(Test)
	if len(train) != 12 || len(test) != 8 || len(d.Rows()) != 20 || test[0] != 12 || len(d.Rows(Query, Gallery)) != 0 {
		t.Errorf("rows are %v and %v", train, test)
	}
	hash := d.TestHash(test)
	if len(hash) != 64 || hash == d.TestHash(test[1:]) || hash == d.TestHash(train) || hash != d.TestHash(test) {
		t.Error("the hash does not follow the rows")
	}
	other := newRawSet(t)
	o := other.options(t)
	_, d2 := other.ingest(t, o)
	if d2.TestHash(d2.Rows(Test)) != hash {
		t.Error("the hash depends on more than the rows")
	}
}

func TestPrepared(t *testing.T) {
	if found, err := Prepared(filepath.Join(t.TempDir(), "none")); err != nil || found != nil {
		t.Errorf("a missing folder holds %v, %v", found, err)
	}
	s := newRawSet(t)
	o := s.options(t)
	s.ingest(t, o)
	o.Custom = "mine"
	s.ingest(t, o)
	for _, dir := range []string{"internal/cub", "cub/half", "cub/.official-s48-jpeg.partial"} { // source, and folders without a manifest
		if err := os.MkdirAll(filepath.Join(o.Out, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Prepared(o.Out)
	if err != nil || len(found) != 2 || found[0].Variant != "mine-s48-jpeg" || found[1] != (Entry{"cub", "official-s48-jpeg", filepath.Join(o.Out, "cub/official-s48-jpeg")}) {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestInspect(t *testing.T) {
	dir, _ := prepared(t)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	in, err := Inspect(d)
	if err != nil {
		t.Fatal(err)
	}
	// By hand: ids 80 to 87 and 92 to 95 train; a width is 60 + id, the heights of a class are 40,
	// 45, 50, 55.
	if len(in.Splits) != 2 || in.Splits[0].Classes != 3 || in.Splits[0].PerClass != (Range{4, 4, 4}) ||
		in.Splits[0].Width != (Range{140, 145, 155}) || in.Splits[1].Height != (Range{40, 45, 55}) || in.Splits[0].Superclasses != 1 {
		t.Errorf("inspection is %+v", in)
	}
	if _, err = json.Marshal(in); err != nil {
		t.Error(err)
	}
	var sheet, again bytes.Buffer
	if err = errors.Join(ContactSheet(d, 0, &sheet), ContactSheet(d, 0, &again)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sheet.Bytes(), again.Bytes()) {
		t.Error("the contact sheet is different every time")
	}
	m, err := png.Decode(&sheet)
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Bounds(); b.Dx() < 1000 || b.Dy() < 5*sheetCell {
		t.Errorf("contact sheet is %v", b)
	}
}
