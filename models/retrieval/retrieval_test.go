package retrieval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// randomSearch returns leave-one-out over n images with integer vectors, so
// that scores are exact in any order of summation and tie often.
func randomSearch(random *rand.Rand, n, width, classes int) Search {
	s := Search{Width: width, SelfExcluded: true, Recalls: []int{1, 2, 4, 1000}, Nearest: 5}
	for _, i := range random.Perm(n) {
		s.QueryIDs = append(s.QueryIDs, int64(7*i+1))
		s.QueryClasses = append(s.QueryClasses, int32(random.IntN(classes)))
	}
	for range n * width {
		s.Queries = append(s.Queries, float32(random.IntN(5)-2))
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	return s
}

// Retrieve against the sorted reference, ids in random order, more queries
// than a block holds on no axis but with remainders on all.
func TestRetrieveAgainstReference(t *testing.T) {
	b := modelstest.Backend(t)
	random := rand.New(rand.NewPCG(3, 1))
	for _, n := range []int{5, 131} {
		s := randomSearch(random, n, 3, 4+n/8)
		got, err := Retrieve(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		order, err := s.checkedOrder()
		if err != nil {
			t.Fatal(err)
		}
		shelf := s.sortedGallery(order)
		at, excluded := 0, 0
		for q, id := range s.QueryIDs {
			row, self := make([]float32, n), slices.Index(shelf.ids, id)
			for i, k := range order {
				for d := range s.Width {
					row[i] += s.Queries[q*s.Width+d] * s.Gallery[k*s.Width+d]
				}
			}
			class := s.QueryClasses[q]
			want := QueryResult{ID: id, Class: class}
			var ranking []int
			want.Rank, want.AP, want.RPrecision, ranking = reference(row, shelf.classes, self, class, tiesByID)
			want.RankPessimistic, want.APPessimistic, want.RPrecisionPessimistic, _ = reference(row, shelf.classes, self, class, tiesAgainst)
			want.RankOptimistic, want.APOptimistic, want.RPrecisionOptimistic, _ = reference(row, shelf.classes, self, class, tiesFor)
			if want.Rank == 0 {
				excluded++
				continue
			}
			for _, i := range ranking[:min(5, len(ranking))] {
				want.NearestIDs = append(want.NearestIDs, shelf.ids[i])
				want.NearestScores = append(want.NearestScores, row[i])
			}
			if !equalResults(got.Queries[at], want) {
				t.Fatalf("%d images, query %d:\ngot  %+v\nwant %+v", n, id, got.Queries[at], want)
			}
			at++
		}
		if at != len(got.Queries) || excluded != got.Excluded {
			t.Errorf("%d images: %d queries and %d excluded; want %d and %d", n, len(got.Queries), got.Excluded, at, excluded)
		}
		if got.Metrics["R@1000"] != 1 {
			t.Errorf("R@1000 of %d images: %g; want 1, K may exceed the gallery", n, got.Metrics["R@1000"])
		}
	}
}

// A collapsed embedding, every vector equal and no number round, must tie
// exactly, whatever the shape: else its metrics would look like luck.
func TestRetrieveCollapsed(t *testing.T) {
	const width = 37
	random := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{6, 83, 1003} {
		s := randomSearch(random, n, width, 2)
		for i := range s.Queries[:width] {
			s.Queries[i] = random.Float32() - 0.5
		}
		for i := range n {
			copy(s.Queries[i*width:], s.Queries[:width])
		}
		got, err := Retrieve(t.Context(), modelstest.Backend(t), s)
		if err != nil {
			t.Fatal(err)
		}
		if bounds := got.Bounds["R@1"]; bounds != [2]float64{0, 1} {
			t.Errorf("%d images: R@1 within %v; want [0 1]", n, bounds)
		}
	}
}

// The whole gallery order must not depend on the order of the input.
func TestRetrieveOrderOfInput(t *testing.T) {
	b := modelstest.Backend(t)
	s := randomSearch(rand.New(rand.NewPCG(8, 1)), 90, 4, 9)
	want, err := Retrieve(t.Context(), b, s)
	if err != nil {
		t.Fatal(err)
	}
	turned := s
	turned.Gallery, turned.GalleryIDs, turned.GalleryClasses = nil, nil, nil
	for i, id := range slices.Backward(s.GalleryIDs) {
		turned.Gallery = append(turned.Gallery, s.Gallery[i*s.Width:][:s.Width]...)
		turned.GalleryIDs = append(turned.GalleryIDs, id)
		turned.GalleryClasses = append(turned.GalleryClasses, s.GalleryClasses[i])
	}
	got, err := Retrieve(t.Context(), b, turned)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gallery in reverse (-want +got):\n%s", diff)
	}
}

func TestRetrieveRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := map[string]struct {
		change func(s *Search)
		want   string
	}{
		"NaN":           {func(s *Search) { s.Queries[5] = nan }, "NaN"},
		"infinite":      {func(s *Search) { s.Queries[5] = inf }, "infinite"},
		"overflow":      {func(s *Search) { s.Queries[5] = 3e38 }, "overflow"},
		"no queries":    {func(s *Search) { s.QueryIDs = nil }, "no images"},
		"cut vectors":   {func(s *Search) { s.Queries = s.Queries[1:] }, "numbers"},
		"cut classes":   {func(s *Search) { s.GalleryClasses = s.GalleryClasses[1:] }, "classes"},
		"same id twice": {func(s *Search) { s.GalleryIDs[1] = s.GalleryIDs[0] }, "twice"},
		"no width":      {func(s *Search) { s.Width = 0 }, "width"},
		"R@0":           {func(s *Search) { s.Recalls = []int{0} }, "rank 0"},
		"labels are absent": {func(s *Search) {
			s.QueryClasses = make([]int32, len(s.QueryIDs))
			s.QueryClasses[0] = -1
			s.GalleryClasses = slices.Repeat([]int32{9}, len(s.GalleryIDs))
		}, "none of"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := randomSearch(rand.New(rand.NewPCG(1, 1)), 6, 2, 2)
			test.change(&s)
			_, err := Retrieve(t.Context(), modelstest.Backend(t), s)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want one that says %q", err, test.want)
			}
		})
	}
}

// Whatever searches or sums up ends with the error of its context, and says what it did.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b, search := modelstest.Backend(t), duplicates().search()
	for what, call := range map[string]func() error{
		"retrieve: ":        func() error { _, err := Retrieve(ctx, b, search); return err },
		"rescore: ":         func() error { _, err := Rescore(ctx, b, search, []int{3}, Dialects()[0]); return err },
		"learner recalls: ": func() error { _, err := LearnerRecalls(ctx, b, search, []int{1, 2}, nil); return err },
		"correlation: ":     func() error { _, err := Correlation(ctx, b, search.Queries, 3, []int{1, 2}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s%v; want canceled", what, err)
		}
	}
	// What cannot be searched is refused by each of them, too.
	search.Width = 0
	_, err := LearnerRecalls(t.Context(), b, search, nil, nil)
	if want := "learner recalls: width 0; want at least 1"; err == nil || err.Error() != want {
		t.Errorf("%v; want %q", err, want)
	}
}

// A learner alone is the search over its slice, the last cumulative one the
// search over everything, exactly: ties are many, and R@1000 is above the
// gallery's size.
func TestLearnerRecalls(t *testing.T) {
	b := modelstest.Backend(t)
	s := randomSearch(rand.New(rand.NewPCG(5, 5)), 60, 9, 12)
	searched := func(s Search) map[string]float64 {
		t.Helper()
		r, err := Retrieve(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		return r.Metrics
	}
	recalls := func(from, to int) map[string]float64 {
		part := s
		part.Width, part.Queries = to-from, nil
		for i := range s.QueryIDs {
			part.Queries = append(part.Queries, s.Queries[i*s.Width+from:i*s.Width+to]...)
		}
		part.Gallery = part.Queries
		found := searched(part)
		delete(found, "MAP@R")
		delete(found, "R-precision")
		return found
	}
	three := []LearnerRecall{
		{2, recalls(0, 2), recalls(0, 2)},
		{3, recalls(2, 5), recalls(0, 5)},
		{4, recalls(5, 9), recalls(0, 9)},
	}
	if three[0].Alone["R@1"] == three[1].Alone["R@1"] || three[1].Cumulative["R@2"] == three[1].Cumulative["R@1"] {
		t.Fatalf("%v: the learners and ranks must differ for the test to tell them apart", three)
	}
	whole := searched(s)
	for name, test := range map[string]struct {
		sizes []int
		whole map[string]float64
		want  []LearnerRecall
	}{
		"three learners":                     {[]int{2, 3, 4}, nil, three},
		"three learners, the whole is known": {[]int{2, 3, 4}, whole, three},
		"one learner":                        {[]int{9}, nil, []LearnerRecall{{9, recalls(0, 9), recalls(0, 9)}}},
		"one learner, the whole is known":    {[]int{9}, whole, []LearnerRecall{{9, recalls(0, 9), recalls(0, 9)}}},
		"what is known is another metric":    {[]int{2, 3, 4}, map[string]float64{"MAP@R": 0.5}, three},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := LearnerRecalls(t.Context(), b, s, test.sizes, test.whole)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	s.Recalls = nil
	got, err := LearnerRecalls(t.Context(), b, s, []int{9}, nil)
	if err != nil || len(got[0].Alone) != 1 || got[0].Alone["R@1"] != whole["R@1"] {
		t.Errorf("a search that asks for no recall: %v, %v; want R@1 alone", got, err)
	}
	if _, err := LearnerRecalls(t.Context(), b, s, []int{4, 4}, nil); err == nil {
		t.Error("sizes that do not sum to the width: no error")
	}
	for i := range s.QueryClasses { // shared with the gallery
		s.QueryClasses[i] = int32(i)
	}
	if _, err := LearnerRecalls(t.Context(), b, s, []int{4, 5}, nil); err == nil {
		t.Error("no query has a positive: no error")
	}
}

// Every number of a search is the same on one, two and four devices. The
// gallery is large enough for five blocks of queries, which is no multiple of
// the devices, and the last block is part-filled.
func TestRetrieveDevices(t *testing.T) {
	s := randomSearch(rand.New(rand.NewPCG(3, 1)), 8200, 12, 300)
	s.Nearest = 3
	if blocks := len(s.QueryIDs) * len(s.GalleryIDs) / blockScores; blocks != 4 {
		t.Fatalf("%d full blocks, want 4", blocks)
	}
	var want *Result
	for _, n := range []int{1, 2, 4} {
		got, err := Retrieve(t.Context(), modelstest.OnDevices(t, n), s)
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			want = got
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%d devices: the search's results are others", n)
		}
	}
}
