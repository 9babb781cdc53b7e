package vectors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written are the files that testdata/write.py wrote with numpy, pyarrow and safetensors: by pattern,
// with what must be named to find the matrix.
func written() map[string]string {
	return map[string]string{
		"[bl]e*.npy": "", "version*.npy": "", "f32.safetensors": "", "bf16.safetensors": "", "two.safetensors": "x",
		"*-fixed.*": "", "*-list.*": "", "stream.arrow": "", "lz4.*": "", "zstd.*": "x",
		"none.parquet": "", "snappy.parquet": "", "gzip.parquet": "", "plain.parquet": "", "v2.parquet": "", "split.parquet": "",
	}
}

// TestOpenWritten reads x[i, j] = i + j/4 - 2, [7, 3], out of every file of other programs.
func TestOpenWritten(t *testing.T) {
	for pattern, name := range written() {
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			t.Run(filepath.Base(path), func(t *testing.T) {
				m, err := Open(path, Options{Name: name})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				if m.Rows != 7 || m.Width != 3 || len(m.SHA256) != 64 {
					t.Fatalf("[%d, %d] with digest %q, want [7, 3]", m.Rows, m.Width, m.SHA256)
				}
				// In order, all at once, backwards, nothing, and across groups of three rows.
				for _, span := range [][2]int{{0, 2}, {2, 3}, {3, 7}, {0, 7}, {5, 6}, {1, 2}, {4, 4}, {2, 5}} {
					got := make([]float32, 3*(span[1]-span[0]))
					if err := m.Read(span[0], span[1], got); err != nil {
						t.Fatal(err)
					}
					for k, v := range got {
						if want := float32(span[0]+k/3) + float32(k%3)/4 - 2; v != want {
							t.Fatalf("rows %v: number %d is %g, want %g", span, k, v, want)
						}
					}
				}
			})
		}
	}
}

// TestTableWritten reads the columns of every table of other programs.
func TestTableWritten(t *testing.T) {
	for _, pattern := range []string{"*-fixed.*", "*-list.*", "stream.arrow", "lz4.*", "zstd.*", "none.parquet", "v2.parquet", "plain.parquet", "split.parquet"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", pattern))
		for _, path := range paths {
			t.Run(filepath.Base(path), func(t *testing.T) {
				table, err := OpenTable(path)
				if err != nil {
					t.Fatal(err)
				}
				defer table.Close()
				if table.Rows != 7 {
					t.Fatalf("%d rows, want 7", table.Rows)
				}
				want := map[string]func(i int) string{
					"id":       func(i int) string { return fmt.Sprint(100 - i) },
					"label":    func(i int) string { return []string{"a", "b"}[i%2] },
					"category": func(i int) string { return []string{"a", "b"}[i%2] },
					"number":   func(i int) string { return fmt.Sprint(int64(i) << 33) },
					"flag":     func(i int) string { return fmt.Sprint(1 - i%2) },
				}
				for name, cell := range want {
					c, err := table.Column(name)
					if err != nil {
						t.Fatal(err)
					}
					for i := range table.Rows {
						if got := c.Text(i); got != cell(i) {
							t.Errorf("%s, row %d: %q, want %q", name, i, got, cell(i))
						}
					}
				}
				if _, err := table.Column("x"); err == nil {
					t.Error("a column of lists was read as cells")
				}
			})
		}
	}
	paths, _ := filepath.Glob("testdata/labels-*.npy")
	for _, path := range paths {
		table, err := OpenTable(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := table.Column("")
		if want := []int64{0, 3, 6, 9, 12, 15, 18}; err != nil || !slices.Equal(c.Ints, want) {
			t.Errorf("%s: %v, %v; want %v", path, c.Ints, err, want)
		}
		table.Close()
	}
}

// npy returns a .npy file of version 1.
func npy(header string, data []byte) []byte {
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	return append(append(out, header...), data...)
}

// floats returns the little-endian bytes of float32 numbers.
func floatBytes(values ...float32) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// safetensorsFile returns a safetensors file with this header.
func safetensorsFile(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

// TestOpenRefuses has a reason for every refusal: what is not a matrix of finite numbers must not
// become one, and the message must lead to the place.
func TestOpenRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	header := func(descr, shape string) string {
		return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }"
	}
	wide := binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300))
	cases := []struct {
		name, file string
		data       []byte
		options    Options
		want       string
	}{
		{"an empty file", "a.npy", nil, Options{}, "a.npy: the file is empty"},
		{"no rows", "a.npy", npy(header("<f4", "(0, 3)"), nil), Options{}, "no rows"},
		{"a width of 0", "a.npy", npy(header("<f4", "(3, 0)"), nil), Options{}, "vectors of 0 numbers, want at least 1"},
		{"one dimension", "a.npy", npy(header("<f4", "(3,)"), floatBytes(1, 2, 3)), Options{}, "shape [3], want [rows, width]"},
		{"three dimensions", "a.npy", npy(header("<f4", "(1, 1, 1)"), floatBytes(1)), Options{}, "want [rows, width]"},
		{"whole numbers", "a.npy", npy(header("<i4", "(1, 1)"), floatBytes(1)), Options{}, "type <i4, want float16, float32 or float64"},
		{"pickled", "a.npy", npy(header("|O", "(1, 1)"), nil), Options{}, "Python objects"},
		{"structured", "a.npy", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1)}", nil), Options{}, "structured"},
		{"cut short", "a.npy", npy(header("<f4", "(2, 2)"), floatBytes(1, 2, 3)), Options{}, "12 bytes of float32, want 2 x 2 numbers of 4 bytes"},
		{"too long", "a.npy", npy(header("<f4", "(1, 2)"), floatBytes(1, 2, 3)), Options{}, "want 1 x 2"},
		{"a shape beyond int64", "a.npy", npy(header("<f4", "(4611686018427387904, 4)"), nil), Options{}, "want 46"},
		{"version 9", "a.npy", []byte(npyMagic + "\x09\x00xxxx"), Options{}, "offset 6: version 9"},
		{"a header beyond the file", "a.npy", []byte(npyMagic + "\x01\x00\xff\xff"), Options{}, "offset 8: header of 65535 bytes"},
		{"NaN", "a.npy", npy(header("<f4", "(3, 1)"), floatBytes(1, 2, nan)), Options{}, "a.npy: row 2: number 0 is NaN"},
		{"infinity", "a.npy", npy(header("<f4", "(2, 2)"), floatBytes(1, 2, 3, inf)), Options{}, "row 1: number 1 is +Inf"},
		{"beyond float32", "a.npy", npy(header("<f8", "(1, 1)"), wide), Options{}, "row 0: number 0 is +Inf, want a finite float32"},
		{"npz", "a.npz", []byte("PK\x03\x04xxxx"), Options{}, "write the array itself with numpy.save"},
		{"gzip", "a.csv.gz", []byte("\x1f\x8bxxxx"), Options{}, "unpack it first"},
		{"unknown", "a.bin", []byte("hello world"), Options{}, "not known what it is; want npy, parquet, arrow"},
		{"a list of ids", "a.txt", []byte("1\n2\n"), Options{}, "txt has no matrix of numbers"},
		{"text that is no number", "a.csv", []byte("1,2\n3,x\n"), Options{}, `a.csv:2: column 2 is "x", want a number`},
		{"NaN in text", "a.csv", []byte("1,2\n3,nan\n"), Options{}, "row 1: number 1 is NaN"},
		{"lines of two lengths", "a.csv", []byte("1,2\n3\n"), Options{}, "a.csv:2: 1 cells, want 2"},
		{"an index of pandas", "a.csv", []byte(",x0,x1\n0,1,2\n"), Options{}, `a.csv:1: column 1 is called ""`},
		{"labels among the numbers", "a.csv", []byte("x0,label\n1,2\n"), Options{}, `column 2 is called "label"`},
		{"only a header", "a.csv", []byte("x0,x1\n"), Options{}, "no rows"},
		{
			"two tensors", "a.safetensors",
			safetensorsFile(`{"b":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}`, floatBytes(1, 2)),
			Options{},
			"more than one tensor with two dimensions: name one of a, b",
		},
		{
			"no such tensor", "a.safetensors",
			safetensorsFile(`{"b":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}`, floatBytes(1)),
			Options{Name: "c"},
			`no tensor "c"; there is b`,
		},
		{
			"a tensor outside of the file", "a.safetensors",
			safetensorsFile(`{"b":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}`, floatBytes(1)),
			Options{},
			`tensor "b": bytes [4, 8) of 4`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := readAll(path, c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
	for file, want := range map[string]string{"null.parquet": "row 1: null", "ragged.parquet": "row 1: 1 numbers, want 2"} {
		if _, err := readAll(filepath.Join("testdata", file), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", file, err, want)
		}
	}
	if _, err := Open(filepath.Join("testdata", "two.safetensors"), Options{}); err == nil || !strings.Contains(err.Error(), "name one of x, y") {
		t.Errorf("two tensors: %v", err)
	}
	if _, err := Open(filepath.Join("testdata", "none.parquet"), Options{Name: "label"}); err == nil || !strings.Contains(err.Error(), `"label"`) {
		t.Errorf("a column of strings: %v", err)
	}
}

// TestTwoOfAName asks for columns of files in which some share a name: neither is taken for the other.
func TestTwoOfAName(t *testing.T) {
	for _, path := range []string{"testdata/twice.arrow", "testdata/twice.parquet"} {
		table, err := OpenTable(path)
		if err != nil {
			t.Fatal(err)
		}
		defer table.Close()
		cells := func(name string) error { _, err := table.Column(name); return err }
		numbers := func(name string) error { _, err := readAll(path, Options{Name: name}); return err }
		for _, c := range []struct {
			column string
			read   func(string) error
			want   string // of the error, "" where it is read
		}{
			{"y", cells, ""},
			{"id", cells, path + `: two columns are called "id"`},
			{"mixed", cells, `two columns are called "mixed"`}, // one of numbers, one of lists
			{"only", numbers, ""},
			{"x", numbers, path + `: two columns are called "x"`},
			{"mixed", numbers, `two columns are called "mixed"`},
		} {
			if err := c.read(c.column); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v, want %q", path, c.column, err, c.want)
			}
		}
	}
}

// TestSafetensorsLayout has the rules of the format: names occur once, and the tensors cover the bytes
// behind the header without holes. Entries need not be in the order of the bytes.
func TestSafetensorsLayout(t *testing.T) {
	tensor := func(name, offsets string) string {
		return fmt.Sprintf(`%q:{"dtype":"F32","shape":[1,1],"data_offsets":%s}`, name, offsets)
	}
	const other = `"bias":{"dtype":"F32","shape":[1],"data_offsets":`
	cases := []struct {
		name, header string
		numbers      int    // behind the header
		want         string // of the error, "" where it is read
	}{
		{"two tensors", "{" + other + "[0,4]}," + tensor("x", "[4,8]") + "}  ", 2, ""},
		{"backwards", "{" + tensor("x", "[4,8]") + "," + other + "[0,4]}}", 2, ""},
		{"an empty one between", "{" + `"none":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},` + tensor("x", "[4,8]") + "," + other + "[0,4]}}", 2, ""},
		{"with metadata", `{"__metadata__":{"a":"b"},` + tensor("x", "[0,4]") + "}", 1, ""},
		{"a doubled name", "{" + tensor("x", "[0,4]") + "," + tensor("x", "[4,8]") + "}", 2, `two tensors are called "x"`},
		{"one offset", "{" + tensor("x", "[0]") + "}", 1, `tensor "x": data_offsets [0], want two`},
		{"three offsets", "{" + tensor("x", "[0,4,8]") + "}", 2, `tensor "x": data_offsets [0 4 8], want two`},
		{"no offsets", `{"x":{"dtype":"F32","shape":[1,1]}}`, 1, `tensor "x": data_offsets [], want two`},
		{"end before begin", "{" + tensor("x", "[4,0]") + "}", 1, `tensor "x": bytes [4, 0) of 4`},
		{"one lies in the other", "{" + other + "[0,4]}," + tensor("x", "[0,4]") + "}", 1, `tensor "x": bytes [0, 4), want them from 4 on`},
		{"they overlap", "{" + other + "[0,6]}," + tensor("x", "[4,8]") + "}", 2, `tensor "x": bytes [4, 8), want them from 6 on`},
		{"a hole before the first", "{" + tensor("x", "[4,8]") + "}", 2, `tensor "x": bytes [4, 8), want them from 0 on`},
		{"a hole between", "{" + other + "[0,4]}," + tensor("x", "[8,12]") + "}", 3, `tensor "x": bytes [8, 12), want them from 4 on`},
		{"bytes behind the last", "{" + tensor("x", "[0,4]") + "}", 2, `tensor "x" is the last and ends at 4 of 8 bytes`},
		{"something behind the header", "{" + tensor("x", "[0,4]") + "}{}", 1, "header: invalid character"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.safetensors")
			if err := os.WriteFile(path, safetensorsFile(c.header, floatBytes(make([]float32, c.numbers)...)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readAll(path, Options{})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// readAll reads a whole matrix.
func readAll(path string, o Options) ([]float32, error) {
	m, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	out := make([]float32, m.Rows*m.Width)
	return out, m.Read(0, m.Rows, out)
}

// TestText reads texts as people write them: with a byte order mark, Windows lines, blank lines and
// blanks, and with more rows than lie between two marks.
func TestText(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(path, []byte("\ufeffx0,x1\r\n1, 2\r\n\r\n-3,4e-1\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(path, Options{}); err != nil || !slices.Equal(got, []float32{1, 2, -3, 0.4}) {
		t.Errorf("%v, %v", got, err)
	}
	var long bytes.Buffer
	const rows = 3*markEvery + 5
	for i := range rows {
		fmt.Fprintf(&long, "%d\t%d\n", i, 2*i)
	}
	path = filepath.Join(dir, "a.tsv")
	if err := os.WriteFile(path, long.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path, Options{})
	if err != nil || m.Rows != rows || m.Width != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	defer m.Close()
	for _, row := range []int{rows - 1, 0, markEvery, markEvery - 1, 2*markEvery + 7, 5} {
		got := make([]float32, 2)
		if err := m.Read(row, row+1, got); err != nil || got[0] != float32(row) || got[1] != float32(2*row) {
			t.Errorf("row %d: %v, %v", row, got, err)
		}
	}
}

// TestTextTables has the rules for cells of text.
func TestTextTables(t *testing.T) {
	cases := []struct {
		name, file, data, column string
		want                     Column
		fails                    string
	}{
		{name: "whole numbers", file: "a.csv", data: "id,label\n1,5\n-2,6\n", column: "id", want: Column{Ints: []int64{1, -2}}},
		{name: "leading zeros are kept", file: "a.csv", data: "id\n7\n07\n", column: "id", want: Column{Strings: []string{"7", "07"}}},
		{name: "beyond 2^31", file: "a.csv", data: "label\n4294967296\n0\n", column: "label", want: Column{Ints: []int64{1 << 32, 0}}},
		{name: "beyond 2^63 is text", file: "a.csv", data: "label\n9223372036854775808\n", column: "label", want: Column{Strings: []string{"9223372036854775808"}}},
		{name: "quoted", file: "a.csv", data: "label\n\"a,b\"\n", column: "label", want: Column{Strings: []string{"a,b"}}},
		{name: "a value a line", file: "a.txt", data: "b/1.jpg\na, 2.jpg\n\n", column: "", want: Column{Strings: []string{"b/1.jpg", "a, 2.jpg"}}},
		{name: "no such column", file: "a.csv", data: "id\n1\n", column: "label", fails: `no column "label"; there is id`},
		{name: "two of a name", file: "a.csv", data: "id,id\n1,2\n", column: "id", fails: `a.csv:1: two columns are called "id"`},
		{name: "a line too short", file: "a.csv", data: "id,label\n1,2\n3\n", column: "id", fails: "a.csv:3: 1 cells, want 2"},
		{name: "a quote that never ends", file: "a.csv", data: "id\n\"1\n2\n", column: "id", fails: "a.csv:"},
		{name: "a hole in the lines", file: "a.txt", data: "1\n\n2\n", column: "", fails: "a.txt:2: the line is empty"},
		{name: "no rows", file: "a.csv", data: "id\n", column: "id", fails: "no rows"},
		{name: "UTF-16", file: "a.csv", data: "i\x00d\x00", column: "id", fails: "offset 1: a zero byte"},
		{name: "no table", file: "a.safetensors", data: string(safetensorsFile("{}", nil)), column: "id", fails: "safetensors has no columns"},
		{name: "floats", file: "a.npy", data: string(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", floatBytes(1))), fails: "want whole numbers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.data), 0o644); err != nil {
				t.Fatal(err)
			}
			table, err := OpenTable(path)
			var got Column
			if err == nil {
				got, err = table.Column(c.column)
				table.Close()
			}
			switch {
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("%v, want an error with %q", err, c.fails)
			case c.fails == "" && (err != nil || !slices.Equal(got.Ints, c.want.Ints) || !slices.Equal(got.Strings, c.want.Strings)):
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// fuzzFormat opens broken files of one kind as a matrix and as a table. None may panic, run for long,
// or read numbers that are not finite.
func fuzzFormat(f *testing.F, extension string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*."+extension))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		open := func() *file {
			opened, err := newFile("a."+extension, bytes.NewReader(data), int64(len(data)), io.NopCloser(nil))
			if err != nil {
				return nil
			}
			return opened
		}
		if opened := open(); opened != nil {
			if m, err := newMatrix(opened, Options{}); err == nil {
				rows := min(m.Rows, 64)
				row := make([]float32, m.Width)
				for i := range rows {
					if m.Read(m.Rows-rows+i, m.Rows-rows+i+1, row) != nil {
						break
					}
				}
			}
		}
		if opened := open(); opened != nil {
			if table, err := newTable(opened); err == nil {
				for _, name := range table.Names {
					if c, err := table.Column(name); err == nil && c.Len() != table.Rows {
						t.Errorf("column %q has %d cells, want %d", name, c.Len(), table.Rows)
					}
				}
			}
		}
	})
}

func FuzzNPY(f *testing.F) { fuzzFormat(f, "npy") }

func FuzzSafetensors(f *testing.F) { fuzzFormat(f, "safetensors") }

func FuzzArrow(f *testing.F) { fuzzFormat(f, "arrow") }

func FuzzParquet(f *testing.F) { fuzzFormat(f, "parquet") }

func FuzzCSV(f *testing.F) {
	f.Add([]byte("x0,x1\n1,2\n\"3\",4\n"))
	f.Add([]byte("\ufeffid,label\r\n1,a\r\n"))
	fuzzFormat(f, "csv")
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("1\n2\n\n"))
	fuzzFormat(f, "txt")
}
