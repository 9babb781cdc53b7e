package retrieval

import "math"

// proxyAnchorDialect is the evaluation of Proxy-Anchor's published code, which
// many later papers start from.
func proxyAnchorDialect() Dialect {
	return Dialect{
		Name: "proxy-anchor",
		Source: `code/utils.py of the authors' repository: evaluate_cos (CUB, Cars), evaluate_cos_SOP, and evaluate_cos_Inshop
where queries are searched in a gallery`,
		Vectors: "unit length as a whole",
		Self: `by rank: the first of the whole ranking is dropped, whatever it is. A query that is not the first, such as
the duplicate of an image, stays in its own results and is a hit there. In-Shop: queries are not in the gallery`,
		Ties: `as topk returns them, which promises no order; here by gallery id, and the bounds say how far the order could
move the number. In-Shop: as ms-loss`,
		Alone:   "a miss, but a hit where the query stays in its own results. In-Shop: the code stops with an error",
		Divisor: "all queries",
		Differs: `where vectors are equal or nearly so, and where queries have no positive; the number of a network that
collapsed is luck. MAP@R is not printed`,
		Recalls: true, galleries: true,
		prepare: unitLength(1e-6), // it adds 1e-12 to the square of the length: the same but for vectors about as short
		judge: func(r *ranker, row []float32, self int, class int32) (QueryResult, judgement) {
			if self < 0 {
				return judgeStrictlyAbove(r, row, class)
			}
			return judgeFirstDropped(r, row, class)
		},
	}
}

// judgeFirstDropped is the rule of evaluate_cos: the first of the ranking is
// dropped, and the first image of the class among the others is the hit, be it
// the query itself.
func judgeFirstDropped(r *ranker, row []float32, class int32) (QueryResult, judgement) {
	first := candidate{float32(math.Inf(-1)), -1}
	for i, score := range row {
		if first.at < 0 || score > first.score {
			first = candidate{score, int32(i)}
		}
	}
	// rest is the best of the class without the first of the ranking, second the best without the
	// first of the class: the worst order of ties drops one of the class if it can.
	rest, _ := r.bestPositive(row, int(first.at), class)
	top, _ := r.bestPositive(row, -1, class)
	second, _ := r.bestPositive(row, int(top.at), class)

	q := QueryResult{Rank: noRank, RankPessimistic: noRank, RankOptimistic: noRank}
	if rest.at >= 0 {
		above, _, before := countRow(row, -1, rest)
		q.Rank = int32(above + before)
	}
	if top.at < 0 { // not even the query itself
		return q, queryCounted
	}
	if top.score < first.score { // one of another class is dropped in any order
		above, atLeast := r.countNegatives(row, class, top.score)
		q.RankPessimistic, q.RankOptimistic = int32(atLeast), int32(above)
		return q, queryCounted
	}
	if second.at >= 0 {
		above, atLeast := r.countNegatives(row, class, second.score)
		q.RankPessimistic, q.RankOptimistic = int32(atLeast+1), int32(above+1)
	}
	if _, atLeast := r.countNegatives(row, class, first.score); atLeast > 0 { // or one of another class that is tied with it is dropped
		q.RankOptimistic = 1
	}
	return q, queryCounted
}

// judgeStrictlyAbove counts the negatives with a higher score than the best
// positive: ties count for the query.
func judgeStrictlyAbove(r *ranker, row []float32, class int32) (QueryResult, judgement) {
	best, relevant := r.bestPositive(row, -1, class)
	if relevant == 0 {
		return QueryResult{}, programStops
	}
	return r.resultAbove(row, class, best.score), queryCounted
}

// resultAbove is the result of a query whose rank is one more than the negatives
// that have a higher score than threshold.
func (r *ranker) resultAbove(row []float32, class int32, threshold float32) QueryResult {
	above, atLeast := r.countNegatives(row, class, threshold)
	return QueryResult{Rank: int32(1 + above), RankOptimistic: int32(1 + above), RankPessimistic: int32(1 + atLeast)}
}
