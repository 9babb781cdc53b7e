package runs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/runs/internal/paired"
)

// fake is a cell made up for a comparison.
type fake struct {
	Key
	queries []Query
	change  func(c *Cell) // after all else is filled in
}

// fakeQueries makes queries of the given number of classes, 5 each, hit with the given chance.
func fakeQueries(random *rand.Rand, classes int, chance float64) []Query {
	q := make([]Query, 5*classes)
	for i := range q {
		q[i] = Query{ID: int64(i + 1), Class: int32(i / 5), Rank: 7, AP: 0.1}
		if random.Float64() < chance {
			q[i].Rank, q[i].AP = 1, 0.9
		}
		q[i].RankPessimistic, q[i].RankOptimistic = q[i].Rank, q[i].Rank
	}
	return q
}

const fakeProtocol = "cub-loo+mini"

// fakeRun writes a run of such cells.
func fakeRun(t *testing.T, id string, cells ...fake) *Run {
	t.Helper()
	r := create(t, Store{Dir: t.TempDir()}, id)
	var keys []Key
	for _, f := range cells {
		keys = append(keys, f.Key)
		c := doneCell(f.Key)
		c.Environment = Environment{Commit: "aaaa", CPU: "x"}
		e := Evaluation{
			Protocol: fakeProtocol, At: "last", TestHash: "t", Queries: len(f.queries),
			Metrics: map[string]float64{"R@1": 0, "R@10": 1, "MAP@R": 0},
		}
		for _, q := range f.queries {
			if q.Rank == 1 {
				e.Metrics["R@1"] += 1 / float64(len(f.queries))
			}
			e.Metrics["MAP@R"] += q.AP / float64(len(f.queries))
		}
		c.Evaluations = []Evaluation{e}
		if f.change != nil {
			f.change(&c)
		}
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
		if err := WriteQueries(r.QueriesPath(f.Key, fakeProtocol), f.queries); err != nil {
			t.Fatal(err)
		}
	}
	r.Record.Cells = keys
	return r
}

// seeds makes the cells of a group with seeds first, first+1, ...
func seeds(method string, first, n, classes int, chance float64) []fake {
	cells := make([]fake, n)
	for i := range cells {
		seed := first + i
		random := rand.New(rand.NewPCG(uint64(seed), uint64(chance*1000)))
		cells[i] = fake{Key: cellKey(method, seed), queries: fakeQueries(random, classes, chance)}
	}
	return cells
}

func compareRuns(t *testing.T, a, b *Run) *Diff {
	t.Helper()
	d, err := CompareRuns(t.Context(), a, b, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(d); err != nil {
		t.Fatalf("a diff has no JSON: %v", err) // NaN and Inf have none
	}
	return d
}

func TestCompareRuns(t *testing.T) {
	for _, tt := range []struct {
		name         string
		a, b         []fake
		verdict      string
		pairs        int
		note         string
		zeroInterval bool
	}{
		{
			name: "the same run twice differs in nothing", a: seeds("bier", 1, 3, 12, 0.5), b: seeds("bier", 1, 3, 12, 0.5),
			verdict: Noise, pairs: 3, note: "equal query by query", zeroInterval: true,
		},
		{
			name: "half of the hits against all but a few", a: seeds("bier", 1, 3, 30, 0.5), b: seeds("bier", 1, 3, 30, 0.95),
			verdict: Better, pairs: 3,
		},
		{
			name: "and the other way round", a: seeds("bier", 1, 3, 30, 0.95), b: seeds("bier", 1, 3, 30, 0.5),
			verdict: Worse, pairs: 3,
		},
		{
			name: "disjoint seeds have no pairs", a: seeds("bier", 1, 3, 30, 0.5), b: seeds("bier", 11, 3, 30, 0.5),
			verdict: Noise, pairs: 0,
		},
		{
			name: "one seed a side lacks the variance of seeds", a: seeds("bier", 1, 1, 30, 0.5), b: seeds("bier", 2, 1, 30, 0.5),
			verdict: Noise, pairs: 0, note: "one seed",
		},
		{
			name: "numbers of seeds may differ", a: seeds("bier", 1, 2, 30, 0.5), b: seeds("bier", 2, 4, 30, 0.5),
			verdict: Noise, pairs: 1, note: "two seeds",
		},
		{
			name: "one class says nothing of others", a: seeds("bier", 1, 3, 1, 0), b: seeds("bier", 1, 3, 1, 1),
			verdict: Noise, pairs: 3, note: "single test class",
		},
		{
			name: "all missed on both sides", a: seeds("bier", 1, 3, 30, 0), b: seeds("bier", 4, 3, 30, 0),
			verdict: Noise, zeroInterval: true,
		},
		{
			name: "all missed against all hit: no variance at all, and 30 classes agree", a: seeds("bier", 1, 3, 30, 0),
			b:       seeds("bier", 1, 3, 30, 1),
			verdict: Better, pairs: 3,
		},
		{
			name: "the same with 4 classes: that happens by chance", a: seeds("bier", 1, 3, 4, 0), b: seeds("bier", 1, 3, 4, 1),
			verdict: Noise, pairs: 3, note: "4 test classes",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := compareRuns(t, fakeRun(t, "a", tt.a...), fakeRun(t, "b", tt.b...))
			if len(d.Rows) != 2 || d.Rows[0].Metric != "R@1" || d.Rows[1].Metric != "MAP@R" {
				t.Fatalf("rows = %+v, want R@1 and MAP@R", d.Rows)
			}
			for _, r := range d.Rows {
				if r.Verdict != tt.verdict || r.Reason != "" {
					t.Errorf("%s: verdict %q, reason %q, want %q; %+v", r.Metric, r.Verdict, r.Reason, tt.verdict, r)
				}
				if (r.P < paired.Alpha) == (r.Low <= 0 && r.High >= 0) {
					t.Errorf("%s: p %g and interval [%g, %g] disagree", r.Metric, r.P, r.Low, r.High)
				}
				if r.Low > r.Delta || r.Delta > r.High || r.PHolm < r.P {
					t.Errorf("%s: %g not in [%g, %g], or p %g above p %g after Holm", r.Metric, r.Delta, r.Low, r.High, r.P, r.PHolm)
				}
				if zero := r.Low == 0 && r.High == 0 && r.Delta == 0 && r.P == 1; zero != tt.zeroInterval {
					t.Errorf("%s: delta %g in [%g, %g], p %g; want all zero: %v", r.Metric, r.Delta, r.Low, r.High, r.P, tt.zeroInterval)
				}
				if notes := footnotes(d, r); !strings.Contains(notes, tt.note) {
					t.Errorf("%s: notes %q, want %q", r.Metric, notes, tt.note)
				}
			}
			if got := len(d.Rows[0].Pairs); got != tt.pairs {
				t.Errorf("%d pairs of seeds, want %d", got, tt.pairs)
			}
			if d.Rows[1].Pairs != nil {
				t.Error("MAP@R has pairs: an average precision is no hit")
			}
		})
	}
}

func footnotes(d *Diff, r Comparison) string {
	var notes []string
	for _, i := range r.Notes {
		notes = append(notes, d.Footnotes[i])
	}
	return strings.Join(notes, "\n")
}

func TestFlips(t *testing.T) {
	a, b := seeds("bier", 1, 1, 4, 0), seeds("bier", 1, 1, 4, 0)
	for i := range 3 {
		b[0].queries[i].Rank = 1
	}
	a[0].queries[9].Rank = 1
	d := compareRuns(t, fakeRun(t, "a", a...), fakeRun(t, "b", b...))
	r := d.Rows[0]
	// By hand: 3 gained, 1 lost of 20 queries, 2 (1+4)/16.
	if r.Gained != 3 || r.Lost != 1 || !cmp.Equal(r.Pairs, []SeedPair{{Seed: 1, Gained: 3, Lost: 1, P: 0.625}}) {
		t.Errorf("row = %+v", r)
	}
	if r.MeanA != 0.05 || r.MeanB != 0.15 {
		t.Errorf("means %g and %g, want 0.05 and 0.15", r.MeanA, r.MeanB)
	}
}

func TestRowsThatCannotBeCompared(t *testing.T) {
	change := func(cells []fake, f func(c *Cell)) []fake {
		cells[1].change = f
		return cells
	}
	group := func() []fake { return seeds("bier", 1, 3, 12, 0.5) }
	fewer := group()
	for i := range fewer {
		fewer[i].queries = fewer[i].queries[1:]
	}
	other := group()
	for i := range other {
		other[i].queries[0].ID = 999
	}
	class := group()
	for i := range class {
		class[i].queries[0].Class = 11
	}
	uneven := group()
	uneven[2].queries = uneven[2].queries[:50]
	twice := group()
	twice[0].queries[5].ID = 1
	all := func(cells []fake, f func(c *Cell)) []fake {
		for i := range cells {
			cells[i].change = f
		}
		return cells
	}
	for _, tt := range []struct {
		name   string
		b      []fake
		reason string
		rows   int // with the reason
	}{
		{"only A has the group", seeds("other", 1, 1, 12, 0.5), "only run a", 1},
		{"only B has a group", append(group(), seeds("other", 1, 1, 12, 0.5)...), "only run b", 1},
		{"no cell is done", all(group(), func(c *Cell) { c.Status = Failed }), "B has no finished cell", 1},
		{"fewer queries", fewer, "60 and 59 queries", 1},
		{"other queries", other, "query 1 of draw 0 against", 1},
		{"another class", class, "is of class 0 and 11", 1},
		{"the seeds' queries differ", uneven, "the seeds of B have different queries", 1},
		{"a query twice", twice, "query 1 of draw 0 is there twice", 1},
		{"other test images", all(group(), func(c *Cell) { c.Evaluations[0].TestHash = "u" }), "the test images differ", 1},
		{
			"the seeds' test images differ", change(group(), func(c *Cell) { c.Evaluations[0].TestHash = "u" }),
			"the seeds of B have different test images", 1,
		},
		{
			"another protocol", all(group(), func(c *Cell) { c.Evaluations[0].Protocol = "cub-loo" }),
			"no evaluation of this protocol at seed 1", 2,
		},
		{
			"a seed without the protocol", change(group(), func(c *Cell) { c.Evaluations = nil }),
			"B has no evaluation of this protocol at seed 2", 1,
		},
		{"a seed of another configuration", change(group(), func(c *Cell) { c.ConfigHash = "x" }), "seed 2 of B has another configuration", 1},
		{"no such metric", all(group(), func(c *Cell) { delete(c.Evaluations[0].Metrics, "R@1") }), "only A has R@1", 1},
		{"the record is not of these queries", change(group(), func(c *Cell) { c.Evaluations[0].Metrics["R@1"] = 0.9 }), "evaluate it again", 1},
		{"best of the test results", change(group(), func(c *Cell) {
			c.Evaluations = append(c.Evaluations, Evaluation{Protocol: fakeProtocol, At: "peek"})
		}), "peek", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := compareRuns(t, fakeRun(t, "a", group()...), fakeRun(t, "b", tt.b...))
			n := 0
			for _, r := range d.Rows {
				if strings.Contains(r.Reason, tt.reason) {
					n++
					if r.Verdict != "" || r.Delta != 0 || r.P != 0 {
						t.Errorf("a row with a reason has numbers: %+v", r)
					}
				}
			}
			if n != tt.rows {
				t.Errorf("%d rows with the reason %q, want %d: %+v", n, tt.reason, tt.rows, d.Rows)
			}
		})
	}
	t.Run("no queries are kept", func(t *testing.T) {
		b := fakeRun(t, "b", group()...)
		if err := os.Remove(b.QueriesPath(cellKey("bier", 2), fakeProtocol)); err != nil {
			t.Fatal(err)
		}
		d := compareRuns(t, fakeRun(t, "a", group()...), b)
		if len(d.Rows) != 1 || !strings.Contains(d.Rows[0].Reason, "queries of B at seed 2") {
			t.Errorf("rows = %+v", d.Rows)
		}
	})
}

func TestCollapsed(t *testing.T) {
	b := seeds("bier", 1, 3, 12, 0.5)
	b[1].change = func(c *Cell) {
		c.Evaluations[0].Metrics["R@1"] = 1
		c.Evaluations[0].Bounds = map[string][2]float64{"R@1": {0, 1}}
	}
	d := compareRuns(t, fakeRun(t, "a", seeds("bier", 1, 3, 12, 0.5)...), fakeRun(t, "b", b...))
	r := d.Rows[0]
	if r.Verdict != "" || r.Reason != "" || !strings.Contains(footnotes(d, r), "collapsed") || r.Delta >= 0 {
		t.Errorf("row = %+v, want no verdict, a note and the pessimistic number", r)
	}
	if d.Rows[1].Verdict != Noise {
		t.Errorf("MAP@R is not collapsed: %+v", d.Rows[1])
	}
	if d.Rows[1].PHolm != d.Rows[1].P {
		t.Error("the collapsed row counts in Holm's correction, but was not tested")
	}
}

func TestFootnotes(t *testing.T) {
	a, b := seeds("bier", 1, 3, 12, 0.5), seeds("bier", 4, 3, 12, 0.5)
	for i := range b {
		b[i].change = func(c *Cell) {
			c.Config = json.RawMessage(fmt.Sprintf(`{"size":32,"loss":{"name":"x"},"learners":[1,2],"seed":%d}`, c.Seed))
			c.Environment.Commit = "bbbb+dirty"
			c.Environment.CPU = "y"
			c.DataHash = "0123456789abcdef"
			if c.Seed == 6 {
				c.Status = Failed
			}
		}
	}
	d := compareRuns(t, fakeRun(t, "a", a...), fakeRun(t, "b", b...))
	for _, r := range d.Rows {
		notes := footnotes(d, r)
		for _, want := range []string{
			"code: aaaa -> bbbb+dirty", "uncommitted", "CPU: x -> y", "data: d -> 0123456789ab",
			"configuration: learners: unset -> [1,2]; loss.name: unset -> x; size: 64 -> 32", "left out seed 6 failed",
		} {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: notes\n%s\nlack %q", r.Metric, notes, want)
			}
		}
		if !slices.Equal(r.SeedsB, []int{4, 5}) {
			t.Errorf("seeds of B = %v, want the finished 4 and 5", r.SeedsB)
		}
		if strings.Contains(notes, "seed:") {
			t.Errorf("notes\n%s\nname the seed as a difference", notes)
		}
	}
}

func TestCompareMethods(t *testing.T) {
	wide := seeds("features", 1, 3, 12, 0.5)
	for i := range wide {
		wide[i].Size = 100 // nearer to 64 than to 512
	}
	big := seeds("baseline", 1, 3, 12, 0.3)
	for i := range big {
		big[i].Size = 512
	}
	alone := seeds("bier", 1, 1, 12, 0.5)
	alone[0].Dataset = "sop"
	r := fakeRun(t, "r", slices.Concat(seeds("baseline", 1, 3, 12, 0.5), big, seeds("bier", 1, 3, 12, 1), wide, alone)...)
	d, err := CompareMethods(t.Context(), r, "baseline", CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Base != "baseline" || d.A != "r" || d.B != "r" {
		t.Errorf("diff of %q and %q to %q", d.A, d.B, d.Base)
	}
	var got []string
	for _, r := range d.Rows {
		got = append(got, fmt.Sprintf("%s-%d %s-%d %s %s %s", r.A.Method, r.A.Size, r.B.Method, r.B.Size, r.Metric, r.Verdict, r.Reason))
	}
	want := []string{
		"baseline-64 bier-64 R@1 better ", "baseline-64 bier-64 MAP@R better ",
		"baseline-64 features-100 R@1 ~ ", "baseline-64 features-100 MAP@R ~ ",
		"baseline-64 bier-64   baseline has no finished cell with this data set, backbone and mode",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := footnotes(d, d.Rows[2]); !strings.Contains(n, "sizes differ: 64 -> 100") {
		t.Errorf("notes %q lack the sizes", n)
	}
	if n := footnotes(d, d.Rows[0]); strings.Contains(n, "sizes") {
		t.Errorf("notes %q name sizes that are equal", n)
	}
	if _, err := CompareMethods(t.Context(), r, "nosuch", CompareOptions{}); err == nil || !strings.Contains(err.Error(), `"baseline"`) {
		t.Errorf("an unknown base: %v, want the methods there are", err)
	}
}
