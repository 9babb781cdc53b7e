package retrieval

import "math"

// multiSimilarityDialect is the evaluation of the multi-similarity loss's
// published code.
func multiSimilarityDialect() Dialect {
	return Dialect{
		Name:    "ms-loss",
		Source:  "RetMetric.recall_k (ret_benchmark/data/evaluations/ret_metric.py of the authors' repository)",
		Vectors: "unit length as a whole",
		Self: `by value: the threshold is the second highest score in the query's class, the query included, so the highest
one is taken for the query itself`,
		Ties: `for the query: a hit at K is fewer than K images of other classes strictly above the threshold. A network that
gives one vector for all images scores 100%`,
		Alone:   "the code stops with an error",
		Divisor: "all queries",
		Differs: "it is the optimistic bound; far from ours where many scores are equal. MAP@R is not printed",
		Recalls: true, galleries: true,
		prepare: unitLength(1e-12),
		judge: func(r *ranker, row []float32, self int, class int32) (QueryResult, judgement) {
			if self < 0 {
				return judgeStrictlyAbove(r, row, class)
			}
			positions := r.positions[class]
			if len(positions) < 2 {
				return QueryResult{}, programStops
			}
			highest, second := float32(math.Inf(-1)), float32(math.Inf(-1))
			for _, p := range positions {
				switch score := row[p]; {
				case score > highest:
					highest, second = score, highest
				case score > second:
					second = score
				}
			}
			return r.resultAbove(row, class, second), queryCounted
		},
	}
}
