package retrieval

// bierDialect is the evaluation of BIER's published code.
func bierDialect() Dialect {
	return Dialect{
		Name:   "bier",
		Source: "evaluate() of train_bier.py of the authors' repository",
		Vectors: `the slice of each learner gets unit length (floor 1e-5) and is multiplied by the learner's share s of the
size, so that its product weighs s squared`,
		Self: "its score is pushed below all others (unless all scores are 0)",
		Ties: "the lowest index, here the lowest gallery id",
		Alone: `a miss; the code has no rule for a gallery: In-Shop and VehicleID with one gallery image get no
number`,
		Divisor: "all queries",
		Differs: `where queries have no positive, and for ensembles that are not scaled by size (scale: none or boost).
R@1 only`,
		prepare: func(values []float32, width int, sizes []int) {
			for lo := 0; lo < len(values); lo += width {
				from := lo
				for _, size := range sizes {
					scaleToLength(values[from:from+size], float64(size)/float64(width), bierNormFloor)
					from += size
				}
			}
		},
		judge: func(r *ranker, row []float32, self int, class int32) (QueryResult, judgement) {
			q, ok := r.rank(row, self, class)
			if !ok {
				return QueryResult{Rank: noRank, RankPessimistic: noRank, RankOptimistic: noRank}, queryCounted
			}
			return q, queryCounted
		},
	}
}

// bierNormFloor is the length below which that program divides a vector by this floor instead of
// its own length.
const bierNormFloor = 1e-5
