package retrieval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"bierbench/models/xla"
)

// A Search is an exact nearest-neighbour search to evaluate. The score of two vectors is their dot
// product or, with Distance, the square of their Euclidean distance with a minus before it. Queries
// and Gallery may be one slice.
type Search struct {
	Queries, Gallery             []float32 // row-major [images, Width]
	Width                        int
	QueryIDs, GalleryIDs         []int64
	QueryClasses, GalleryClasses []int32
	// QueryGroups and GalleryGroups may be nil. A query's ranking leaves out the images of its own
	// group, such as the other pictures of a burst. A negative number is no group.
	QueryGroups, GalleryGroups []int32
	Distance                   bool  // the nearest by Euclidean distance are the first
	SelfExcluded               bool  // a query's own id is left out of its ranking
	Recalls                    []int // the K of R@K
	Nearest                    int   // gallery images to report for each query
}

// A QueryResult is what a search found for one query. Ranks are those of the best positive, counted
// from 1. Images of equal scores are ordered by gallery id; pessimistic puts positives last among
// them, optimistic first. R is the number of positives: AP is (1/R) sum over ranks i <= R of
// precision(i) rel(i), whose mean is MAP@R; RPrecision is the share of positives in the first R.
type QueryResult struct {
	ID                                                      int64
	Class                                                   int32
	Rank, RankPessimistic, RankOptimistic                   int32
	AP, APPessimistic, APOptimistic                         float64
	RPrecision, RPrecisionPessimistic, RPrecisionOptimistic float64
	NearestIDs                                              []int64
	NearestScores                                           []float32
}

// A Result is the result of a search. Metrics are means over Queries, fractions in [0,1], named
// "R@1", ..., "MAP@R" and "R-precision"; Bounds are their values with ties against and for:
// [pessimistic, optimistic].
type Result struct {
	Queries  []QueryResult // those with a positive in the gallery, in the search's order
	Excluded int           // queries without a positive
	Metrics  map[string]float64
	Bounds   map[string][2]float64
}

// Retrieve ranks the whole gallery for every query. Memory is bounded: the
// gallery, and blocks of scores of 64 MiB.
func Retrieve(ctx context.Context, b *xla.Backend, s Search) (*Result, error) {
	order, err := s.checkedOrder()
	if err != nil {
		return nil, fmt.Errorf("retrieve: %w", err)
	}
	r, err := s.rankAll(order, func(visit visitScores) error {
		queries, gallery := s.columns(order, 0, s.Width)
		return scoreBlocks(ctx, b, s.Distance, queries, gallery, visit)
	})
	if err != nil {
		return nil, fmt.Errorf("retrieve: %w", err)
	}
	return r, nil
}

// rankAll evaluates the scores of every query against the gallery in the given order. score calls
// its argument once for each query.
func (s Search) rankAll(order []int, score func(visit visitScores) error) (*Result, error) {
	sorted := s.sortedGallery(order)
	self := s.selfPositions(sorted)
	hidden := s.hiddenPositions(order, self)
	rankers := make([]ranker, scoreWorkers())
	for i := range rankers {
		rankers[i] = ranker{sortedGallery: sorted, nearest: s.Nearest}
	}
	results := make([]QueryResult, len(s.QueryIDs))
	valid := make([]bool, len(s.QueryIDs))
	err := score(func(worker, q int, row []float32) {
		rankers[worker].hidden = hidden(q)
		results[q], valid[q] = rankers[worker].rank(row, self[q], s.QueryClasses[q])
		results[q].ID = s.QueryIDs[q]
	})
	if err != nil {
		return nil, err
	}
	return summarise(results, valid, s.Recalls)
}

// summarise keeps the valid results and takes the means over them.
func summarise(results []QueryResult, valid []bool, recalls []int) (*Result, error) {
	r := &Result{Metrics: map[string]float64{}, Bounds: map[string][2]float64{}}
	for i, q := range results {
		if valid[i] {
			r.Queries = append(r.Queries, q)
		} else {
			r.Excluded++
		}
	}
	if len(r.Queries) == 0 {
		return nil, fmt.Errorf("none of %d queries has another image of its class in the gallery", len(results))
	}
	for _, k := range recalls {
		r.addMetric(recallName(k), func(q *QueryResult) [3]float64 {
			return [3]float64{recallHit(q.Rank, k), recallHit(q.RankPessimistic, k), recallHit(q.RankOptimistic, k)}
		})
	}
	r.addMetric("MAP@R", func(q *QueryResult) [3]float64 {
		return [3]float64{q.AP, q.APPessimistic, q.APOptimistic}
	})
	r.addMetric("R-precision", func(q *QueryResult) [3]float64 {
		return [3]float64{q.RPrecision, q.RPrecisionPessimistic, q.RPrecisionOptimistic}
	})
	return r, nil
}

// addMetric adds a metric: value gives a query's number and its two bounds.
func (r *Result) addMetric(name string, value func(q *QueryResult) [3]float64) {
	var sum [3]float64
	for i := range r.Queries {
		for k, v := range value(&r.Queries[i]) {
			sum[k] += v
		}
	}
	n := float64(len(r.Queries))
	r.Metrics[name] = sum[0] / n
	r.Bounds[name] = [2]float64{sum[1] / n, sum[2] / n}
}

// recallName returns "R@K".
func recallName(k int) string { return fmt.Sprintf("R@%d", k) }

func recallHit(rank int32, k int) float64 {
	if int(rank) <= k {
		return 1
	}
	return 0
}

// checkedOrder refuses a search that cannot be ranked, and returns the gallery's rows
// in the order of their ids.
func (s Search) checkedOrder() ([]int, error) {
	if s.Width < 1 {
		return nil, fmt.Errorf("width %d; want at least 1", s.Width)
	}
	sides := []struct {
		name    string
		values  []float32
		ids     []int64
		classes []int32
		groups  []int32
	}{
		{"queries", s.Queries, s.QueryIDs, s.QueryClasses, s.QueryGroups},
		{"gallery", s.Gallery, s.GalleryIDs, s.GalleryClasses, s.GalleryGroups},
	}
	longest := 1.0 // the product of the longest query's and gallery vector's lengths
	for _, side := range sides {
		n := len(side.ids)
		if n == 0 {
			return nil, fmt.Errorf("%s: no images", side.name)
		}
		if len(side.classes) != n || len(side.values) != n*s.Width {
			return nil, fmt.Errorf("%s: %d ids, %d classes and %d numbers; want as many classes as ids and %d numbers each", side.name,
				n, len(side.classes), len(side.values), s.Width)
		}
		if (s.QueryGroups == nil) != (s.GalleryGroups == nil) || side.groups != nil && len(side.groups) != n {
			return nil, fmt.Errorf("%s: %d ids and %d groups; want as many, or none on both sides", side.name, n, len(side.groups))
		}
		length := 0.0
		for i, id := range side.ids {
			square := 0.0
			for _, v := range side.values[i*s.Width:][:s.Width] {
				square += float64(v) * float64(v)
			}
			if math.IsNaN(square) || math.IsInf(square, 0) {
				return nil, fmt.Errorf("%s: the embedding of image %d has NaN or infinite numbers", side.name, id)
			}
			length = max(length, math.Sqrt(square))
		}
		longest *= length
	}
	if longest > math.MaxFloat32/4 {
		return nil, fmt.Errorf("the embedding's numbers are so large that scores overflow: |q| |g| is %g", longest)
	}
	for _, k := range s.Recalls {
		if k < 1 {
			return nil, fmt.Errorf("recall at rank %d; want a rank of at least 1", k)
		}
	}
	order := make([]int, len(s.GalleryIDs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(s.GalleryIDs[i], s.GalleryIDs[j]) })
	for i := 1; i < len(order); i++ {
		if id := s.GalleryIDs[order[i]]; id == s.GalleryIDs[order[i-1]] {
			return nil, fmt.Errorf("gallery: id %d occurs twice", id)
		}
	}
	return order, nil
}

// sortedGallery returns the gallery's ids and classes in the given order.
func (s Search) sortedGallery(order []int) *sortedGallery {
	ids, classes := make([]int64, len(order)), make([]int32, len(order))
	for i, k := range order {
		ids[i], classes[i] = s.GalleryIDs[k], s.GalleryClasses[k]
	}
	return newSortedGallery(ids, classes)
}

// selfPositions returns every query's own position in the gallery, or -1 if it is not there or is
// not left out.
func (s Search) selfPositions(sorted *sortedGallery) []int {
	self := make([]int, len(s.QueryIDs))
	for q, id := range s.QueryIDs {
		self[q] = -1
		if at, ok := slices.BinarySearch(sorted.ids, id); ok && s.SelfExcluded {
			self[q] = at
		}
	}
	return self
}

// hiddenPositions returns the positions in the gallery, which is in the given order, that a query's
// ranking leaves out besides its own: those of its group.
func (s Search) hiddenPositions(order, self []int) func(query int) []int32 {
	if s.QueryGroups == nil {
		return func(int) []int32 { return nil }
	}
	members := map[int32][]int32{}
	for at, row := range order {
		if g := s.GalleryGroups[row]; g >= 0 {
			members[g] = append(members[g], int32(at))
		}
	}
	return func(q int) []int32 {
		all := members[s.QueryGroups[q]]
		i, found := slices.BinarySearch(all, int32(self[q]))
		if !found {
			return all
		}
		return slices.Concat(all[:i], all[i+1:])
	}
}

// columns returns the dimensions [from, to) of the queries and of the gallery
// in the given order.
func (s Search) columns(order []int, from, to int) (queries, gallery vectorRows) {
	cut := func(values []float32, i int) []float32 { return values[i*s.Width:][from:to] }
	return vectorRows{len(s.QueryIDs), to - from, func(i int) []float32 { return cut(s.Queries, i) }},
		vectorRows{len(order), to - from, func(i int) []float32 { return cut(s.Gallery, order[i]) }}
}
