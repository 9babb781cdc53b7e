package retrieval

import (
	"math/rand/v2"
	"slices"
	"testing"

	"bierbench/models/internal/modelstest"
)

// TestRetrieveGroupsAndDistance compares a search that leaves out groups, and one by distance, with
// the sorted reference on a gallery from which the group was taken away. Vectors are whole numbers, so
// that scores are exact and tie often.
func TestRetrieveGroupsAndDistance(t *testing.T) {
	b := modelstest.GoBackend(t)
	random := rand.New(rand.NewPCG(5, 2))
	for _, distance := range []bool{false, true} {
		for _, groups := range []int{0, 3, 40} {
			const n = 61
			s := randomSearch(random, n, 3, 9)
			s.Distance = distance
			for range n {
				if groups > 0 {
					s.QueryGroups = append(s.QueryGroups, int32(random.IntN(groups)-1)) // -1 is no group
				}
			}
			s.GalleryGroups = s.QueryGroups
			got, err := Retrieve(t.Context(), b, s)
			if err != nil {
				t.Fatal(err)
			}
			order, err := s.checkedOrder()
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for q, id := range s.QueryIDs {
				var row []float32
				var classes []int32
				var ids []int64
				self := -1
				for _, k := range order {
					if groups > 0 && k != q && s.QueryGroups[q] >= 0 && s.QueryGroups[k] == s.QueryGroups[q] {
						continue
					}
					if k == q {
						self = len(row)
					}
					score := float32(0)
					for d := range s.Width {
						x, y := s.Queries[q*s.Width+d], s.Gallery[k*s.Width+d]
						if distance {
							score -= (x - y) * (x - y)
						} else {
							score += x * y
						}
					}
					row, classes, ids = append(row, score), append(classes, s.GalleryClasses[k]), append(ids, s.GalleryIDs[k])
				}
				want := QueryResult{ID: id, Class: s.QueryClasses[q]}
				var ranking []int
				want.Rank, want.AP, want.RPrecision, ranking = reference(row, classes, self, want.Class, tiesByID)
				want.RankPessimistic, want.APPessimistic, want.RPrecisionPessimistic, _ = reference(row, classes, self, want.Class, tiesAgainst)
				want.RankOptimistic, want.APOptimistic, want.RPrecisionOptimistic, _ = reference(row, classes, self, want.Class, tiesFor)
				if want.Rank == 0 {
					continue
				}
				for _, i := range ranking[:min(5, len(ranking))] {
					want.NearestIDs, want.NearestScores = append(want.NearestIDs, ids[i]), append(want.NearestScores, row[i])
				}
				if at >= len(got.Queries) || !equalResults(got.Queries[at], want) {
					t.Fatalf("distance %t, %d groups, query %d:\ngot  %+v\nwant %+v", distance, groups, id, got.Queries[min(at, len(got.Queries)-1)], want)
				}
				at++
			}
			if at != len(got.Queries) || at+got.Excluded != n {
				t.Errorf("distance %t, %d groups: %d queries and %d excluded; want %d", distance, groups, len(got.Queries), got.Excluded, at)
			}
		}
	}
}

// TestDistanceFarFromOrigin has vectors that differ by some thousandths at a distance of ten thousand
// from the origin: products in float32 could not tell them apart.
func TestDistanceFarFromOrigin(t *testing.T) {
	b := modelstest.GoBackend(t)
	s := Search{Width: 2, Distance: true, SelfExcluded: true, Recalls: []int{1}, Nearest: 3}
	for i, offset := range []float32{0, 1, 3, 7} {
		s.Queries = append(s.Queries, 10000+offset/128, 10000)
		s.QueryIDs, s.QueryClasses = append(s.QueryIDs, int64(i)), append(s.QueryClasses, 0)
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	got, err := Retrieve(t.Context(), b, s)
	if err != nil {
		t.Fatal(err)
	}
	q := got.Queries[1]
	if want := []int64{0, 2, 3}; !slices.Equal(q.NearestIDs, want) {
		t.Errorf("nearest of 1: %v, want %v", q.NearestIDs, want)
	}
	for i, d := range []float32{1, 2, 6} {
		if want := -d * d / 128 / 128; q.NearestScores[i] != want {
			t.Errorf("score %d is %g, want %g", i, q.NearestScores[i], want)
		}
	}
}
