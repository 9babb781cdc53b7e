package retrieval

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// byTies is how the reference orders items of equal score.
type byTies int

const (
	tiesByID byTies = iota
	tiesAgainst
	tiesFor
)

// reference evaluates one query by sorting the whole gallery, straight from
// the definitions of R@K, MAP@R and R-precision.
func reference(row []float32, classes []int32, self int, class int32, ties byTies) (rank int32, ap, precision float64, order []int) {
	relevant := 0
	for i := range row {
		if i == self {
			continue
		}
		order = append(order, i)
		if classes[i] == class {
			relevant++
		}
	}
	positive := func(i int) int {
		if classes[i] == class {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(i, j int) int {
		tie := 0
		switch ties {
		case tiesByID:
		case tiesAgainst:
			tie = cmp.Compare(positive(i), positive(j))
		case tiesFor:
			tie = cmp.Compare(positive(j), positive(i))
		}
		return cmp.Or(cmp.Compare(row[j], row[i]), tie, cmp.Compare(i, j))
	})
	hits := 0
	for k, i := range order {
		if positive(i) == 0 {
			continue
		}
		hits++
		if rank == 0 {
			rank = int32(k + 1)
		}
		if k < relevant {
			ap += float64(hits) / float64(k+1)
			precision++
		}
	}
	return rank, ap / float64(relevant), precision / float64(relevant), order
}

// checkRank compares a ranker with the reference on one row.
func checkRank(t *testing.T, row []float32, classes []int32, self int, class int32, nearest int) {
	t.Helper()
	ids := make([]int64, len(row))
	for i := range ids {
		ids[i] = int64(10 * i)
	}
	r := ranker{sortedGallery: newSortedGallery(ids, classes), nearest: nearest}
	got, ok := r.rank(row, self, class)
	want := QueryResult{Class: class}
	var order []int
	want.Rank, want.AP, want.RPrecision, order = reference(row, classes, self, class, tiesByID)
	want.RankPessimistic, want.APPessimistic, want.RPrecisionPessimistic, _ = reference(row, classes, self, class, tiesAgainst)
	want.RankOptimistic, want.APOptimistic, want.RPrecisionOptimistic, _ = reference(row, classes, self, class, tiesFor)
	if ok != (want.Rank > 0) {
		t.Fatalf("row %v classes %v self %d class %d: positive found: %t, want rank %d", row, classes, self, class, ok, want.Rank)
	}
	if !ok {
		return
	}
	for _, i := range order[:min(nearest, len(order))] {
		want.NearestIDs = append(want.NearestIDs, ids[i])
		want.NearestScores = append(want.NearestScores, row[i])
	}
	if !equalResults(got, want) {
		t.Fatalf("row %v classes %v self %d class %d nearest %d:\ngot  %+v\nwant %+v", row, classes, self, class, nearest, got, want)
	}
	if best, _ := r.bestPositive(row, self, class); rankOf(row, self, best) != int(want.Rank) {
		t.Fatalf("row %v classes %v self %d class %d: rank of the best positive %d, want %d", row, classes, self, class, rankOf(row, self, best), want.Rank)
	}
}

// equalResults compares exactly: both sides add the same numbers in one order.
func equalResults(a, b QueryResult) bool {
	lists := slices.Equal(a.NearestIDs, b.NearestIDs) && slices.Equal(a.NearestScores, b.NearestScores)
	a.NearestIDs, b.NearestIDs, a.NearestScores, b.NearestScores = nil, nil, nil, nil
	ap := func(x, y float64) bool { return x-y < 1e-12 && y-x < 1e-12 }
	same := ap(a.AP, b.AP) && ap(a.APPessimistic, b.APPessimistic) && ap(a.APOptimistic, b.APOptimistic) &&
		ap(a.RPrecision, b.RPrecision) && ap(a.RPrecisionPessimistic, b.RPrecisionPessimistic) && ap(a.RPrecisionOptimistic, b.RPrecisionOptimistic)
	return lists && same && a.ID == b.ID && a.Class == b.Class &&
		a.Rank == b.Rank && a.RankPessimistic == b.RankPessimistic && a.RankOptimistic == b.RankOptimistic
}

// Random rows, from no ties to nothing but ties, small and larger galleries,
// few and many classes, self in and out, against the sorted reference.
func TestRankAgainstReference(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 20000 {
		n := 1 + random.IntN(40)
		levels, kinds := 1+random.IntN(12), 1+random.IntN(8)
		row, classes := make([]float32, n), make([]int32, n)
		for i := range row {
			row[i] = float32(random.IntN(levels) - levels/2)
			classes[i] = int32(random.IntN(kinds))
		}
		self := random.IntN(n+1) - 1
		class := int32(random.IntN(kinds + 1))
		if self >= 0 {
			class = classes[self]
		}
		checkRank(t, row, classes, self, class, random.IntN(8))
	}
}

// Every score equal: the bounds are the best and the worst possible ranks, and
// memory stays within the row's size.
func TestRankAllTied(t *testing.T) {
	const n = 10000
	row, classes := make([]float32, n), make([]int32, n)
	for i := range classes {
		classes[i] = int32(i / 10)
	}
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i)
	}
	r := ranker{sortedGallery: newSortedGallery(ids, classes), nearest: 5}
	q, ok := r.rank(row, 5005, 500)
	if !ok {
		t.Fatal("no positive")
	}
	// Self is one of ten images 5000 ... 5009; 5000 others come first by id, 9,990 are negatives.
	if q.Rank != 5001 || q.RankOptimistic != 1 || q.RankPessimistic != 9991 {
		t.Errorf("ranks %d [%d, %d]; want 5001 [9991, 1]", q.Rank, q.RankPessimistic, q.RankOptimistic)
	}
	if q.AP != 0 || q.APOptimistic != 1 || q.APPessimistic != 0 {
		t.Errorf("AP %g [%g, %g]; want 0 [0, 1]", q.AP, q.APPessimistic, q.APOptimistic)
	}
	if cap(r.top) > 16 {
		t.Errorf("%d candidates kept for 9 positives", cap(r.top))
	}
}

// FuzzRank lets the fuzzer choose scores, classes and self.
func FuzzRank(f *testing.F) {
	f.Add([]byte{1, 2, 3, 3, 2, 1}, 2, 1, 3)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0}, -1, 0, 5)
	f.Fuzz(func(t *testing.T, data []byte, self, class, nearest int) {
		if len(data) == 0 || len(data) > 200 || nearest < 0 || nearest > 300 {
			return
		}
		row, classes := make([]float32, len(data)), make([]int32, len(data))
		for i, v := range data {
			row[i], classes[i] = float32(v>>4), int32(v&7)
		}
		self = max(-1, min(self, len(data)-1))
		class &= 7
		if self >= 0 {
			class = int(classes[self])
		}
		checkRank(t, row, classes, self, int32(class), nearest)
	})
}

// BenchmarkRank is one row of the Stanford Online Products test set: 60,502
// gallery images, five of each class.
func BenchmarkRank(b *testing.B) {
	const n = 60502
	random := rand.New(rand.NewPCG(1, 1))
	row, classes, ids := make([]float32, n), make([]int32, n), make([]int64, n)
	for i := range row {
		row[i], classes[i], ids[i] = random.Float32(), int32(i/5), int64(i)
	}
	r := ranker{sortedGallery: newSortedGallery(ids, classes), nearest: 5}
	b.SetBytes(4 * n)
	for i := range b.N {
		q := i % n
		r.rank(row, q, classes[q])
	}
}
