package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"bierbench/runs"
)

// writeRun writes a run of one group. ranks are [seed][query], two queries a class unless there is
// but one class.
func writeRun(t *testing.T, id string, classes int, tied bool, ranks ...[]int32) *runs.Run {
	t.Helper()
	r, err := runs.Store{Dir: t.TempDir()}.Create(id, runs.Record{Suite: "s", Config: json.RawMessage(`[]`)})
	if err != nil {
		t.Fatal(err)
	}
	for seed, list := range ranks {
		k := runs.Key{Group: runs.Group{
			Dataset: "cub", Variant: "mini", Backbone: "convnet", Mode: "frozen", Method: "bier",
			Size: 8,
		}, Seed: seed}
		hits, queries := 0.0, []runs.Query{}
		for i, rank := range list {
			q := runs.Query{ID: int64(i), Rank: rank, RankPessimistic: rank, RankOptimistic: rank, AP: 1 / float64(rank)}
			if classes > 1 {
				q.Class = int32(i / 2)
			}
			if rank == 1 {
				hits++
			}
			queries = append(queries, q)
		}
		n := float64(max(1, len(list)))
		ap := 0.0
		for _, q := range queries {
			ap += q.AP / n
		}
		e := runs.Evaluation{
			Protocol: "cub-loo", At: runs.AtLast, TestHash: "t", Queries: len(list),
			Metrics: map[string]float64{recallAt1: hits / n, mapAtR: ap},
		}
		if tied {
			e.Bounds = map[string][2]float64{recallAt1: {0, 1}, mapAtR: {0, 1}}
		}
		c := runs.Cell{Key: k, Config: json.RawMessage(`{}`), Status: runs.Done, Evaluations: []runs.Evaluation{e}}
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
		if err := runs.WriteQueries(r.QueriesPath(k, "cub-loo"), queries); err != nil {
			t.Fatal(err)
		}
		r.Record.Cells = append(r.Record.Cells, k)
	}
	return r
}

// Runs that have next to nothing to compare still get a verdict, or a reason or a note why there is
// none, and no format shows a number for nothing.
func TestDegenerateDiffs(t *testing.T) {
	some, other := []int32{1, 2, 1, 3, 1, 1}, []int32{2, 1, 1, 3, 5, 1}
	for _, c := range []struct {
		name string
		a, b *runs.Run
		want string // of verdict, reason and notes of each row
	}{
		{"identical runs", writeRun(t, "a", 3, false, some, other), writeRun(t, "b", 3, false, some, other), "equal query by query"},
		{"one seed", writeRun(t, "a", 3, false, some), writeRun(t, "b", 3, false, other), "one seed on a side"},
		{"one seed, identical", writeRun(t, "a", 3, false, some), writeRun(t, "b", 3, false, some), "equal query by query"},
		{"one query", writeRun(t, "a", 2, false, []int32{1}), writeRun(t, "b", 2, false, []int32{2}), "a single test class"},
		{"all tied", writeRun(t, "a", 3, true, some, other), writeRun(t, "b", 3, true, other, some), "collapsed"},
		{"no query", writeRun(t, "a", 3, false, nil), writeRun(t, "b", 3, false, nil), "no query has a positive"},
		{"one class", writeRun(t, "a", 1, false, some, other), writeRun(t, "b", 1, false, other, other), "a single test class"},
		{"all hit, all missed", writeRun(t, "a", 3, false, []int32{1, 1, 1, 1}), writeRun(t, "b", 3, false, []int32{9, 9, 9, 9}), "~"},
		{"no cell", writeRun(t, "a", 3, false), writeRun(t, "b", 3, false, some), "only run b"},
		{"no cell at all", writeRun(t, "a", 3, false), writeRun(t, "b", 3, false), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := runs.CompareRuns(t.Context(), c.a, c.b, runs.CompareOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range d.Rows {
				said := r.Verdict + " " + r.Reason
				for _, note := range r.Notes {
					said += " " + d.Footnotes[note]
				}
				if strings.TrimSpace(said) == "" || !strings.Contains(said, c.want) {
					t.Errorf("%s: %q, want %q", r.Metric, said, c.want)
				}
			}
			if (len(d.Rows) == 0) != (c.want == "") {
				t.Errorf("%d rows", len(d.Rows))
			}
			curves, err := NewDiffCurves(t.Context(), d, []*runs.Run{c.a, c.b})
			if err != nil {
				t.Fatal(err)
			}
			none := regexp.MustCompile(`\bNaN\b|[+-]?\bInf\b`)
			for name, write := range map[string]func(io.Writer) error{
				"text": func(w io.Writer) error { return DiffText(d, w) },
				"md":   func(w io.Writer) error { return DiffMarkdown(d, w) },
				"json": func(w io.Writer) error { return DiffJSON(d, w) },
				"html": func(w io.Writer) error {
					_, page, found := strings.Cut(render(t, func(w io.Writer) error { return DiffHTML(d, curves, nil, w) }), "<body>")
					if !found {
						return fmt.Errorf("no body")
					}
					page, _, _ = strings.Cut(page, "<script>") // of the page, which speaks of NaN
					_, err := io.WriteString(w, page)
					return err
				},
			} {
				if found := none.FindString(render(t, write)); found != "" {
					t.Errorf("%s shows %s", name, found)
				}
			}
		})
	}
}

// render returns what write writes.
func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
