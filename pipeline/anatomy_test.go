package pipeline

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/retrieval"
	"bierbench/runs"
)

// By hand: two draws of a gallery of one image of each class and two learners of
// one dimension, whose scores are products. Query 1 (class 1) is 1 by learner 1
// and -1 by learner 2.
func TestAddLearnersOverDraws(t *testing.T) {
	w := testWorkspace(t, t.TempDir(), nil)
	b, err := w.OpenBackend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	search := func(gallery []float32) retrieval.Search {
		return retrieval.Search{
			Width: 2, Queries: []float32{1, -1}, QueryIDs: []int64{1}, QueryClasses: []int32{1},
			Gallery: gallery, GalleryIDs: []int64{11, 12, 13}, GalleryClasses: []int32{1, 2, 3}, Recalls: []int{1, 2},
		}
	}
	var e runs.Evaluation
	for _, gallery := range [][]float32{
		{3, 0, 2, 1, 1, 2},    // learner 1: 3 2 1, first; learner 2: 0 -1 -2, first; both: 3 1 -1, first
		{1, 3, 2, 1, -1, -16}, // learner 1: 1 2 -1, second; learner 2: -3 -1 16, third; both: -2 1 15, third
	} {
		s := search(gallery)
		found, err := retrieval.Retrieve(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := addLearners(t.Context(), b, s, []int{1, 1}, found.Metrics, 2, &e); err != nil {
			t.Fatal(err)
		}
	}
	want := []runs.Learner{
		{
			Size: 1, R1: 0.5, Cumulative: 0.5,
			Recalls: map[string]float64{"R@1": 0.5, "R@2": 1}, CumulativeRecalls: map[string]float64{"R@1": 0.5, "R@2": 1},
		},
		{
			Size: 1, R1: 0.5, Cumulative: 0.5,
			Recalls: map[string]float64{"R@1": 0.5, "R@2": 0.5}, CumulativeRecalls: map[string]float64{"R@1": 0.5, "R@2": 0.5},
		},
	}
	if diff := cmp.Diff(want, e.Learners); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The record rounds what is for drawing only; what varies nowhere is null.
func TestCorrelationRecord(t *testing.T) {
	v := 0.123456789
	got, err := json.Marshal(correlationRecord(&retrieval.Correlations{
		Dimensions: v, LearnerMatrix: [][]*float64{{&v}}, ScoreMatrix: [][]*float64{{nil}},
		Blocks: []int{2, 1}, BlockMatrix: [][]*float64{{&v, &v}, {&v, nil}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"learners":null,"dimensions":0.123456789,"learner_matrix":[[0.123456789]],"score_matrix":[[null]],` +
		`"dimension_blocks":{"sizes":[2,1],"matrix":[[0.1235,0.1235],[0.1235,null]]}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A trained ensemble: train.jsonl has short shares at every 20th step and the
// last, and the record's last cumulative recalls are the ensemble's.
func TestAnatomyOfCell(t *testing.T) {
	_, r := runMini(t, []string{"cub"}, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [bier, baseline]
  sizes: [48]
  classes: 6
  images: 3
  steps: 23
`, 2)
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		learners := 3
		if c.Method == "baseline" {
			learners = 1
		}
		if n := len(c.Correlation.LearnerMatrix); n != learners || len(c.Correlation.ScoreMatrix) != n || len(c.Correlation.Blocks.Sizes) == 0 {
			t.Errorf("%s: correlation %+v; want %d learners", c.Path(), c.Correlation, learners)
		}
		steps, err := runs.ReadSteps(r.StepsPath(c.Key))
		if err != nil || len(steps) != 23 {
			t.Fatalf("%s: %d steps, %v", c.Path(), len(steps), err)
		}
		for _, s := range steps {
			if want := learners > 1 && (s.Step == 1 || s.Step == 21 || s.Step == 23); (s.WeightBins != nil) != want {
				t.Errorf("%s, step %d: shares %v, want them: %t", c.Path(), s.Step, s.WeightBins, want)
			}
			for m, kinds := range s.WeightBins {
				for kind, shares := range kinds {
					sum := 0.0
					for _, v := range shares {
						sum += v
						if v != round4(v) {
							t.Errorf("%s, step %d, learner %d: share %v has more than four decimals", c.Path(), s.Step, m+1, v)
						}
					}
					if math.Abs(sum-1) > 10*0.5e-4 { // each of ten is rounded
						t.Errorf("%s, step %d, learner %d, kind %d: shares %v sum to %g", c.Path(), s.Step, m+1, kind, shares, sum)
					}
				}
			}
		}
		for _, e := range c.Evaluations {
			if learners == 1 {
				continue
			}
			whole := map[string]float64{}
			for name := range e.Learners[0].Recalls {
				whole[name] = e.Metrics[name]
			}
			if len(whole) != 6 { // R@1, 2, 4, 8, 16, 32
				t.Errorf("%s: recalls %v", c.Path(), whole)
			}
			if diff := cmp.Diff(whole, e.Learners[learners-1].CumulativeRecalls); diff != "" {
				t.Errorf("%s (-metrics +learners):\n%s", c.Path(), diff)
			}
		}
	}
}
