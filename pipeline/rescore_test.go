package pipeline

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/retrieval"
	"bierbench/reports"
	"bierbench/runs"
)

// Our own dialect must say what the record says, bit for bit and on every
// protocol: then the differences of the others are theirs. No two images of the
// miniature sets are equal, so no tie tells the dialects apart.
func TestRescoreAgreesWithRecord(t *testing.T) {
	w, r := runMini(t, []string{"cub", "inshop", "vehicleid"}, `
- datasets: [cub/mini, inshop/mini, vehicleid/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, {label: unscaled, method: bier, learners: 2, scale: none}]
  sizes: [24]
  steps: 5
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [{label: held-out, method: bier, learners: 2, evaluate: validation}]
  sizes: [24]
  steps: 5
`, 7)
	scored, err := Rescore(t.Context(), w, r.Record.ID, RescoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[runs.Key]map[string]map[string]reports.Rescored{} // cell, protocol, dialect
	for _, row := range scored.Rows {
		if rows[row.Key] == nil {
			rows[row.Key] = map[string]map[string]reports.Rescored{}
		}
		if rows[row.Key][row.Protocol] == nil {
			rows[row.Key][row.Protocol] = map[string]reports.Rescored{}
		}
		rows[row.Key][row.Protocol][row.Dialect] = row
	}
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	protocols := 0
	for _, c := range cells {
		if len(rows[c.Key]) != len(c.Evaluations) {
			t.Errorf("%s: %d protocols, want %d", c.Path(), len(rows[c.Key]), len(c.Evaluations))
		}
		for _, e := range c.Evaluations {
			protocols++
			dialects := rows[c.Key][e.Protocol]
			if len(dialects) != len(retrieval.Dialects()) {
				t.Errorf("%s %s: %d dialects, want %d", c.Path(), e.Protocol, len(dialects), len(retrieval.Dialects()))
			}
			ours := dialects["bierbench"]
			want := reports.Rescored{Key: c.Key, Protocol: e.Protocol, At: e.At, Dialect: "bierbench", Queries: e.Queries, Excluded: e.Excluded, Metrics: e.Metrics, Bounds: e.Bounds}
			if diff := cmp.Diff(want, ours); diff != "" {
				t.Errorf("%s %s: the record and our dialect (-want +got):\n%s", c.Path(), e.Protocol, diff)
			}
			one, gallery := dialects["bier"], e.Gallery != e.Queries+e.Excluded
			if (one.Reason != "") != gallery {
				t.Errorf("%s %s: BIER's code says %q; want a reason where queries have a gallery", c.Path(), e.Protocol, one.Reason)
			}
			for name, row := range dialects {
				if d := row.Deltas["R@1"]; name != "bier" && d != 0 {
					t.Errorf("%s %s: %s differs by %g", c.Path(), e.Protocol, name, d)
				}
			}
		}
	}
	if protocols != 2*(1+1+6)+1 {
		t.Errorf("%d protocols, want those of two cells of three data sets and one of held-out classes", protocols)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rescore(ctx, w, r.Record.ID, RescoreOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want canceled", err)
	}
}
