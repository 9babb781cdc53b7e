package vectors

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Arrow files of Go have no mark between the last batch and the footer, those of pyarrow do.
func TestArrowFileOfGo(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)}}, nil)
	path := filepath.Join(t.TempDir(), "go.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, v := range []float32{1, 3, 5} { // a batch each
		list := b.Field(0).(*array.FixedSizeListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{v, v + 1}, nil)
		record := b.NewRecord()
		err = w.Write(record)
		record.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got := make([]float32, 6)
	if err = m.Read(0, 3, got); err != nil || !slices.Equal(got, []float32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("%g, %v", got, err)
	}
}

// goArrow returns an Arrow file or stream of Go with two batches, closed by its writer or not.
func goArrow(t *testing.T, stream, closed bool) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)}}, nil)
	path := filepath.Join(t.TempDir(), "go.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var w interface {
		Write(record arrow.Record) error
		Close() error
	}
	if stream {
		w = ipc.NewWriter(f, ipc.WithSchema(schema))
	} else if w, err = ipc.NewFileWriter(f, ipc.WithSchema(schema)); err != nil {
		t.Fatal(err)
	}
	record, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"v":[1,2]},{"v":[3,4]}]`))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	for i := range int64(2) {
		batch := record.NewSlice(i, i+1)
		err = w.Write(batch)
		batch.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if closed {
		if err = w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestArrowUnfinished reads no file that its writer did not finish, however many whole batches it has.
func TestArrowUnfinished(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	python, stream := read("float-fixed.arrow"), read("stream.arrow")
	mark := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	unmarked := bytes.TrimSuffix(stream, mark)
	const footer, open = "a.arrow: the file is cut off: it has no footer", "has no end mark: it is cut off or still being written"
	cases := []struct {
		name string
		data []byte
		want string // of the error, "" where it is read
	}{
		{"a file of pyarrow", python, ""},
		{"without its last byte", python[:len(python)-1], footer},
		{"without its footer, which begins behind the mark", python[:bytes.LastIndex(python, mark)+len(mark)], footer},
		{"a magic alone", python[:8], footer},
		{"a footer without length", slices.Concat(python[:len(python)-10], []byte{0, 0, 0, 0}, []byte(arrowMagic)), footer},
		{"a footer that begins in a message", slices.Concat(python[:len(python)-10], []byte{0, 5, 0, 0}, []byte(arrowMagic)), "where the footer begins"},
		{"a file of Go", goArrow(t, false, true), ""},
		{"a file of Go that is not closed", goArrow(t, false, false), footer},
		{"a stream of pyarrow", stream, ""},
		{"without its mark", unmarked, open},
		{"with half of it", stream[:len(stream)-4], "4 bytes wanted"},
		{"zero bytes where the mark is due", append(slices.Clone(unmarked), make([]byte, 8)...), open},
		{"cut in a batch", stream[:len(stream)-20], "a body of"},
		{"a stream of Go", goArrow(t, true, true), ""},
		{"a stream of Go that is not closed", goArrow(t, true, false), open},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.arrow")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readAll(path, Options{})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
