package runs

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Query is the outcome of one query of a protocol. Queries without a positive have no outcome.
type Query struct {
	ID    int64
	Class int32
	Draw  int32 // of VehicleID's 1gallery protocols; 0 elsewhere
	// 1-based rank of the best positive, with ties in the order of gallery ids, all against the
	// query, or all for it.
	Rank, RankPessimistic, RankOptimistic int32
	AP                                    float64 // average precision at R, whose mean is MAP@R
	RPrecision                            float64
	Nearest                               []int64 // ids of the nearest gallery images, nearest first
	Scores                                []float32
}

// queryBatch is the number of rows of a record batch.
const queryBatch = 1 << 16

// querySchema has a column for each field of Query.
func querySchema() *arrow.Schema {
	return arrowSchema("queries 1", []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "class", Type: arrow.PrimitiveTypes.Int32},
		{Name: "draw", Type: arrow.PrimitiveTypes.Int32},
		{Name: "rank", Type: arrow.PrimitiveTypes.Int32},
		{Name: "rank_pessimistic", Type: arrow.PrimitiveTypes.Int32},
		{Name: "rank_optimistic", Type: arrow.PrimitiveTypes.Int32},
		{Name: "ap", Type: arrow.PrimitiveTypes.Float64},
		{Name: "r_precision", Type: arrow.PrimitiveTypes.Float64},
		{Name: "nearest", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int64)},
		{Name: "scores", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)},
	})
}

// WriteQueries writes queries-<protocol>.arrow, an Arrow file with the columns id int64; class,
// draw, rank, rank_pessimistic, rank_optimistic int32; ap, r_precision float64; nearest
// list<int64>, scores list<float32>.
func WriteQueries(path string, queries []Query) error {
	_, err := writeQueries(path, queries)
	return err
}

// writeQueries is WriteQueries that returns the file's SHA-256, hex.
func writeQueries(path string, queries []Query) (digest string, err error) {
	for i, q := range queries {
		if len(q.Nearest) != len(q.Scores) {
			return "", fmt.Errorf("write %s: query %d has %d nearest images and %d scores", path, i, len(q.Nearest), len(q.Scores))
		}
		if q.Rank < 1 {
			return "", fmt.Errorf("write %s: query %d has rank %d, want at least 1", path, i, q.Rank)
		}
	}
	schema := querySchema()
	digest, err = writeArrow(path, schema, len(queries), queryBatch, func(from, to int) arrow.Record {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		defer b.Release()
		b.Reserve(to - from)
		numbers := func(column int) *array.Int32Builder { return b.Field(column).(*array.Int32Builder) }
		nearest, scores := b.Field(8).(*array.ListBuilder), b.Field(9).(*array.ListBuilder)
		for _, q := range queries[from:to] {
			b.Field(0).(*array.Int64Builder).Append(q.ID)
			for i, v := range []int32{q.Class, q.Draw, q.Rank, q.RankPessimistic, q.RankOptimistic} {
				numbers(i + 1).Append(v)
			}
			b.Field(6).(*array.Float64Builder).Append(q.AP)
			b.Field(7).(*array.Float64Builder).Append(q.RPrecision)
			nearest.Append(true)
			nearest.ValueBuilder().(*array.Int64Builder).AppendValues(q.Nearest, nil)
			scores.Append(true)
			scores.ValueBuilder().(*array.Float32Builder).AppendValues(q.Scores, nil)
		}
		return b.NewRecord()
	})
	if err != nil {
		return "", fmt.Errorf("write queries %s: %w", path, err)
	}
	return digest, nil
}

// ReadQueries reads queries-<protocol>.arrow, in the file's order.
func ReadQueries(path string) ([]Query, error) { return readQueries(path, "") }

// readQueries is ReadQueries for a file with a known SHA-256; an empty one is not compared.
func readQueries(path, digest string) ([]Query, error) {
	var queries []Query
	err := readArrow(path, digest, querySchema(), func(_ int64, r arrow.Record) error {
		c := queryColumns(r)
		nearest, scores := r.Column(8).(*array.List), r.Column(9).(*array.List)
		// One copy for all lists of a batch: one for each would take half as much memory again.
		ids := slices.Clone(nearest.ListValues().(*array.Int64).Int64Values())
		values := slices.Clone(scores.ListValues().(*array.Float32).Float32Values())
		queries = slices.Grow(queries, int(r.NumRows()))
		for i := range int(r.NumRows()) {
			n0, n1 := nearest.ValueOffsets(i)
			s0, s1 := scores.ValueOffsets(i)
			queries = append(queries, Query{
				ID: c.id[i], Class: c.class[i], Draw: c.draw[i],
				Rank: c.rank[i], RankPessimistic: c.pessimistic[i], RankOptimistic: c.optimistic[i],
				AP: c.ap[i], RPrecision: c.rPrecision[i],
				Nearest: part(ids, n0, n1), Scores: part(values, s0, s1),
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read queries: %w", err)
	}
	return queries, nil
}

// part returns values[from:to], nil where it is empty. Nothing can be appended to it in place.
func part[T any](values []T, from, to int64) []T {
	if from == to {
		return nil
	}
	return values[from:to:to]
}

// batchColumns are the columns of a batch of queries, except for its lists. They share the batch's
// memory.
type batchColumns struct {
	id                                         []int64
	class, draw, rank, pessimistic, optimistic []int32
	ap, rPrecision                             []float64
}

// queryColumns returns the columns of a batch.
func queryColumns(r arrow.Record) batchColumns {
	numbers := func(i int) []int32 { return r.Column(i).(*array.Int32).Int32Values() }
	return batchColumns{
		id:    r.Column(0).(*array.Int64).Int64Values(),
		class: numbers(1), draw: numbers(2), rank: numbers(3), pessimistic: numbers(4), optimistic: numbers(5),
		ap:         r.Column(6).(*array.Float64).Float64Values(),
		rPrecision: r.Column(7).(*array.Float64).Float64Values(),
	}
}
