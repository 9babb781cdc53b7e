package runs_test

import (
	"context"
	"fmt"
	"math"
	"os"

	"bierbench/runs"
)

// Two runs of one method, with three seeds each on twelve classes: the second one hits one query
// more in every class.
func ExampleCompareRuns() {
	dir, err := os.MkdirTemp("", "runs-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := runs.Store{Dir: dir}
	before, after := exampleRun(store, "before", 5), exampleRun(store, "after", 6)
	d, err := runs.CompareRuns(context.Background(), before, after, runs.CompareOptions{Metrics: []string{"R@1"}})
	if err != nil {
		panic(err)
	}
	for _, row := range d.Rows {
		fmt.Printf("%s %s: %.2f -> %.2f, difference %+.2f, %s\n", row.B.Method, row.Metric, row.MeanA, row.MeanB, row.Delta, row.Verdict)
	}
	// Output:
	// bier R@1: 0.50 -> 0.60, difference +0.10, better
}

// exampleRun writes a run of three seeds. Each of the twelve classes has ten queries, of which the
// first hits find an image of their class.
func exampleRun(store runs.Store, id string, hits int) *runs.Run {
	group := runs.Group{Dataset: "cub", Variant: "mini-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}
	var record runs.Record
	for seed := range 3 {
		record.Cells = append(record.Cells, runs.Key{Group: group, Seed: seed})
	}
	r, err := store.Create(id, record)
	if err != nil {
		panic(err)
	}
	for _, key := range record.Cells {
		const classes, perClass = 12, 10
		var queries []runs.Query
		for i := range classes * perClass {
			q := runs.Query{ID: int64(i), Class: int32(i % classes), Rank: 3}
			if i/classes < hits {
				q.Rank = 1
			}
			q.RankPessimistic, q.RankOptimistic = q.Rank, q.Rank
			queries = append(queries, q)
		}
		recall := math.Round(100*float64(hits)/perClass) / 100
		cell := runs.Cell{Key: key, Status: runs.Done, Evaluations: []runs.Evaluation{{
			Protocol: "cub-loo", At: runs.AtLast, Queries: len(queries), Metrics: map[string]float64{"R@1": recall},
		}}}
		if err := r.WriteCell(cell); err != nil {
			panic(err)
		}
		if err := runs.WriteQueries(r.QueriesPath(key, "cub-loo"), queries); err != nil {
			panic(err)
		}
	}
	return r
}
