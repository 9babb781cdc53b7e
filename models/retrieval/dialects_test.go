package retrieval

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/models/internal/modelstest"
)

// dialectCase is a search as testdata/dialects.py reads and writes it; without
// a gallery the queries are searched among themselves.
type dialectCase struct {
	Name          string      `json:"name"`
	Why           string      `json:"why"`
	Queries       [][]float32 `json:"queries"`
	QueryLabels   []int32     `json:"query_labels"`
	Gallery       [][]float32 `json:"gallery,omitempty"`
	GalleryLabels []int32     `json:"gallery_labels,omitempty"`
	Sizes         []int       `json:"sizes"`
	Recalls       []int       `json:"recalls"`

	Results map[string]dialectResult `json:"results,omitempty"` // by dialect
}

// dialectResult holds metrics by name; "stops": true where the program has none.
type dialectResult map[string]any

// search returns the case with ids in the order of the images.
func (c dialectCase) search() Search {
	list := func(rows [][]float32, first int64) (values []float32, ids []int64) {
		for i, row := range rows {
			values = append(values, row...)
			ids = append(ids, first+int64(i))
		}
		return values, ids
	}
	s := Search{Width: len(c.Queries[0]), QueryClasses: c.QueryLabels, Recalls: c.Recalls, SelfExcluded: c.Gallery == nil}
	s.Queries, s.QueryIDs = list(c.Queries, 1)
	if c.Gallery == nil {
		s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
		return s
	}
	s.Gallery, s.GalleryIDs = list(c.Gallery, int64(len(c.Queries)+1))
	s.GalleryClasses = c.GalleryLabels
	return s
}

// compareDialects scores a case by every dialect and compares with what the
// programs said: metrics to a tolerance, no more and no fewer of them.
func compareDialects(t *testing.T, c dialectCase, want map[string]dialectResult, tolerance float64) {
	t.Helper()
	if len(want) != len(Dialects()) {
		t.Fatalf("results of %d dialects; there are %d", len(want), len(Dialects()))
	}
	for _, d := range Dialects() {
		got, err := Rescore(t.Context(), modelstest.Backend(t), c.search(), c.Sizes, d)
		if want[d.Name]["stops"] == true {
			if e, ok := errors.AsType[NoScoreError](err); !ok || e.Dialect != d.Name || e.Reason == "" {
				t.Errorf("%s: error %v; want a reason why it gives no number", d.Name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if len(got.Metrics) != len(want[d.Name]) {
			t.Errorf("%s: metrics %v; want %v", d.Name, got.Metrics, want[d.Name])
		}
		for name, w := range want[d.Name] {
			g, ok := got.Metrics[name]
			if !ok || math.Abs(g-w.(float64)) > tolerance {
				t.Errorf("%s: %s is %.9g; want %.9g", d.Name, name, g, w)
			}
			if b := got.Bounds[name]; g < b[0]-1e-12 || g > b[1]+1e-12 {
				t.Errorf("%s: %s is %g, outside its bounds %v", d.Name, name, g, b)
			}
		}
	}
}

// The programs' numbers were written by testdata/dialects.py: those of
// pytorch-metric-learning by itself. Metrics are means of exact fractions.
func TestDialectsAgainstPrograms(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "dialects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		By    string
		Cases []dialectCase
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 || !strings.HasPrefix(file.By, "pytorch-metric-learning 2.9.0") {
		t.Fatalf("%d cases by %q; want some by pytorch-metric-learning 2.9.0", len(file.Cases), file.By)
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) { compareDialects(t, c, c.Results, 1e-12) })
	}
}

// duplicates are five images: 2 is a copy of 1 with another class, 4 and 5 are
// a pair with 3 between. Scores of 1: [1 1 0 0 0], of 2 the same, of 3: [0 0 1
// .8 .6], of 4: [0 0 .8 1 .96], of 5: [0 0 .6 .96 1].
func duplicates() dialectCase {
	return dialectCase{
		Queries:     [][]float32{{1, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0.8, 0.6}, {0, 0.6, 0.8}},
		QueryLabels: []int32{0, 1, 0, 2, 2},
		Sizes:       []int{3}, Recalls: []int{1, 2, 4},
	}
}

// Worked by hand, from each program's text.
func TestDialectsByHand(t *testing.T) {
	alone := duplicates() // image 2 has no other of its class
	paired := duplicates()
	paired.QueryLabels = []int32{0, 1, 0, 1, 1}
	collapsed := dialectCase{
		Queries:     slices.Repeat([][]float32{{0.5, 0.5, 0.5, 0.5}}, 6),
		QueryLabels: []int32{0, 0, 1, 1, 2, 2}, Sizes: []int{4}, Recalls: []int{1, 4},
	}
	for _, test := range []struct {
		name, dialect, metric   string
		c                       dialectCase
		want, against, inFavour float64 // the bounds are those of ties
	}{
		// Image 1 finds 2 (another class), 2 finds 1, 3 finds 4, 4 finds 5, 5 finds 4.
		// Against: the same, no tie decides. MAP@R of 4 and 5 is 1, of 1 and 3 is 0.
		{"the query without a positive is left out", "bierbench", "R@1", alone, 2. / 4, 2. / 4, 2. / 4},
		{"as is its average precision", "pytorch-metric-learning", "MAP@R", alone, 2. / 4, 2. / 4, 2. / 4},
		// 2 is tied with its copy 1, which comes first and is dropped: 2 stays and hits
		// itself. In the other order of the tie 1 hits itself and 2 does not.
		{"the query that is not first is its own hit", "proxy-anchor", "R@1", alone, 3. / 5, 2. / 5, 4. / 5},
		{"without a positive it counts as a miss", "bier", "R@1", alone, 2. / 5, 2. / 5, 2. / 5},
		// 1: positive 3 scores 0, above it is 2 alone, at 0 are 4 and 5: rank 2, R@2.
		// 2: positives 4 and 5 score 0, above them 1, at 0 also 3. 3: positive 1
		// scores 0, above it 4 and 5, at 0 also 2. 4 and 5 find each other.
		{"ties count for the query", "ms-loss", "R@2", paired, 4. / 5, 2. / 5, 4. / 5},
		{"by id 3 comes first for 1, 4 second for 2", "bierbench", "R@2", paired, 3. / 5, 2. / 5, 4. / 5},

		// All equal, three pairs. By id the first other image is 2 for image 1, else 1:
		// images 1 and 2 hit. All programs say something else.
		{"collapsed: ids decide", "bierbench", "R@1", collapsed, 2. / 6, 0, 1},
		{"collapsed: ids decide", "bier", "R@1", collapsed, 2. / 6, 0, 1},
		{"collapsed: faiss' order of ids decides", "pytorch-metric-learning", "R@1", collapsed, 2. / 6, 0, 1},
		// Image 1 is dropped for all, and image 2 is first: the hit of 1 and of 2.
		{"collapsed: the first is dropped", "proxy-anchor", "R@1", collapsed, 2. / 6, 0, 1},
		{"collapsed: all is perfect", "ms-loss", "R@1", collapsed, 1, 0, 1},
	} {
		t.Run(test.dialect+", "+test.name, func(t *testing.T) {
			d, err := DialectNamed(test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Rescore(t.Context(), modelstest.Backend(t), test.c.search(), test.c.Sizes, d)
			if err != nil {
				t.Fatal(err)
			}
			want := [2]float64{test.against, test.inFavour}
			if b := got.Bounds[test.metric]; got.Metrics[test.metric] != test.want || b != want {
				t.Errorf("%s is %g within %v; want %g within %v", test.metric, got.Metrics[test.metric], b, test.want, want)
			}
		})
	}
}

// The slices' lengths are no matter to BIER's code, only their sizes: s of 1/4
// and 3/4 weighs the second slice 9 times as much as the first.
func TestDialectWeighsSlices(t *testing.T) {
	c := dialectCase{
		// By the first slice 1 is nearest to 2 (same class), by the second to 3.
		Queries:     [][]float32{{100, 1, 0, 0}, {100, 0, 1, 0}, {-100, 1, 0, 0}, {-100, 0, 1, 0}},
		QueryLabels: []int32{0, 0, 1, 1}, Sizes: []int{1, 3}, Recalls: []int{1},
	}
	want := map[string]float64{"bierbench": 1, "ms-loss": 1, "bier": 0}
	for name, w := range want {
		d, err := DialectNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Rescore(t.Context(), modelstest.Backend(t), c.search(), c.Sizes, d)
		if err != nil || r.Metrics["R@1"] != w {
			t.Errorf("%s: %v, %v; want R@1 = %g", name, r, err, w)
		}
	}
}

// Proxy-Anchor's rule against its text, a list sorted in every order of ties:
// the bounds are the worst and the best of them.
func TestFirstDroppedBounds(t *testing.T) {
	const n = 5
	random := rand.New(rand.NewPCG(4, 2))
	orders := permutations(n)
	seen := map[[3]int32]bool{}
	for range 400 {
		classes, row, self := make([]int32, n), make([]float32, n), random.IntN(n)
		ids := make([]int64, n)
		for i := range n {
			ids[i], classes[i], row[i] = int64(i), int32(random.IntN(3)), float32(random.IntN(3))
		}
		r := ranker{sortedGallery: newSortedGallery(ids, classes)}
		got, j := judgeFirstDropped(&r, row, classes[self])
		low, high := int32(noRank), int32(0)
		var byID int32
		for i, order := range orders {
			rank := sortedFirstDropped(row, classes, classes[self], order)
			if i == 0 { // ascending
				byID = rank
			}
			low, high = min(low, rank), max(high, rank)
		}
		if j != queryCounted || got.Rank != byID || got.RankOptimistic != low || got.RankPessimistic != high {
			t.Fatalf("scores %v, classes %v, query %d: ranks %d within %d and %d; want %d within %d and %d",
				row, classes, self, got.Rank, got.RankOptimistic, got.RankPessimistic, byID, low, high)
		}
		seen[[3]int32{byID, low, high}] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d kinds of outcome; the rows are too much alike to test anything", len(seen))
	}
}

// sortedFirstDropped sorts positions by score, ties by their place in order,
// drops the first, and returns the rank of the first of the class.
func sortedFirstDropped(row []float32, classes []int32, class int32, order []int) int32 {
	list := slices.Clone(order)
	slices.SortStableFunc(list, func(a, b int) int {
		switch {
		case row[a] > row[b]:
			return -1
		case row[a] < row[b]:
			return 1
		}
		return 0
	})
	for rank, at := range list[1:] {
		if classes[at] == class {
			return int32(rank + 1)
		}
	}
	return noRank
}

// permutations returns all orders of 0 to n-1, the ascending one first.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for at := n - 1; at >= 0; at-- {
		for _, p := range permutations(n - 1) {
			all = append(all, slices.Insert(slices.Clone(p), at, n-1))
		}
	}
	return all
}

func TestRescoreRefuses(t *testing.T) {
	good := duplicates()
	tests := map[string]struct {
		dialect string
		change  func(c *dialectCase, s *Search)
		want    string
		reason  bool
	}{
		"sizes that are not the width": {"bier", func(c *dialectCase, _ *Search) { c.Sizes = []int{2} }, "want the sum 3", false},
		"a size of 0":                  {"bier", func(c *dialectCase, _ *Search) { c.Sizes = []int{3, 0} }, "at least 1", false},
		"not a number":                 {"ms-loss", func(_ *dialectCase, s *Search) { s.Queries[0] = float32(math.NaN()) }, "NaN", false},
		"a query outside":              {"ms-loss", func(_ *dialectCase, s *Search) { s.QueryIDs = []int64{1, 2, 3, 4, 99} }, "query 99 is not in the gallery", true},
		"a gallery for BIER's code":    {"bier", func(_ *dialectCase, s *Search) { s.SelfExcluded = false }, "no rule for a gallery", true},
		"alone in its class":           {"ms-loss", func(*dialectCase, *Search) {}, "1 of 5 have none", true},
		"all alone": {"bierbench", func(_ *dialectCase, s *Search) {
			s.QueryClasses = []int32{1, 2, 3, 4, 5}
			s.GalleryClasses = s.QueryClasses
		}, "none of 5 queries", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := DialectNamed(test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			c, s := good, good.search()
			test.change(&c, &s)
			_, err = Rescore(t.Context(), modelstest.Backend(t), s, c.Sizes, d)
			if _, reason := errors.AsType[NoScoreError](err); err == nil || !strings.Contains(err.Error(), test.want) || reason != test.reason {
				t.Errorf("error %v; want one that says %q, a program's reason: %t", err, test.want, test.reason)
			}
		})
	}
	if _, err := DialectNamed("recall"); err == nil || !strings.Contains(err.Error(), "pytorch-metric-learning, proxy-anchor") {
		t.Errorf("an unknown dialect: %v; want the known ones", err)
	}
}

// What a search reads must be as it was: callers share it between dialects.
func TestRescoreLeavesSearch(t *testing.T) {
	c := duplicates()
	c.QueryLabels = []int32{0, 0, 1, 1, 1}
	s := c.search()
	for i := range s.Queries {
		s.Queries[i] *= 7
	}
	want := slices.Clone(s.Queries)
	for _, d := range Dialects() {
		if _, err := Rescore(t.Context(), modelstest.Backend(t), s, c.Sizes, d); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
	}
	if !slices.Equal(s.Queries, want) {
		t.Error("the search's vectors were changed")
	}
}

// Every rule is stated, and names are distinct: help dialects prints them.
func TestDialectsSayTheirRules(t *testing.T) {
	names := map[string]bool{}
	for _, d := range Dialects() {
		for _, s := range []string{d.Name, d.Source, d.Vectors, d.Self, d.Ties, d.Alone, d.Divisor, d.Differs} {
			if s == "" {
				t.Errorf("%s: a rule is not stated", d.Name)
			}
		}
		if names[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		names[d.Name] = true
	}
	if len(names) == 0 || Dialects()[0].Name != "bierbench" {
		t.Error("the first dialect must be ours")
	}
}
