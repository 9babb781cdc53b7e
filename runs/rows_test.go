package runs

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestRowsShareSeeds holds that the groups of one data set, backbone and mode tell of one another's
// variance of seeds, each training once, and that those of another backbone do not.
func TestRowsShareSeeds(t *testing.T) {
	a, b := seeds("bier", 1, 3, 12, 0.5), seeds("bier", 1, 3, 12, 0.6)
	row := func(a, b []fake) Comparison {
		t.Helper()
		rows := compareRuns(t, fakeRun(t, "a", a...), fakeRun(t, "b", b...)).Rows
		return rows[slices.IndexFunc(rows, func(r Comparison) bool {
			return r.A.Method == "bier" && r.A.Backbone == a[0].Backbone && r.Metric == "R@1"
		})]
	}
	elsewhere := func(cells []fake) []fake {
		for i := range cells {
			cells[i].Backbone = "googlenet"
		}
		return cells
	}
	alone := row(a, b)
	for _, tt := range []struct {
		name string
		a, b []fake
		same bool
	}{
		{"another backbone", elsewhere(seeds("bier", 1, 3, 12, 0.3)), elsewhere(seeds("bier", 1, 3, 12, 0.7)), true},
		{"another method", seeds("extra", 1, 3, 12, 0.3), seeds("extra", 1, 3, 12, 0.7), false},
		{"one seed tells nothing", seeds("extra", 1, 1, 12, 0.3), nil, true},
	} {
		got := row(slices.Concat(a, tt.a), slices.Concat(b, tt.b))
		if same := got.Low == alone.Low && got.High == alone.High && got.P == alone.P; same != tt.same {
			t.Errorf("%s: [%g, %g] p %g, alone [%g, %g] p %g", tt.name, got.Low, got.High, got.P, alone.Low, alone.High, alone.P)
		}
	}
	of := spreadOf{where: a[0].Group, protocol: fakeProtocol, at: AtLast, atA: "", metric: "R@1"}
	of.where.Method, of.where.Size = "", 0
	run := fakeRun(t, "a", a...)
	groups, err := run.groups()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(of.spreads(slices.Concat(groups, groups))); n != 1 {
		t.Errorf("a training that two runs have counts %d times, want once", n)
	}
}

// TestSeedsOfAVerdict: what has no other seed gets no verdict where a seed would vary it; features as
// they are do, and so do models that are compared as they are.
func TestSeedsOfAVerdict(t *testing.T) {
	features := func(chance float64) []fake {
		cells := seeds("features", 0, 1, 30, chance)
		cells[0].change = func(c *Cell) { c.Config = json.RawMessage(`{"untrained": true, "boosting": ""}`) }
		return cells
	}
	config := func(cells []fake) []fake {
		for i := range cells {
			cells[i].change = func(c *Cell) { c.Config = json.RawMessage(`{"boosting": "eta", "learners": [1, 2]}`) }
		}
		return cells
	}
	for _, tt := range []struct {
		name, a, verdict, note string
		cells                  []fake
		models, classesOnly    bool
		detectable             bool
	}{
		{
			name: "one trained seed", a: "single", cells: config(seeds("single", 1, 1, 30, 0.1)), verdict: Noise,
			note: "one seed on a side", classesOnly: true,
		},
		{name: "untrained features", a: "features", cells: features(0.1), verdict: Better, note: "A is untrained", detectable: true},
		{
			name: "models of one seed", a: "single", cells: config(seeds("single", 1, 1, 30, 0.1)), verdict: Better,
			models: true, classesOnly: true, detectable: true,
		},
		{
			name: "models of three seeds", a: "three", cells: config(seeds("three", 1, 3, 30, 0.1)), verdict: Better,
			models: true, classesOnly: true, detectable: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := fakeRun(t, "r", slices.Concat(tt.cells, config(seeds("bier", 1, 3, 30, 0.9)))...)
			d, err := CompareMethods(t.Context(), r, tt.a, CompareOptions{Metrics: []string{"R@1"}, Models: tt.models})
			if err != nil {
				t.Fatal(err)
			}
			row := d.Rows[0]
			if row.Verdict != tt.verdict || row.ClassesOnly != tt.classesOnly || (row.Detectable > 0) != tt.detectable || d.Models != tt.models {
				t.Errorf("%+v", row)
			}
			notes := footnotes(d, row)
			if !strings.Contains(notes, tt.note) || tt.models && strings.Contains(notes, "seed on a side") {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
			if strings.Contains(notes, "boosting") {
				t.Errorf("notes list the options of features that were not trained: %q", notes)
			}
			if untrained := tt.note == "A is untrained"; untrained != (len(d.Configurations) == 0 && tt.a == "features") {
				t.Errorf("configurations %+v", d.Configurations)
			}
			if !(row.Low < row.Delta && row.Delta < row.High) {
				t.Errorf("%g not in [%g, %g]", row.Delta, row.Low, row.High)
			}
		})
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
		o := CompareOptions{}
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
