package datasets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/google/go-cmp/cmp"
)

// A hubFile is a Parquet file as Hugging Face's datasets writes it, made for a test.
type hubFile struct {
	label    string              // name of the column of labels
	names    []string            // nil: labels are texts
	images   [][]byte            // nil: null
	paths    []string            // "": null
	labels   []string            // numbers where there are names
	extra    map[string][]string // columns of text
	codec    compress.Compression
	v2       bool // data pages of version 2
	rows     int  // in a row group; 0: all
	metadata string
}

// bytes returns the file.
func (h hubFile) bytes(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	optional := parquet.Repetitions.Optional
	image := schema.MustGroup(schema.NewGroupNode("image", optional, schema.FieldList{
		schema.NewByteArrayNode("bytes", optional, -1), schema.NewByteArrayNode("path", optional, -1),
	}, -1))
	fields := schema.FieldList{image}
	if h.label == "" {
		h.label = "label"
	}
	if h.names != nil {
		fields = append(fields, schema.NewInt64Node(h.label, optional, -1))
	} else {
		fields = append(fields, schema.NewByteArrayNode(h.label, optional, -1))
	}
	extra := slices.Sorted(maps.Keys(h.extra))
	for _, name := range extra {
		fields = append(fields, schema.NewByteArrayNode(name, optional, -1))
	}
	version := parquet.DataPageV1
	if h.v2 {
		version = parquet.DataPageV2
	}
	w := file.NewParquetWriter(&b, schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)),
		file.WithWriterProps(parquet.NewWriterProperties(parquet.WithCompression(h.codec), parquet.WithDataPageVersion(version))))
	metadata := h.metadata
	if metadata == "" && h.names != nil {
		metadata = fmt.Sprintf(`{"info": {"features": {"image": {"_type": "Image"}, %q: {"names": ["%s"], "_type": "ClassLabel"}}}}`,
			h.label, strings.Join(h.names, `", "`))
	}
	if metadata != "" {
		if err := w.AppendKeyValueMetadata("huggingface", metadata); err != nil {
			tb.Fatal(err)
		}
	}
	step := h.rows
	if step == 0 {
		step = len(h.labels)
	}
	for lo := 0; lo < len(h.labels); lo += step {
		hi := min(lo+step, len(h.labels))
		g := w.AppendRowGroup()
		texts := func(depth int16, values [][]byte) {
			var there []parquet.ByteArray
			var levels []int16
			for _, v := range values {
				if v == nil {
					levels = append(levels, depth-1)
					continue
				}
				there, levels = append(there, v), append(levels, depth)
			}
			c, err := g.NextColumn()
			if err != nil {
				tb.Fatal(err)
			}
			if _, err = c.(*file.ByteArrayColumnChunkWriter).WriteBatch(there, levels, nil); err != nil {
				tb.Fatal(err)
			}
			if err = c.Close(); err != nil {
				tb.Fatal(err)
			}
		}
		texts(2, h.images[lo:hi])
		texts(2, bytesOf(h.paths[lo:hi]))
		if h.names == nil {
			texts(1, bytesOf(h.labels[lo:hi]))
		} else {
			var numbers []int64
			var levels []int16
			for _, text := range h.labels[lo:hi] {
				var n int64
				if _, err := fmt.Sscan(text, &n); err != nil {
					tb.Fatal(err)
				}
				numbers, levels = append(numbers, n), append(levels, 1)
			}
			c, err := g.NextColumn()
			if err != nil {
				tb.Fatal(err)
			}
			if _, err = c.(*file.Int64ColumnChunkWriter).WriteBatch(numbers, levels, nil); err != nil {
				tb.Fatal(err)
			}
			if err = c.Close(); err != nil {
				tb.Fatal(err)
			}
		}
		for _, name := range extra {
			texts(1, bytesOf(h.extra[name][lo:hi]))
		}
		if err := g.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// bytesOf returns texts as bytes, nil for an empty one.
func bytesOf(texts []string) [][]byte {
	out := make([][]byte, len(texts))
	for i, text := range texts {
		if text != "" {
			out[i] = []byte(text)
		}
	}
	return out
}

// fourImages are four images of the classes b, a, b and c, in this order.
func fourImages(tb testing.TB) hubFile {
	tb.Helper()
	h := hubFile{names: []string{"c", "b", "a"}, labels: []string{"1", "2", "1", "0"}, paths: []string{"1.jpg", "2.jpg", "", "4.jpg"}}
	for i := range h.labels {
		h.images = append(h.images, photo(tb, 40+i, 40, uint64(i)))
	}
	return h
}

// Every codec and both versions of pages give the same rows and the bytes of the images.
func TestParquetPages(t *testing.T) {
	h := fourImages(t)
	for _, c := range []struct {
		name  string
		codec compress.Compression
		v2    bool
		rows  int
	}{
		{"uncompressed", compress.Codecs.Uncompressed, false, 0},
		{"snappy", compress.Codecs.Snappy, false, 3},
		{"snappy, version 2", compress.Codecs.Snappy, true, 1},
		{"zstd", compress.Codecs.Zstd, false, 2},
		{"gzip, version 2", compress.Codecs.Gzip, true, 0},
		{"brotli", compress.Codecs.Brotli, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.codec, h.v2, h.rows = c.codec, c.v2, c.rows
			root := writeTree(t, map[string]string{"data/all.parquet": string(h.bytes(t)), "data/README.md": "text", "._x.parquet": "left by Finder"})
			l, store, err := readParquet(t.Context(), ownOptions(t, root, "first-half"))
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			want := []string{ // numbers are the places of the names in the metadata, from 1 on, and the first of three trains
				"1 1.jpg 2=b test", "2 2.jpg 3=a test", "3 data/all.parquet#3 2=b test", "4 4.jpg 1=c train",
			}
			if diff := cmp.Diff(want, rowsOf(l)); diff != "" {
				t.Error(diff)
			}
			for i, r := range l.Rows {
				f, size, err := store.Open(r.File)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, size)
				if _, err = f.Read(got); err != nil || !bytes.Equal(got, h.images[i]) {
					t.Errorf("%s: image %d differs, %v", r.Line, i, err)
				}
			}
			if l.Rows[2].Line != "data/all.parquet:row 3" || l.Lists[0].Name != "data/all.parquet" || l.Lists[0].Rows != 4 {
				t.Errorf("line %q, lists %v", l.Rows[2].Line, l.Lists)
			}
		})
	}
}

// The names of files say the split, columns of a table say it better, and labels may be texts.
func TestParquetSplits(t *testing.T) {
	text := func(h hubFile, labels ...string) string {
		h.names, h.labels = nil, labels
		return string(h.bytes(t))
	}
	h := fourImages(t)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // splits of the rows
	}{
		{
			"names of files",
			map[string]string{"data/train-00000-of-00001.parquet": text(h, "a", "a", "b", "b"), "data/test-00000-of-00001.parquet": text(h, "x", "x", "y", "y")},
			"test test test test train train train train",
		},
		{
			"names of folders",
			map[string]string{"default/train/0000.parquet": text(h, "a", "a", "b", "b"), "default/validation/0000.parquet": text(h, "x", "x", "y", "y")},
			"train train train train test test test test",
		},
		{"a column", map[string]string{"train.parquet": func() string {
			h := h
			h.extra = map[string][]string{"split": {"train", "query", "gallery", "query"}}
			return text(h, "a", "x", "x", "y")
		}()}, "train query gallery query"},
		{"a column against the name of a file of test images", map[string]string{"test.parquet": func() string {
			h := h
			h.extra = map[string][]string{"split": {"test", "test", "train", "test"}}
			return text(h, "a", "x", "x", "y")
		}()}, "error: test.parquet:row 3: column split says train, but the name of the file or its folder says test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, store, err := readParquet(t.Context(), ownOptions(t, writeTree(t, c.files), ""))
			if want, fails := strings.CutPrefix(c.want, "error: "); fails {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			var got []string
			for _, r := range l.Rows {
				got = append(got, string(r.Split))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("splits are %q, want %q", got, c.want)
			}
		})
	}
}

func TestParquetErrors(t *testing.T) {
	whole := fourImages(t)
	data := whole.bytes(t)
	footer := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	other := whole
	other.names = []string{"c", "b", "z"}
	for _, c := range []struct {
		name, want string
		file       func(h hubFile) []byte
	}{
		{"no Parquet", "is no Parquet file", func(hubFile) []byte { return []byte("a text of some length") }},
		{"cut", "is no Parquet file, or cut", func(hubFile) []byte { return data[:len(data)-9] }},
		{"encrypted", "encrypted", func(hubFile) []byte { return append(bytes.Clone(data[:len(data)-4]), "PARE"...) }},
		{"footer of zeros", "x.parquet: ", func(hubFile) []byte {
			return slices.Concat(data[:len(data)-8-footer], make([]byte, footer), data[len(data)-8:])
		}},
		{"footer that claims a billion row groups", "broken Thrift data", func(hubFile) []byte {
			claim := []byte{0x15, 2, 0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 3} // version 1, then a list in field 4
			return slices.Concat([]byte("PAR1"), claim, []byte{byte(len(claim)), 0, 0, 0}, []byte("PAR1"))
		}},
		{"no label", "x.parquet:row 2: the image has no label", func(h hubFile) []byte {
			h.names, h.labels = nil, []string{"a", "", "b", "c"}
			return h.bytes(t)
		}},
		{"label -1", "x.parquet:row 2: label is -1", func(h hubFile) []byte { h.labels = []string{"0", "-1", "1", "2"}; return h.bytes(t) }},
		{"label without a name", "x.parquet:row 4: label, want 0 to 2", func(h hubFile) []byte { h.labels = []string{"0", "1", "1", "3"}; return h.bytes(t) }},
		{"two names alike", "two classes have the same name", func(h hubFile) []byte { h.names = []string{"a", "a", "b"}; return h.bytes(t) }},
		{"no column of labels", "no column of labels", func(h hubFile) []byte {
			h.label, h.metadata = "fine_label", `{"info": {"features": {"image": {"_type": "Image"}}}}`
			return h.bytes(t)
		}},
		{"sound", "no column of images", func(h hubFile) []byte {
			h.metadata = `{"info": {"features": {"image": {"_type": "Audio"}}}}`
			return h.bytes(t)
		}},
		{"broken metadata", "metadata huggingface", func(h hubFile) []byte { h.metadata = "{"; return h.bytes(t) }},
		{"missing image", "x.parquet:row 2: no x.parquet#1; 1 of 4 images are missing", func(h hubFile) []byte {
			h.images = slices.Clone(h.images)
			h.images[1] = nil
			return h.bytes(t)
		}},
		{"broken image", "x.parquet:row 2: 2.jpg: file is empty", func(h hubFile) []byte {
			h.images = slices.Clone(h.images)
			h.images[1] = []byte{}
			return h.bytes(t)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := writeTree(t, map[string]string{"x.parquet": string(c.file(whole))})
			_, _, err := Ingest(t.Context(), parquetFiles(), ownOptions(t, root, "first-half"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	root := writeTree(t, map[string]string{"a.parquet": string(data), "b.parquet": string(other.bytes(t))})
	if _, _, err := Ingest(t.Context(), parquetFiles(), ownOptions(t, root, "first-half")); err == nil ||
		!strings.Contains(err.Error(), "differ from those in a.parquet") {
		t.Errorf("other names: got %v", err)
	}
}

// An export has the images and classes of the data set, and so has what is ingested from it: with whole
// numbers from 1 on, an evaluation depends on the same. It is the same twice, and leaves other files alone.
func TestWriteParquet(t *testing.T) {
	files := tree("train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg", "test/c/1.jpg", "test/c/2.jpg", "test/d/1.jpg")
	_, dir, err := Ingest(t.Context(), folder(), ownOptions(t, writeTree(t, files), ""))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	out := filepath.Join(t.TempDir(), "new", "out")
	var before map[string]string
	for range 2 {
		e, failed := WriteParquet(t.Context(), d, out, nil)
		if failed != nil {
			t.Fatal(failed)
		}
		if len(e.Splits) != 2 || e.Splits[0].Images != 3 || e.Images != 6 || e.Splits[1].Files[0] != "data/test-00000-of-00001.parquet" {
			t.Errorf("export is %+v", e)
		}
		now := contents(t, out)
		if before != nil && !maps.Equal(before, now) {
			t.Error("the second export differs")
		}
		before = now
	}
	o := ownOptions(t, out, "")
	_, again, err := Ingest(t.Context(), parquetFiles(), o)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Open(again)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if got, want := back.TestHash(back.Rows()), d.TestHash(d.Rows()); got != want {
		t.Errorf("hash of what an evaluation depends on is %s, want %s", got, want)
	}
	for i := range d.Len() {
		if back.ClassName(i) != d.ClassName(i) || back.Name(i) != d.Name(i) || back.SHA256(i) != d.rows[i].sum {
			t.Errorf("row %d is %s of %s", i, back.Name(i), back.ClassName(i))
		}
	}
	other := filepath.Join(t.TempDir(), "downloaded")
	if err = os.CopyFS(other, os.DirFS(out)); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(other, exportMark), []byte("cub/official-s256-jpeg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = WriteParquet(t.Context(), d, other, nil); err == nil || !strings.Contains(err.Error(), `holds the export of "cub/official-s256-jpeg"`) {
		t.Errorf("an export of another set: got %v", err)
	}
	if err = os.Remove(filepath.Join(other, exportMark)); err != nil {
		t.Fatal(err)
	}
	if _, err = WriteParquet(t.Context(), d, other, nil); err == nil || !strings.Contains(err.Error(), "data, which export did not write") {
		t.Errorf("files of the same names that another program wrote: got %v", err)
	}
	if err = os.WriteFile(filepath.Join(out, "mine.txt"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = WriteParquet(t.Context(), d, out, nil); err == nil || !strings.Contains(err.Error(), "mine.txt, which export did not write") {
		t.Errorf("another file: got %v", err)
	}
}

// A damaged file is an error or gives rows, and takes no memory for what it claims.
func FuzzParquet(f *testing.F) {
	h := fourImages(f)
	for _, codec := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd} {
		h.codec, h.v2 = codec, codec == compress.Codecs.Zstd
		f.Add(h.bytes(f))
	}
	h.names, h.extra = nil, map[string][]string{"split": {"train", "test", "test", "test"}, "category": {"x", "", "y", "y"}}
	f.Add(h.bytes(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		l, store, err := readParquet(t.Context(), ownOptions(t, name, "first-half"))
		if err != nil {
			return
		}
		defer store.Close()
		for _, r := range l.Rows {
			if r.ClassName == "" || r.ID < 1 {
				t.Errorf("row %+v", r)
			}
			if _, size, err := store.Open(r.File); err == nil && size > int64(byteLimit)+1 {
				t.Errorf("image of %d bytes", size)
			}
		}
	})
}
