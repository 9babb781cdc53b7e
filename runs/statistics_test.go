package runs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRowsAreIndependent holds that a row's interval does not depend on which
// other rows are in its table, nor on their order.
func TestRowsAreIndependent(t *testing.T) {
	a, b := seeds("bier", 1, 3, 12, 0.5), seeds("bier", 1, 3, 12, 0.6)
	more := slices.Concat(seeds("extra", 1, 2, 12, 0.5), b)
	o := quick()
	o.Metrics = []string{"MAP@R", "R@1"}
	first := compareRuns(t, fakeRun(t, "a", a...), fakeRun(t, "b", b...))
	second, err := CompareRuns(t.Context(), fakeRun(t, "x", slices.Concat(a, seeds("extra", 1, 2, 12, 0.4))...), fakeRun(t, "y", more...), o)
	if err != nil {
		t.Fatal(err)
	}
	x, y := first.Rows[0], second.Rows[slices.IndexFunc(second.Rows, func(r Comparison) bool { return r.A.Method == "bier" && r.Metric == "R@1" })]
	if x.Low != y.Low || x.High != y.High || x.P != y.P {
		t.Errorf("[%g, %g] p %g alone, [%g, %g] p %g among others", x.Low, x.High, x.P, y.Low, y.High, y.P)
	}
}

func TestMetricsOfAComparison(t *testing.T) {
	r := fakeRun(t, "r", seeds("bier", 1, 2, 12, 0.5)...)
	for _, tt := range []struct {
		ask, want []string
		err       string
	}{
		{nil, []string{"R@1", "MAP@R"}, ""},
		{[]string{"all"}, []string{"R@1", "R@10", "MAP@R"}, ""},
		{[]string{"R@10"}, []string{"R@10"}, ""},
		{[]string{"R@3"}, nil, `no evaluation has metric "R@3"`},
		{[]string{"R@1", "R@1"}, nil, "asked for twice"},
	} {
		o := quick()
		o.Metrics = tt.ask
		d, err := CompareRuns(t.Context(), r, r, o)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.ask, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range d.Rows {
			got = append(got, r.Metric)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: metrics %q, want %q", tt.ask, got, tt.want)
		}
	}
	o := quick()
	if o.Resamples = 10; func() error { _, err := CompareRuns(t.Context(), r, r, o); return err }() == nil {
		t.Error("10 resamples were taken: no 95% interval has so few")
	}
}

// TestDrawsAreQueries holds that under a protocol with draws a query is
// (draw, id), and that its class holds all of them together.
func TestDrawsAreQueries(t *testing.T) {
	draws := func(first int, chance float64) []fake {
		cells := seeds("bier", first, 3, 12, chance)
		for i := range cells {
			again := slices.Clone(cells[i].queries)
			for k := range again {
				again[k].Draw = 1
			}
			// The other draw comes first: readers sort.
			cells[i].queries = append(again, cells[i].queries...)
		}
		return cells
	}
	with := compareRuns(t, fakeRun(t, "a", draws(1, 0.4)...), fakeRun(t, "b", draws(1, 0.6)...)).Rows[0]
	without := compareRuns(t, fakeRun(t, "a", seeds("bier", 1, 3, 12, 0.4)...), fakeRun(t, "b", seeds("bier", 1, 3, 12, 0.6)...)).Rows[0]
	if with.Reason != "" || with.Low-without.Low > 1e-9 || without.Low-with.Low > 1e-9 {
		t.Errorf("the same queries drawn twice give [%g, %g] %s, want [%g, %g]: they are no news", with.Low, with.High, with.Reason, without.Low, without.High)
	}
	if with.Gained != 2*without.Gained {
		t.Errorf("gained %d, want twice %d", with.Gained, without.Gained)
	}
}

// TestPAndIntervalAgree holds p < 0.05 and an interval without 0 to be one.
func TestPAndIntervalAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := scenes()[0]
	for range 300 {
		s.mean[1] = random.Float64() * 0.4
		s.seeds = 1 + random.IntN(4)
		s.classes = 2 + random.IntN(20)
		r, err := s.draw(random).estimate().test(t.Context(), 500, rand.NewPCG(random.Uint64(), 1))
		if err != nil {
			t.Fatal(err)
		}
		if (r.p < alpha) != (r.low > 0 || r.high < 0) {
			t.Errorf("p %g, interval [%g, %g]", r.p, r.low, r.high)
		}
		if r.p < 1/501.0 || r.p > 1 {
			t.Errorf("p = %g out of [1/501, 1]", r.p)
		}
	}
}

// TestFewFlips: two runs that differ in one query of thousands get a short
// interval around 0, although most resamples do not have that query.
func TestFewFlips(t *testing.T) {
	s := sample{count: slices.Repeat([]float64{50}, 100), a: [][]float64{make([]float64, 100)}, b: [][]float64{make([]float64, 100)}}
	s.b[0][3] = 1
	r, err := s.estimate().test(t.Context(), 10_000, rand.NewPCG(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if r.low > 0 || r.high > 5.0/5000 || r.p < 0.05 {
		t.Errorf("[%g, %g], p %g; want at most five queries around 1/5000", r.low, r.high, r.p)
	}
}

// TestLargeTable times the resamples of a large data set and of many rows.
func TestLargeTable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		name          string
		classes, rows int
	}{
		{"100 rows of CUB's 100 classes", 100, 100},
		{"one row of SOP's 11,316 classes", 11_316, 1},
	} {
		s := scenes()[0]
		s.classes, s.queries = tt.classes, [2]int{4, 8}
		e := s.draw(random).estimate()
		start := time.Now()
		for i := range tt.rows {
			if _, err := e.test(t.Context(), 10_000, stream(1, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(start)
		t.Logf("%s: %v on one core", tt.name, took)
		if took > time.Minute { // about a second on an idle core
			t.Errorf("%s took %v", tt.name, took)
		}
	}
}
