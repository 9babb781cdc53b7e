package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
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
