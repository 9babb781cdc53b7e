package runs

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
)

func measureNoise(t *testing.T, r *Run, o NoiseOptions) []SeedNoise {
	t.Helper()
	rows, err := MeasureNoise(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(rows); err != nil {
		t.Fatalf("the noise has no JSON: %v", err) // NaN and Inf have none
	}
	return rows
}

// Two methods of four and three seeds: the numbers are those of the records.
func TestMeasureNoise(t *testing.T) {
	cells := slices.Concat(seeds("baseline", 1, 4, 12, 0.5), seeds("bier", 1, 3, 12, 0.6), seeds("single", 1, 1, 12, 0.6))
	r := fakeRun(t, "r", cells...)
	o := DefaultNoiseOptions()
	o.Metrics = []string{"R@1", "MAP@R"}
	rows := measureNoise(t, r, o)
	if len(rows) != 2 || rows[0].Metric != "R@1" || rows[1].Metric != "MAP@R" {
		t.Fatalf("rows %+v", rows)
	}
	n := rows[0]
	means := func(cells []fake) []float64 {
		var v []float64
		for _, c := range cells {
			hits := 0.0
			for _, q := range c.queries {
				if q.Rank == 1 {
					hits++
				}
			}
			v = append(v, hits/float64(len(c.queries)))
		}
		return v
	}
	a, b := means(cells[:4]), means(cells[4:7])
	pooled := math.Sqrt((3*stat.Variance(a, nil) + 2*stat.Variance(b, nil)) / 5)
	near(t, "pooled SD", n.SD, pooled)
	near(t, "smallest", n.Smallest, min(stat.StdDev(a, nil), stat.StdDev(b, nil)))
	near(t, "largest", n.Largest, max(stat.StdDev(a, nil), stat.StdDev(b, nil)))
	if n.Configurations != 2 || n.Single != 1 || n.Fewest != 3 || n.Most != 4 || n.Pairs != 1 || n.Classes != 12 || n.Queries != 60 {
		t.Errorf("%+v", n)
	}
	if !(n.Low < n.SD && n.SD < n.High) || n.Freedom > 5 || n.Freedom < 2 {
		t.Errorf("SD %g in [%g, %g], %g degrees of freedom", n.SD, n.Low, n.High, n.Freedom)
	}
	// Pairs of two of 4 and of 3 seeds, then the 3 ways to halve 4 seeds.
	if len(n.Splits) != 2 || n.Splits[0].Splits != 6+3 || n.Splits[1].Splits != 3 || n.Splits[1].Configurations != 1 || !n.Splits[0].All {
		t.Errorf("splits %+v", n.Splits)
	}
	squares, largest := 0.0, 0.0
	for _, v := range [][]float64{a, b} {
		for i := range v {
			for _, other := range v[:i] {
				squares += (v[i] - other) * (v[i] - other)
				largest = max(largest, math.Abs(v[i]-other))
			}
		}
	}
	near(t, "SD of single-seed differences", n.Splits[0].SD, math.Sqrt(squares/9))
	near(t, "largest single-seed difference", n.Splits[0].Largest, largest)

	again := measureNoise(t, r, o)
	if x, y := mustJSON(t, rows), mustJSON(t, again); x != y {
		t.Error("the same run measured twice differs")
	}
	o.Method = "bier"
	one := measureNoise(t, r, o)[0]
	if one.Configurations != 1 || one.Pairs != 1 || one.Single != 0 || one.Group.Method != "bier" {
		t.Errorf("bier alone: %+v", one)
	}
	near(t, "SD of bier", one.SD, stat.StdDev(b, nil))
	o.Method = "baseline"
	if one = measureNoise(t, r, o)[0]; one.Pairs != 1 || one.ClassSD != n.ClassSD || one.Configurations != 1 {
		t.Errorf("baseline alone: %+v, want the pair of bier with it", one)
	}
}

// Of a large data set fewer splits are compared: with 2,000 classes half.
func TestNoiseOfManyClasses(t *testing.T) {
	o := DefaultNoiseOptions()
	o.Splits = 20
	n := measureNoise(t, fakeRun(t, "r", seeds("bier", 1, 5, 2*fewClasses, 0.5)...), o)[0]
	if got := n.Splits; len(got) != 2 || got[0].Splits != 10 || !got[0].All || got[1].Splits != 10 || got[1].All {
		t.Errorf("splits %+v, want the 10 of one seed a side and 10 of the 15 of two", got)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNoiseOptions(t *testing.T) {
	r := fakeRun(t, "r", seeds("bier", 1, 2, 12, 0.5)...)
	for want, change := range map[string]func(*NoiseOptions){
		`has metric "R@3"`:    func(o *NoiseOptions) { o.Metrics = []string{"R@3"} },
		`has method "nosuch"`: func(o *NoiseOptions) { o.Method = "nosuch" },
		"no metric":           func(o *NoiseOptions) { o.Metrics = nil },
		"a table of 0 rows":   func(o *NoiseOptions) { o.Rows = 0 },
		"rising fractions":    func(o *NoiseOptions) { o.Differences = []float64{0.02, 0.01} },
		"fractions between":   func(o *NoiseOptions) { o.Differences = []float64{math.NaN()} },
		"0 splits":            func(o *NoiseOptions) { o.Splits = 0 },
	} {
		o := DefaultNoiseOptions()
		change(&o)
		if _, err := MeasureNoise(t.Context(), r, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What has no noise, or none that can be measured, says why.
func TestDegenerateNoise(t *testing.T) {
	same := func(cells []fake) []fake {
		for i := range cells {
			cells[i].queries = cells[0].queries
		}
		return cells
	}
	tied := func(c *Cell) {
		c.Evaluations[0].Bounds = map[string][2]float64{"R@1": {0, 1}}
	}
	all := func(cells []fake, change func(*Cell)) []fake {
		for i := range cells {
			cells[i].change = change
		}
		return cells
	}
	short := seeds("bier", 1, 2, 12, 0.5)
	short[1].queries = short[1].queries[:40]
	one := seeds("bier", 1, 3, 1, 0.5)
	for i := range one {
		one[i].queries = slices.Clone(one[i].queries[:1])
		one[i].queries[0].Rank = int32(1 + i)
		one[i].queries[0].AP = 1 / float64(1+i)
	}
	for _, tt := range []struct {
		name   string
		cells  []fake
		reason string // empty: there are numbers
		left   string
		needed bool
	}{
		{"nothing at all", nil, "none", "", false},
		{"one seed", seeds("bier", 1, 1, 12, 0.5), "one seed only", "", false},
		{"identical seeds", same(seeds("bier", 1, 3, 12, 0.5)), "have the same values", "", false},
		{"all hit", seeds("bier", 1, 3, 12, 1), "have the same values", "", false},
		{"all missed", seeds("bier", 1, 3, 12, 0), "have the same values", "", false},
		{"all tied", all(seeds("bier", 1, 3, 12, 0.5), tied), "ties decide it", "ties decide it", false},
		{"other queries", short, "could be read", "different queries", false},
		{"one query", one, "", "", false},
		{"one class", seeds("bier", 1, 3, 1, 0.5), "", "", false},
		{"two seeds of one method", seeds("bier", 1, 2, 12, 0.5), "", "", true},
		{"two classes", seeds("bier", 1, 3, 2, 0.5), "", "", true},
		{
			"one method that varies beside ones that do not",
			slices.Concat(seeds("features", 1, 3, 12, 1), seeds("bier", 1, 3, 12, 0.5)), "", "", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := measureNoise(t, fakeRun(t, "r", tt.cells...), DefaultNoiseOptions())
			if len(tt.cells) == 0 {
				if len(rows) != 0 {
					t.Errorf("rows %+v of nothing", rows)
				}
				return
			}
			n := rows[0]
			if (n.Reason == "") != (tt.reason == "") || !strings.Contains(n.Reason, tt.reason) {
				t.Errorf("reason %q, want %q", n.Reason, tt.reason)
			}
			if left := strings.Join(n.LeftOut, "; "); !strings.Contains(left, tt.left) || (left == "") != (tt.left == "") {
				t.Errorf("left out %q, want %q", left, tt.left)
			}
			if (len(n.Needed) > 0) != tt.needed || (n.SD > 0) != (tt.reason == "") {
				t.Errorf("SD %g, needed %+v", n.SD, n.Needed)
			}
		})
	}
}

// Numbers of ways by hand: n! / (k! k! (n-2k)! 2).
func TestHalvings(t *testing.T) {
	for _, tt := range []struct{ n, k, want int }{{2, 1, 1}, {5, 1, 10}, {5, 2, 15}, {4, 2, 3}, {6, 3, 10}, {10, 5, 126}} {
		random := rand.New(rand.NewPCG(1, 2))
		all, whole := seedHalvings(tt.n, tt.k, 1000, random)
		if len(all) != tt.want || !whole {
			t.Errorf("%d of %d seeds: %d splits, want %d", tt.k, tt.n, len(all), tt.want)
		}
		some, whole := seedHalvings(tt.n, tt.k, tt.want-1, random)
		if tt.want > 1 && (len(some) != tt.want-1 || whole) {
			t.Errorf("%d of %d seeds: %d of %d splits", tt.k, tt.n, len(some), tt.want)
		}
		seen := map[string]bool{}
		for i, h := range slices.Concat(all, some) {
			both := slices.Sorted(slices.Values(slices.Concat(h[0], h[1])))
			if len(h[0]) != tt.k || len(slices.Compact(both)) != 2*tt.k {
				t.Errorf("%v is not two disjoint sets of %d", h, tt.k)
			}
			if key := mustJSON(t, h); i < len(all) && seen[key] {
				t.Errorf("%s is there twice", key)
			} else {
				seen[key] = true
			}
		}
	}
}

// The interval of the pooled standard deviation holds the true one in 95% of simulated runs,
// whether configurations share what seeds do or not.
func TestDeviations(t *testing.T) {
	const repeats, configurations, n = 1000, 12, 5
	for _, shared := range []float64{0, 0.7, 1} {
		random := rand.New(rand.NewPCG(5, 6))
		held, width := 0, 0.0
		for range repeats {
			common := make([]float64, n)
			for i := range common {
				common[i] = random.NormFloat64() * math.Sqrt(shared)
			}
			values := make([]map[int]float64, configurations)
			for c := range values {
				values[c] = map[int]float64{}
				for s := range n {
					values[c][s] = float64(c) + common[s] + random.NormFloat64()*math.Sqrt(1-shared)
				}
			}
			low, high := deviationsOf(values).interval()
			if low < 1 && 1 < high {
				held++
			}
			width += (high - low) / repeats
		}
		rate := 100 * float64(held) / repeats
		t.Logf("correlation %g: held in %.1f%%, mean width %.2f", shared, rate, width)
		if rate < 91 { // three standard errors of 0.7 points, and r is estimated too
			t.Errorf("correlation %g: held in %.1f%%, want 95%%", shared, rate)
		}
	}
}

// near fails where got is further from want than sums in another order leave.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-9 {
		t.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}
