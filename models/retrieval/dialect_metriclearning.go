package retrieval

// metricLearningDialect is AccuracyCalculator of pytorch-metric-learning, on vectors as its testers
// prepare them.
func metricLearningDialect() Dialect {
	return Dialect{
		Name: "pytorch-metric-learning",
		Source: `AccuracyCalculator of release 2.9.0 with its defaults (utils/accuracy_calculator.py, utils/inference.py):
precision_at_1, mean_average_precision_at_r and r_precision, k over the whole gallery, means over queries; testers
normalise first`,
		Vectors: "unit length as a whole; the nearest by Euclidean distance, which is the order of products then",
		Self:    "left out by index, where queries are the gallery",
		Ties: `whatever order faiss returns, which promises none; here by gallery id, the order that faiss-cpu 1.15.1
was seen to return`,
		Alone:   "left out",
		Divisor: "the queries with a positive; MAP@R: the number R of positives of each",
		Differs: `where scores differ by no more than the rounding of a distance, about 1e-7, and where vectors differ
in length, which stored ones do not. R@K is not printed for K above 1`,
		AtR: true, galleries: true,
		prepare: unitLength(1e-12),
		judge:   judgeRanking,
	}
}
