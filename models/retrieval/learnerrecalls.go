package retrieval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bierbench/models/xla"
)

// A LearnerRecall holds R@K of one learner of an ensemble, fractions in [0, 1] by name: "R@1" and
// the recalls of the search.
type LearnerRecall struct {
	Size              int
	Alone, Cumulative map[string]float64 // of its slice alone; of the learners up to it
}

// LearnerRecalls returns R@K of every learner of an ensemble: of its slice alone and of the
// ensemble up to it. The vectors of s are the learners' scaled slices one after the other, of the
// given sizes. Ties are ordered as Retrieve orders them.
//
// whole, which may be nil, are the metrics that Retrieve found for s. They serve as the last
// learner's cumulative recalls, which would need the largest of the searches.
func LearnerRecalls(ctx context.Context, b *xla.Backend, s Search, sizes []int, whole map[string]float64) ([]LearnerRecall, error) {
	order, err := s.checkedOrder()
	if err != nil {
		return nil, fmt.Errorf("learner recalls: %w", err)
	}
	sum := 0
	for _, d := range sizes {
		sum += d
	}
	if len(sizes) == 0 || slices.Min(sizes) < 1 || sum != s.Width {
		return nil, fmt.Errorf("learner recalls: sizes %v; want at least one learner and the sum %d", sizes, s.Width)
	}
	t := learnerSearch{
		Search: s, order: order, gallery: s.sortedGallery(order),
		ks: slices.Compact(slices.Sorted(slices.Values(append([]int{1}, s.Recalls...)))),
	}
	t.self = s.selfPositions(t.gallery)
	known := t.knownRecalls(whole)
	out := make([]LearnerRecall, len(sizes))
	from := 0
	for i, d := range sizes {
		to := from + d
		recalls := [2]map[string]float64{}
		for j, first := range [2]int{from, 0} {
			switch {
			case j == 1 && i == 0:
				recalls[1] = recalls[0]
			case first == 0 && to == s.Width && known != nil:
				recalls[j] = known
			default:
				if recalls[j], err = t.recalls(ctx, b, first, to); err != nil {
					return nil, fmt.Errorf("learner recalls: %w", err)
				}
			}
		}
		out[i] = LearnerRecall{Size: d, Alone: recalls[0], Cumulative: recalls[1]}
		from = to
	}
	return out, nil
}

// A learnerSearch is a search that is made with some of the dimensions at a time.
type learnerSearch struct {
	Search
	order   []int // rows of the gallery by id
	gallery *sortedGallery
	self    []int // position of each query in the gallery, or -1
	ks      []int // ascending
}

// knownRecalls returns the wanted recalls if metrics has all of them, else nil.
func (t learnerSearch) knownRecalls(metrics map[string]float64) map[string]float64 {
	recalls := map[string]float64{}
	for _, k := range t.ks {
		v, ok := metrics[recallName(k)]
		if !ok {
			return nil
		}
		recalls[recallName(k)] = v
	}
	return recalls
}

// recalls returns R@K by the dimensions [from, to) alone, over the queries that
// have a positive.
func (t learnerSearch) recalls(ctx context.Context, b *xla.Backend, from, to int) (map[string]float64, error) {
	type count struct {
		queries int
		hits    []int // of each of ks
	}
	counts := make([]count, scoreWorkers())
	for i := range counts {
		counts[i].hits = make([]int, len(t.ks))
	}
	queries, gallery := t.columns(t.order, from, to)
	err := scoreBlocks(ctx, b, t.Distance, queries, gallery, func(worker, q int, row []float32) {
		best, relevant := t.gallery.bestPositive(row, t.self[q], t.QueryClasses[q])
		if relevant == 0 {
			return
		}
		c := &counts[worker]
		c.queries++
		rank := rankOf(row, t.self[q], best)
		for i := len(t.ks) - 1; i >= 0 && rank <= t.ks[i]; i-- {
			c.hits[i]++
		}
	})
	if err != nil {
		return nil, err
	}
	total, hits := 0, make([]int, len(t.ks))
	for _, c := range counts {
		total += c.queries
		for i, h := range c.hits {
			hits[i] += h
		}
	}
	if total == 0 {
		return nil, errors.New("no query has another image of its class in the gallery")
	}
	recalls := make(map[string]float64, len(t.ks))
	for i, k := range t.ks {
		recalls[recallName(k)] = float64(hits[i]) / float64(total)
	}
	return recalls, nil
}
