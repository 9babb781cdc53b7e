package runs

import (
	"slices"
	"strings"
	"testing"
)

// TestRowsAreIndependent holds that a row's interval does not depend on which other rows are in its
// table, nor on their order.
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
	x, y := first.Rows[0], second.Rows[slices.IndexFunc(second.Rows,
		func(r Comparison) bool { return r.A.Method == "bier" && r.Metric == "R@1" })]
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

// TestDrawsAreQueries holds that under a protocol with draws a query is (draw, id), and that its
// class holds all of them together.
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
		t.Errorf("the same queries drawn twice give [%g, %g] %s, want [%g, %g]: they are no news", with.Low, with.High,
			with.Reason, without.Low, without.High)
	}
	if with.Gained != 2*without.Gained {
		t.Errorf("gained %d, want twice %d", with.Gained, without.Gained)
	}
}
