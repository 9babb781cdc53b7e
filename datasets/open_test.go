package datasets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	for _, p := range m.Parts {
		f, err := openPart(dir, p)
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
	if at := bytes.Index(data, []byte(",\n  \"seal\"")); at >= 0 {
		return append(bytes.Clone(data[:at]), "\n}\n"...)
	}
	return data
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
	if err = errors.Join(ContactSheet(d, &sheet), ContactSheet(d, &again)); err != nil {
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
