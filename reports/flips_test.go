package reports

import (
	"errors"
	"io"
	"strings"
	"testing"

	"bierbench/runs"
)

// flippedDiff compares two runs of one group whose queries differ by which are hits.
func flippedDiff(t *testing.T) (*runs.Diff, []*runs.Run) {
	t.Helper()
	group := runs.Group{Dataset: "cub", Variant: "mini-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}
	var both []*runs.Run
	for i, id := range []string{"a", "b"} {
		s := loadedRun{record: runs.Record{ID: id}}
		for _, c := range pictured().cells {
			if c.Group == (runs.Group{Dataset: "cub", Variant: "mini+box-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}) {
				c.Group, c.Correlation = group, nil
				s.cells = append(s.cells, c)
				s.record.Cells = append(s.record.Cells, c.Key)
			}
		}
		r := stored(t, s)
		cells, err := r.Cells()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells { // queries 1 to 10 hit in A alone, 36 to 40 in B alone
			path := r.QueriesPath(c.Key, c.Evaluations[0].Protocol)
			queries, err := runs.ReadQueries(path)
			if err != nil {
				t.Fatal(err)
			}
			hits := 0
			for j := range queries {
				q := &queries[j]
				rank := int32(1)
				if i == 0 && j >= 35 || i == 1 && j < 10 {
					rank = int32(2 + j)
					q.Nearest[0] = q.Nearest[1]
				} else {
					q.Nearest[0] = int64((j+10)%40 + 1)
					hits++
				}
				q.Rank, q.RankPessimistic, q.RankOptimistic = rank, rank, rank
			}
			if err = runs.WriteQueries(path, queries); err != nil {
				t.Fatal(err)
			}
			c.Evaluations[0].Metrics[recallAt1] = float64(hits) / 40
			if err = r.WriteCell(c); err != nil {
				t.Fatal(err)
			}
		}
		both = append(both, r)
	}
	d, err := runs.CompareRuns(t.Context(), both[0], both[1], runs.CompareOptions{Metrics: []string{recallAt1}})
	if err != nil {
		t.Fatal(err)
	}
	return d, both
}

// By construction 5 queries are gained, the last with the lowest rank in A, 41, and 10 are lost,
// the tenth with rank 11 in B.
func TestFlips(t *testing.T) {
	d, both := flippedDiff(t)
	flips, err := NewDiffFlips(t.Context(), d, both, &drawer{})
	if err != nil {
		t.Fatal(err)
	}
	page := render(t, func(w io.Writer) error { return DiffHTML(d, nil, flips, w) })
	places, _ := checkPictures(t, page)
	if places != 8*3 { // two extremes and two drawn of each direction
		t.Errorf("%d pictures, want 24", places)
	}
	for _, want := range []string{
		"bier-64 in b against a, seed 1: 5 gained, 10 lost</h3>",
		"Gained, largest change: rank 41 in A, 1 in B<",
		"Gained, largest change: rank 40 in A, 1 in B<",
		"Lost, largest change: rank 1 in A, 11 in B<",
		"Lost, drawn: rank 1 in A, ",
		"<title>A: a found first, wrong: ", "<title>B: b found first, correct: ", "<b>A ✗ 0.", "<b>B ✓ 0.",
		`data-block data-dataset="cub" data-method="bier"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if flips, err = NewDiffFlips(t.Context(), d, both, &drawer{failed: errors.New("no <b>pictures</b>")}); err != nil {
		t.Fatal(err)
	}
	page = render(t, func(w io.Writer) error { return DiffHTML(d, nil, flips, w) })
	if !strings.Contains(page, "<p class=\"note\">no &lt;b&gt;pictures&lt;/b&gt;.</p>") {
		t.Error("no sentence of what is not there")
	}
}

// Rows with a verdict come first; refused ones and other metrics have no pictures.
func TestFlippedRows(t *testing.T) {
	row := func(method, metric, verdict, reason string, gained int) runs.Comparison {
		return runs.Comparison{B: runs.Group{Method: method}, Metric: metric, Verdict: verdict, Reason: reason, Gained: gained}
	}
	d := &runs.Diff{Rows: []runs.Comparison{
		row("noise", recallAt1, runs.Noise, "", 3), row("map", mapAtR, runs.Better, "", 0), row("worse", recallAt1, runs.Worse, "", 2),
		row("equal", recallAt1, runs.Noise, "", 0), row("refused", recallAt1, "", "why", 1), row("better", recallAt1, runs.Better, "", 1),
	}}
	got := ""
	for _, c := range flippedRows(d) {
		got += " " + c.B.Method
	}
	if got != " worse better noise" {
		t.Errorf("rows%s", got)
	}
}
