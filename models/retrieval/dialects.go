package retrieval

import (
	"context"
	"fmt"
	"math"
	"strings"

	"bierbench/models/xla"
)

// A Dialect is the meaning that one evaluation program gives to R@1 and MAP@R: programs print
// different numbers for the same embeddings.
type Dialect struct {
	Name    string
	Source  string // the code whose rules these are
	Vectors string // what is done to the embeddings before products are taken
	Self    string // how the query itself is kept out of its results
	Ties    string // which order equal scores have
	Alone   string // what becomes of queries without a positive
	Divisor string // what the sums are divided by
	Differs string // where its numbers differ from those of this package

	// Recalls says that the program prints R@K for every K of a search, else R@1 alone; AtR says
	// that it prints MAP@R and R-precision.
	Recalls, AtR bool

	// prepare turns rows of a width into the vectors whose products are scores, in place; sizes are
	// those of the learners, in order. If prepare is nil, the rows stay as they are.
	prepare func(values []float32, width int, sizes []int)
	// galleries says that queries may be searched in another list of images, groups that those of a
	// query's group are left out.
	galleries, groups bool
	// judge scores a query of a class by its row of scores against the gallery, in the order of
	// ids. self is its own position, or -1 if the queries are not in the gallery. Ranks are those
	// by which hits are counted. They need not be places in a ranking: noRank is a miss at every K.
	judge func(r *ranker, row []float32, self int, class int32) (QueryResult, judgement)
}

// noRank is the rank of a query that is a miss at every K.
const noRank = math.MaxInt32

// A judgement says what a program does with a query.
type judgement int

const (
	queryCounted judgement = iota
	queryLeftOut           // the means are taken without it
	programStops           // the program ends with an error
)

// Dialects returns all dialects, ours first.
func Dialects() []Dialect {
	return []Dialect{
		bierbenchDialect(),
		metricLearningDialect(),
		proxyAnchorDialect(),
		multiSimilarityDialect(),
		bierDialect(),
	}
}

// DialectNamed returns the dialect of the given name. An unknown name is an error that lists the
// known ones.
func DialectNamed(name string) (Dialect, error) {
	var known []string
	for _, d := range Dialects() {
		if d.Name == name {
			return d, nil
		}
		known = append(known, d.Name)
	}
	return Dialect{}, fmt.Errorf("dialect: %q is not one of %s", name, strings.Join(known, ", "))
}

// A NoScoreError says why the program of a dialect gives no number for a search.
type NoScoreError struct{ Dialect, Reason string }

func (e NoScoreError) Error() string { return e.Dialect + ": " + e.Reason }

// Rescore evaluates a search by the rules of a dialect. sizes are the learners', in the order of
// their slices; their sum is the width. The result has the metrics that the program prints; their
// bounds are the values that its rule would give if every tie counted against the query, and for
// it. Rescore searches as Retrieve does, and needs its memory and a copy of the vectors. If the
// program would give no number, the error is a NoScoreError.
func Rescore(ctx context.Context, b *xla.Backend, s Search, sizes []int, d Dialect) (*Result, error) {
	s, err := d.rewrite(s, sizes)
	if err != nil {
		return nil, fmt.Errorf("rescore: %w", err)
	}
	order, err := s.checkedOrder()
	if err != nil {
		return nil, fmt.Errorf("rescore: %w", err)
	}
	sorted := s.sortedGallery(order)
	self := s.selfPositions(sorted)
	for q, at := range self {
		if s.SelfExcluded && at < 0 && !d.groups {
			why := fmt.Sprintf("query %d is not in the gallery and others are, for which its code has no rule", s.QueryIDs[q])
			return nil, fmt.Errorf("rescore: %w", NoScoreError{d.Name, why})
		}
	}
	hidden := s.hiddenPositions(order, self)
	rankers := make([]ranker, scoreWorkers())
	for i := range rankers {
		rankers[i] = ranker{sortedGallery: sorted}
	}
	results := make([]QueryResult, len(s.QueryIDs))
	judgements := make([]judgement, len(s.QueryIDs))
	queries, gallery := s.columns(order, 0, s.Width)
	err = scoreBlocks(ctx, b, s.Distance, queries, gallery, func(worker, q int, row []float32) {
		rankers[worker].hidden = hidden(q)
		results[q], judgements[q] = d.judge(&rankers[worker], row[:len(sorted.ids)], self[q], s.QueryClasses[q])
		results[q].ID, results[q].Class = s.QueryIDs[q], s.QueryClasses[q]
	})
	if err != nil {
		return nil, fmt.Errorf("rescore: %w", err)
	}
	r, err := d.summarise(results, judgements, s.Recalls)
	if err != nil {
		return nil, fmt.Errorf("rescore: %w", err)
	}
	return r, nil
}

// rewrite returns the search that the program makes: with prepared vectors and the recalls that it
// prints.
func (d Dialect) rewrite(s Search, sizes []int) (Search, error) {
	sum := 0
	for _, size := range sizes {
		if size < 1 {
			return s, fmt.Errorf("sizes %v; want at least 1 each", sizes)
		}
		sum += size
	}
	switch {
	case sum != s.Width:
		return s, fmt.Errorf("sizes %v; want the sum %d", sizes, s.Width)
	case !s.SelfExcluded && !d.galleries:
		return s, NoScoreError{d.Name, "its code compares one list of images with itself, it has no rule for a gallery"}
	}
	if !d.Recalls {
		s.Recalls = []int{1}
	}
	if s.QueryGroups != nil && !d.groups {
		return s, NoScoreError{d.Name, "its code has no rule for groups of images that are left out together"}
	}
	if d.prepare == nil {
		return s, nil
	}
	s.Distance = false // the programs that prepare vectors take products of them
	shared := len(s.Queries) == len(s.Gallery) && len(s.Queries) > 0 && &s.Queries[0] == &s.Gallery[0]
	s.Queries = append([]float32(nil), s.Queries...)
	d.prepare(s.Queries, s.Width, sizes)
	if shared {
		s.Gallery = s.Queries
		return s, nil
	}
	s.Gallery = append([]float32(nil), s.Gallery...)
	d.prepare(s.Gallery, s.Width, sizes)
	return s, nil
}

// summarise takes the means that the program prints.
func (d Dialect) summarise(results []QueryResult, judgements []judgement, recalls []int) (*Result, error) {
	valid := make([]bool, len(results))
	stopping, counts := 0, 0
	for i, j := range judgements {
		valid[i] = j == queryCounted
		switch j {
		case queryCounted:
			counts++
		case programStops:
			stopping++
		case queryLeftOut:
		}
	}
	switch {
	case stopping > 0:
		return nil, NoScoreError{d.Name, fmt.Sprintf("its code stops with an error where a query has no positive: %d of %d have none",
			stopping, len(results))}
	case counts == 0:
		return nil, NoScoreError{d.Name, fmt.Sprintf("none of %d queries has a positive", len(results))}
	}
	r, err := summarise(results, valid, recalls)
	if err == nil && !d.AtR {
		for _, name := range []string{"MAP@R", "R-precision"} {
			delete(r.Metrics, name)
			delete(r.Bounds, name)
		}
	}
	return r, err
}

// unitLength is a preparation: it divides every row by its length, floored, as
// normalisation layers do. Zero rows stay zero.
func unitLength(floor float64) func(values []float32, width int, sizes []int) {
	return func(values []float32, width int, _ []int) {
		for lo := 0; lo < len(values); lo += width {
			scaleToLength(values[lo:lo+width], 1, floor)
		}
	}
}

// scaleToLength scales a vector, in place, to the given length. A vector shorter than the floor is
// scaled as one that is as long as the floor. Lengths are summed in float64.
func scaleToLength(v []float32, length, floor float64) {
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	factor := length / max(math.Sqrt(square), floor)
	for i, x := range v {
		v[i] = float32(float64(x) * factor)
	}
}

// countNegatives counts, over a whole row, the negatives of a class with a higher
// score than threshold and with at least that score.
func (r *ranker) countNegatives(row []float32, class int32, threshold float32) (above, atLeast int) {
	for _, score := range row {
		if score > threshold {
			above++
		}
		if score >= threshold {
			atLeast++
		}
	}
	for _, p := range r.positions[class] {
		if row[p] > threshold {
			above--
		}
		if row[p] >= threshold {
			atLeast--
		}
	}
	return above, atLeast
}
