package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

func someQueries(n int) []Query {
	q := make([]Query, n)
	for i := range q {
		q[i] = Query{
			ID: int64(i + 1), Class: int32(i / 7), Draw: int32(i % 3), Rank: int32(i%5 + 1),
			RankPessimistic: int32(i%5 + 2), RankOptimistic: 1, AP: 1 / float64(i+1), RPrecision: 0.5,
			Nearest: []int64{int64(i), int64(i + 2)}, Scores: []float32{0.5, -0.25},
		}
		if i%4 == 0 { // a small gallery has fewer than five images
			q[i].Nearest, q[i].Scores = nil, nil
		}
	}
	return q
}

func TestQueriesSurviveReading(t *testing.T) {
	// One more than a batch: lists of a second batch start at an offset.
	for _, n := range []int{0, 1, 10, queryBatch + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queries-x.arrow")
			want := someQueries(n)
			if err := WriteQueries(path, want); err != nil {
				t.Fatal(err)
			}
			got, err := ReadQueries(path)
			if err != nil || len(got) != n {
				t.Fatalf("%d queries, %v", len(got), err)
			}
			for i := range got {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Fatalf("query %d is %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "q.arrow")
	for name, q := range map[string]Query{
		"a rank of 0: ranks are 1-based":       {ID: 1},
		"as many scores as nearest images, no": {ID: 1, Rank: 1, Nearest: []int64{1}},
	} {
		if err := WriteQueries(path, []Query{q}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused write left its file")
	}
}

func TestEmbeddingsSurviveReading(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			const width = 1024 // 4,096 rows a batch
			e := Embeddings{Width: width}
			for i := range n {
				e.IDs = append(e.IDs, int64(i))
				e.Classes = append(e.Classes, int32(i%9))
				e.Splits = append(e.Splits, []string{"query", "gallery"}[i%2])
				e.Lists = append(e.Lists, uint8(i%8))
				for j := range width {
					e.Values = append(e.Values, float32(i*width+j))
				}
			}
			path := filepath.Join(t.TempDir(), "embeddings.arrow")
			if err := WriteEmbeddings(path, e); err != nil {
				t.Fatal(err)
			}
			got, err := ReadEmbeddings(path)
			if err != nil {
				t.Fatal(err)
			}
			same := slices.Equal(got.Values, e.Values)
			got.Values, e.Values = nil, nil // their comparison by reflection takes seconds
			if len(got.IDs) != n || got.Width != width || !same || n > 0 && !reflect.DeepEqual(got, e) {
				t.Error("embeddings differ after reading")
			}
		})
	}
	for name, e := range map[string]Embeddings{
		"no width":         {},
		"a missing class":  {IDs: []int64{1}, Splits: []string{"test"}, Lists: []uint8{0}, Width: 1, Values: []float32{1}},
		"a missing value":  {IDs: []int64{1}, Classes: []int32{1}, Splits: []string{"test"}, Lists: []uint8{0}, Width: 2, Values: []float32{1}},
		"an unknown split": {IDs: []int64{1}, Classes: []int32{1}, Splits: []string{"val"}, Lists: []uint8{0}, Width: 1, Values: []float32{1}},
	} {
		if err := WriteEmbeddings(filepath.Join(t.TempDir(), "e.arrow"), e); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestBrokenArrowFiles(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "queries-whole.arrow")
	if err := WriteQueries(whole, someQueries(50)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "embeddings.arrow")
	if err := WriteEmbeddings(other, Embeddings{
		IDs: []int64{1}, Classes: []int32{1}, Splits: []string{"test"},
		Lists: []uint8{0}, Width: 1, Values: []float32{1},
	}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":       {},
		"text":        []byte("id,class\n1,2\n"),
		"cut":         data[:len(data)/2],
		"cut at end":  data[:len(data)-1],
		"front alone": data[:8],
	} {
		path := filepath.Join(dir, "broken.arrow")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadQueries(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error with the file", name, err)
		}
	}
	if _, err := ReadQueries(other); err == nil || !strings.Contains(err.Error(), "queries 1") {
		t.Errorf("embeddings read as queries: %v, want which kind was wanted", err)
	}
	if _, err := ReadEmbeddings(whole); err == nil {
		t.Error("queries were read as embeddings")
	}
}

// A whole Arrow file of the kind whose columns are not those of the kind.
func TestOtherColumns(t *testing.T) {
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	want := arrowSchema("things 1", []arrow.Field{id})
	for _, tt := range []struct {
		name   string
		schema *arrow.Schema
		null   bool
		want   string
	}{
		{"the same", want, false, ""},
		{"a column more", arrowSchema("things 1", []arrow.Field{id, id}), false, "2 columns, want 1"},
		{"another name", arrowSchema("things 1", []arrow.Field{{Name: "class", Type: id.Type}}), false, "column 0 is class int64, want id int64"},
		{"another type", arrowSchema("things 1", []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int32}}), false, "column 0 is id int32, want id int64"},
		{"another version", arrowSchema("things 2", []arrow.Field{id}), false, `metadata bierbench is "things 2", want "things 1"`},
		{"a null", want, true, "batch 0: column id has 1 nulls, want none"},
	} {
		path := filepath.Join(t.TempDir(), "things.arrow")
		_, err := writeArrow(path, tt.schema, 1, 8, func(int, int) arrow.Record {
			b := array.NewRecordBuilder(memory.NewGoAllocator(), tt.schema)
			for _, column := range b.Fields() {
				if tt.null {
					column.AppendNull()
				} else {
					column.AppendEmptyValue()
				}
			}
			return b.NewRecord()
		})
		if err != nil {
			t.Fatal(err)
		}
		err = readArrow(path, "", want, func(int64, arrow.Record) error { return nil })
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v; want %q and the file", tt.name, err, tt.want)
		}
	}
	refused := errors.New("refused")
	path := filepath.Join(t.TempDir(), "queries.arrow")
	if err := WriteQueries(path, someQueries(3)); err != nil {
		t.Fatal(err)
	}
	if err := readArrow(path, "", querySchema(), func(int64, arrow.Record) error { return refused }); !errors.Is(err, refused) || !strings.Contains(err.Error(), "batch 0") {
		t.Errorf("a batch that its reader refuses: %v", err)
	}
	if err := WriteQueries(filepath.Join(path, "x"), nil); err == nil || !strings.Contains(err.Error(), "write queries ") {
		t.Errorf("queries in a file: %v", err)
	}
	e := Embeddings{Width: 1}
	if err := WriteEmbeddings(filepath.Join(path, "x"), e); err == nil || !strings.Contains(err.Error(), "write embeddings ") {
		t.Errorf("embeddings in a file: %v", err)
	}
}

// FuzzArrow feeds damaged files to the readers, which must neither panic nor ask for memory without
// end.
func FuzzArrow(f *testing.F) {
	dir := f.TempDir()
	queries, embeddings := filepath.Join(dir, "queries.arrow"), filepath.Join(dir, "embeddings.arrow")
	if err := WriteQueries(queries, someQueries(9)); err != nil {
		f.Fatal(err)
	}
	e := Embeddings{
		IDs: []int64{1, 2}, Classes: []int32{1, 1}, Splits: []string{"test", "test"}, Lists: []uint8{0, 0},
		Width: 2, Values: []float32{1, 2, 3, 4},
	}
	if err := WriteEmbeddings(embeddings, e); err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{queries, embeddings} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.arrow")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if q, err := ReadQueries(path); err == nil && len(q) > len(data) {
			t.Errorf("%d queries from %d bytes", len(q), len(data))
		}
		if e, err := ReadEmbeddings(path); err == nil && len(e.IDs) > len(data) {
			t.Errorf("%d embeddings from %d bytes", len(e.IDs), len(data))
		}
	})
}
