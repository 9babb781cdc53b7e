package retrieval

// bierbenchDialect is the rule of this package, as Retrieve applies it.
func bierbenchDialect() Dialect {
	return Dialect{
		Name:    "bierbench",
		Source:  "this program: what run and evaluate record",
		Vectors: "the stored ones, slices scaled as at test time; products are scores",
		Self:    "left out by id",
		Ties:    "by gallery id; the bounds count them against and for the query",
		Alone:   "left out and counted apart",
		Divisor: "the queries with a positive; MAP@R: the number R of positives of each",
		Differs: "nowhere: the others are compared with it",
		Recalls: true, AtR: true, galleries: true, groups: true,
		judge: judgeRanking,
	}
}

// judgeRanking is the rule of this package for one query.
func judgeRanking(r *ranker, row []float32, self int, class int32) (QueryResult, judgement) {
	q, ok := r.rank(row, self, class)
	if !ok {
		return q, queryLeftOut
	}
	return q, queryCounted
}
