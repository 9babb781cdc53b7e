package retrieval

import (
	"cmp"
	"math"
	"slices"
)

// A candidate is a gallery image that may have one of the first ranks.
type candidate struct {
	score float32
	at    int32 // position in the gallery, which is sorted by id
}

// compare orders a ranking: by score descending, then by id ascending.
func (c candidate) compare(d candidate) int {
	return cmp.Or(cmp.Compare(d.score, c.score), cmp.Compare(c.at, d.at))
}

// A sortedGallery is a gallery sorted by id. It is read only and shared by rankers.
type sortedGallery struct {
	ids       []int64
	classes   []int32
	positions map[int32][]int32 // class -> ascending positions
}

func newSortedGallery(ids []int64, classes []int32) *sortedGallery {
	s := &sortedGallery{ids: ids, classes: classes, positions: map[int32][]int32{}}
	for i, class := range classes {
		s.positions[class] = append(s.positions[class], int32(i))
	}
	return s
}

// bestPositive returns the positive of a class that comes first by the scores in row, and how many
// positives there are; self, a position or -1, is not a positive.
func (s *sortedGallery) bestPositive(row []float32, self int, class int32) (best candidate, relevant int) {
	positives := s.positions[class]
	relevant = len(positives)
	best = candidate{score: float32(math.Inf(-1)), at: -1}
	for _, p := range positives {
		if int(p) == self {
			relevant--
			continue
		}
		if best.at < 0 || row[p] > best.score {
			best = candidate{row[p], p}
		}
	}
	return best, relevant
}

// A ranker ranks one row of scores after the other and reuses its scratch memory.
type ranker struct {
	*sortedGallery
	nearest int         // how many of the first ranks to report
	hidden  []int32     // positions that the ranking leaves out besides the query's own
	shown   []float32   // a row in which they are last
	top     []candidate // bounded heap, the worst of them first
}

// rank evaluates a query of a class by its scores against the gallery, row,
// which has no NaN. self is the query's own position in the gallery, left out
// of the ranking, or -1. ok is false when the gallery has no positive.
//
// It makes one pass over the row to find the first R, and a second pass to count only if the best
// positive is not among them.
func (r *ranker) rank(row []float32, self int, class int32) (q QueryResult, ok bool) {
	row = row[:len(r.ids)]
	if len(r.hidden) > 0 {
		row = r.hide(row)
	}
	best, relevant := r.bestPositive(row, self, class)
	for _, at := range r.hidden {
		if r.classes[at] == class {
			relevant--
		}
	}
	if relevant == 0 {
		return QueryResult{}, false
	}
	ranked := len(row) - len(r.hidden)
	if self >= 0 {
		ranked--
	}
	scan := rowScan{size: min(max(relevant, r.nearest), ranked), top: r.top[:0], threshold: float32(math.Inf(-1))}
	if self < 0 {
		scan.run(row, 0, len(row))
	} else {
		scan.run(row, 0, self)
		scan.run(row, self+1, len(row))
	}
	r.top = scan.top
	slices.SortFunc(r.top, candidate.compare)
	above, equal, before := r.countTop(best)
	if len(r.top) < ranked && best.score <= scan.threshold {
		above, equal, before = countRow(row, self, best)
	}

	q.Class = class
	q.Rank = int32(1 + above + before)
	q.RankOptimistic = int32(1 + above)
	q.RankPessimistic = int32(1 + above + equal - countScore(row, r.positions[class], self, best.score))
	r.addPrecision(&q, row, self, relevant, scan.dropped)
	for _, c := range r.top[:min(r.nearest, len(r.top))] {
		q.NearestIDs = append(q.NearestIDs, r.ids[c.at])
		q.NearestScores = append(q.NearestScores, c.score)
	}
	return q, true
}

// hide copies a row and puts the hidden positions behind all others: no score is minus infinity.
func (r *ranker) hide(row []float32) []float32 {
	r.shown = append(r.shown[:0], row...)
	for _, at := range r.hidden {
		r.shown[at] = float32(math.Inf(-1))
	}
	return r.shown
}

// addPrecision fills in R-precision and average precision at R, R = relevant,
// from the sorted first ranks. Ties are taken group by group: in gallery
// order, all positives first, or all positives last. dropped is the number of
// items outside r.top with the score of its last.
func (r *ranker) addPrecision(q *QueryResult, row []float32, self, relevant, dropped int) {
	var hits struct{ before, index, optimistic, pessimistic int }
	for from := 0; from < relevant; {
		score := r.top[from].score
		to, positives := from, 0
		for ; to < len(r.top) && r.top[to].score == score; to++ {
			positive := r.classes[r.top[to].at] == q.Class
			if positive {
				positives++
			}
			if positive && to < relevant {
				hits.index++
				q.AP += float64(hits.index) / float64(to+1)
			}
		}
		items := to - from
		if to == len(r.top) && dropped > 0 { // the group goes on outside
			items += dropped
			positives = countScore(row, r.positions[q.Class], self, score)
		}
		for h := 1; h <= positives; h++ {
			if at := from + h; at <= relevant {
				hits.optimistic++
				q.APOptimistic += float64(hits.before+h) / float64(at)
			}
			if at := from + items - positives + h; at <= relevant {
				hits.pessimistic++
				q.APPessimistic += float64(hits.before+h) / float64(at)
			}
		}
		hits.before += positives
		from = to
	}
	n := float64(relevant)
	q.AP, q.APOptimistic, q.APPessimistic = q.AP/n, q.APOptimistic/n, q.APPessimistic/n
	q.RPrecision = float64(hits.index) / n
	q.RPrecisionOptimistic = float64(hits.optimistic) / n
	q.RPrecisionPessimistic = float64(hits.pessimistic) / n
}

// countScore counts the positions other than self that have the score.
func countScore(row []float32, positions []int32, self int, score float32) int {
	n := 0
	for _, p := range positions {
		if row[p] == score && int(p) != self {
			n++
		}
	}
	return n
}

// countTop counts the items of top with a higher score than best, with its
// score, and with its score at a smaller position.
func (r *ranker) countTop(best candidate) (above, equal, before int) {
	for _, c := range r.top {
		switch {
		case c.score > best.score:
			above++
		case c.score == best.score:
			equal++
			if c.at < best.at {
				before++
			}
		}
	}
	return above, equal, before
}

// countRow does the same over the whole row but self. Its loop has no branch
// to mispredict: half the items may be above a poor best positive.
func countRow(row []float32, self int, best candidate) (above, equal, before int) {
	atLeast := 0
	for _, score := range row {
		if score > best.score {
			above++
		}
		if score >= best.score {
			atLeast++
		}
	}
	if self >= 0 && row[self] > best.score {
		above--
	}
	if self >= 0 && row[self] >= best.score {
		atLeast--
	}
	equal = atLeast - above
	if equal > 1 {
		for i, score := range row[:best.at] {
			if score == best.score && i != self {
				before++
			}
		}
	}
	return above, equal, before
}

// rowScan finds the first ranks of a row in one pass.
type rowScan struct {
	size      int         // of top when full
	top       []candidate // the first ranks so far; when full a heap with the last of them first
	threshold float32     // score of the last of a full top; minus infinity before
	dropped   int         // items outside top with score threshold
}

// run takes the items at positions [from, to), which follow those taken before.
func (s *rowScan) run(row []float32, from, to int) {
	threshold := s.threshold
	for i, score := range row[from:to] {
		if score >= threshold {
			s.take(candidate{score, int32(from + i)})
			threshold = s.threshold
		}
	}
}

func (s *rowScan) take(c candidate) {
	switch {
	case len(s.top) < s.size:
		s.top = append(s.top, c)
		if len(s.top) == s.size {
			for i := len(s.top)/2 - 1; i >= 0; i-- {
				s.sink(i)
			}
			s.threshold = s.top[0].score
		}
	case c.score > s.threshold:
		s.top[0] = c
		s.sink(0)
		if s.top[0].score > s.threshold {
			s.dropped = 0
			s.threshold = s.top[0].score
		} else {
			s.dropped++ // the one that was replaced
		}
	case c.score == s.threshold: // positions ascend, so it ranks behind all of top
		s.dropped++
	}
}

// sink restores the heap below i: a parent ranks behind its children.
func (s *rowScan) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(s.top) {
			return
		}
		if child+1 < len(s.top) && s.top[child].compare(s.top[child+1]) < 0 {
			child++
		}
		if s.top[i].compare(s.top[child]) >= 0 {
			return
		}
		s.top[i], s.top[child] = s.top[child], s.top[i]
		i = child
	}
}

// rankOf returns the rank of best, a position other than self, among the scores
// in row: items before it rank higher with its score, too. Its loops have no
// branch to mispredict.
func rankOf(row []float32, self int, best candidate) int {
	rank, at := 1, int(best.at)
	for _, score := range row[:at] {
		if score >= best.score {
			rank++
		}
	}
	for _, score := range row[at+1:] {
		if score > best.score {
			rank++
		}
	}
	if self >= 0 && (row[self] > best.score || row[self] == best.score && self < at) {
		rank--
	}
	return rank
}
