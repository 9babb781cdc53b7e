package retrieval

import (
	"fmt"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// goldenRetrieval ranks the scores that a case states, in all three orders of
// ties; where the case has vectors it searches them too, which must give the
// same.
func goldenRetrieval(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var settings struct {
		Ks []int `json:"ks"`
	}
	if err := modelstest.StrictJSON(c.Config, &settings); err != nil {
		t.Fatalf("config: %v", err)
	}
	classes := modelstest.GoldenInput[[]int32](t, c, "query_labels")
	gallery := modelstest.GoldenInput[[]int32](t, c, "gallery_labels")
	self := modelstest.GoldenInput[[]int](t, c, "self_index")
	if self == nil {
		for range classes {
			self = append(self, -1)
		}
	}
	scores := modelstest.Flat(t, modelstest.Decode(t, c.Outputs["scores"]))
	n := len(gallery)
	s := Search{
		QueryClasses: classes, GalleryClasses: gallery, SelfExcluded: true,
		Recalls: settings.Ks, Nearest: n,
	}
	for i := range gallery {
		s.GalleryIDs = append(s.GalleryIDs, int64(i))
	}
	for q, i := range self {
		id := int64(i)
		if i < 0 {
			id = int64(n + q) // not in the gallery
		}
		s.QueryIDs = append(s.QueryIDs, id)
	}

	r := ranker{sortedGallery: newSortedGallery(s.GalleryIDs, gallery), nearest: n}
	results, valid := make([]QueryResult, len(classes)), make([]bool, len(classes))
	var rankings []float64
	for q := range classes {
		row := make([]float32, n)
		for i := range row {
			row[i] = float32(scores[q*n+i])
		}
		results[q], valid[q] = r.rank(row, self[q], classes[q])
		results[q].ID = s.QueryIDs[q]
		if !valid[q] { // it has a ranking all the same: rank it as if anything were a positive
			all := ranker{sortedGallery: newSortedGallery(s.GalleryIDs, make([]int32, n)), nearest: n}
			ranked, _ := all.rank(row, self[q], 0)
			results[q].NearestIDs = ranked.NearestIDs
		}
		for _, id := range results[q].NearestIDs {
			rankings = append(rankings, float64(id))
		}
	}
	summary, err := summarise(results, valid, settings.Ks)
	if err != nil {
		t.Fatal(err)
	}
	got := retrievalNumbers(results, valid, summary, settings.Ks)
	got["scores"] = scores
	got["ranking_index"] = rankings
	for q, class := range classes {
		relevant := 0
		for i, g := range gallery {
			if g == class && i != self[q] {
				relevant++
			}
		}
		got["relevant"] = append(got["relevant"], float64(relevant))
	}
	if _, ok := c.Inputs["query"]; ok {
		searchGolden(t, c, s, scores, summary)
	}
	return got
}

// searchGolden searches the case's vectors on the device. The scores of some
// cases are cosines of vectors that are stated as they were before.
func searchGolden(t *testing.T, c modelstest.GoldenCase, s Search, scores []float64, want *Result) {
	t.Helper()
	queries, gallery := modelstest.GoldenInput[[][]float64](t, c, "query"), modelstest.GoldenInput[[][]float64](t, c, "gallery")
	s.Width = len(queries[0])
	for _, unit := range []bool{false, true} {
		q, g := prepared(queries, unit), prepared(gallery, unit)
		products := make([]float64, 0, len(scores))
		for _, a := range q {
			for _, b := range g {
				products = append(products, product64(a, b))
			}
		}
		if _, off := modelstest.Farthest(products, scores); off > modelstest.GoldenTolerance {
			continue
		}
		s.Queries, s.Gallery = single(q), single(g)
	}
	if s.Queries == nil {
		t.Fatal("the scores are neither products nor cosines of the vectors")
	}
	got, err := Retrieve(t.Context(), modelstest.Backend(t), s)
	if err != nil {
		t.Fatal(err)
	}
	if got.Excluded != want.Excluded || len(got.Queries) != len(want.Queries) {
		t.Fatalf("search: %d queries and %d excluded; want %d and %d", len(got.Queries), got.Excluded, len(want.Queries), want.Excluded)
	}
	for i, q := range got.Queries {
		w := want.Queries[i]
		q.NearestScores, w.NearestScores = nil, nil // float32 against float64
		if !equalResults(q, w) {
			t.Errorf("search: query %d:\ngot  %+v\nwant %+v", q.ID, q, w)
		}
	}
}

// prepared returns rows as they are or with unit length.
func prepared(rows [][]float64, unit bool) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		length := 1.0
		if unit {
			length = math.Sqrt(product64(row, row))
		}
		for _, v := range row {
			out[i] = append(out[i], v/length)
		}
	}
	return out
}

func product64(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// single returns rows as float32, one after the other.
func single(rows [][]float64) []float32 {
	var out []float32
	for _, row := range rows {
		for _, v := range row {
			out = append(out, float32(v))
		}
	}
	return out
}

// retrievalNumbers names results as the golden vectors do.
func retrievalNumbers(results []QueryResult, valid []bool, r *Result, ks []int) map[string][]float64 {
	got := map[string][]float64{}
	share := float64(len(r.Queries)) / float64(len(results)) // "all" counts queries without a positive as misses
	for order, name := range []string{"index", "pessimistic", "optimistic"} {
		metric := func(key string) float64 {
			if order == 0 {
				return r.Metrics[key]
			}
			return r.Bounds[key][order-1]
		}
		for _, k := range ks {
			v := metric(fmt.Sprintf("R@%d", k))
			got[fmt.Sprintf("%s.recall.%d.valid", name, k)] = []float64{v}
			got[fmt.Sprintf("%s.recall.%d.all", name, k)] = []float64{v * share}
		}
		for ours, theirs := range map[string]string{"MAP@R": "map_at_r", "R-precision": "r_precision"} {
			got[name+".mean_"+theirs+"_valid"] = []float64{metric(ours)}
			got[name+".mean_"+theirs+"_all"] = []float64{metric(ours) * share}
		}
		for i, q := range results {
			rank := []int32{q.Rank, q.RankPessimistic, q.RankOptimistic}[order]
			ap := []float64{q.AP, q.APPessimistic, q.APOptimistic}[order]
			precision := []float64{q.RPrecision, q.RPrecisionPessimistic, q.RPrecisionOptimistic}[order]
			if !valid[i] {
				ap, precision = math.NaN(), math.NaN()
			}
			got[name+".first_rank"] = append(got[name+".first_rank"], float64(rank))
			got[name+".map_at_r"] = append(got[name+".map_at_r"], ap)
			got[name+".r_precision"] = append(got[name+".r_precision"], precision)
		}
	}
	return got
}

// goldenCorrelation computes the correlations of learners' embeddings, as they
// are and normalised, and of their scores.
func goldenCorrelation(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var settings struct {
		Sizes []int `json:"sizes"`
	}
	if err := modelstest.StrictJSON(c.Config, &settings); err != nil {
		t.Fatalf("config: %v", err)
	}
	var inputs []*tensors.Tensor
	for _, e := range modelstest.GoldenInput[[][][]float64](t, c, "embeddings") {
		inputs = append(inputs, modelstest.Matrix(e))
	}
	b := modelstest.Backend(t)
	results := modelstest.Evaluate(t, b, inputs, func(in []*Node) []*Node {
		unit := make([]*Node, len(in))
		for i, f := range in {
			unit[i] = losses.Normalise(f)
		}
		return []*Node{Concatenate(in, 1), Concatenate(unit, 1)}
	})
	width := 0
	for _, d := range settings.Sizes {
		width += d
	}
	raw, err := correlation(t.Context(), b, results[0], width, settings.Sizes)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := correlation(t.Context(), b, results[1], width, settings.Sizes) // scores are cosines
	if err != nil {
		t.Fatal(err)
	}
	sum, pairs := 0.0, 0
	for i, row := range unit.ScoreMatrix {
		for _, v := range row[i+1:] {
			sum += *v
			pairs++
		}
	}
	return map[string][]float64{
		"cross_group_abs_corr":    {*raw.Learners},
		"cross_group_abs_corr_l2": {*unit.Learners},
		"learner_score_corr":      {sum / float64(pairs)},
	}
}

func TestGoldenRetrieval(t *testing.T) {
	modelstest.CheckGolden(t, "retrieval",
		modelstest.GoldenReader{Prefix: "retrieval_", Read: goldenRetrieval},
		modelstest.GoldenReader{Prefix: "correlation_", Read: goldenCorrelation},
	)
}
