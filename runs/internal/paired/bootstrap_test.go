package paired

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestPAndIntervalAgree holds p < 0.05 and an interval without 0 to be one.
func TestPAndIntervalAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := scenes()[0]
	for range 300 {
		s.mean[1] = random.Float64() * 0.4
		s.seeds = 1 + random.IntN(4)
		s.classes = 2 + random.IntN(20)
		r, err := s.draw(random).Estimate().Test(t.Context(), 500, rand.NewPCG(random.Uint64(), 1))
		if err != nil {
			t.Fatal(err)
		}
		if (r.P < Alpha) != (r.Low > 0 || r.High < 0) {
			t.Errorf("p %g, interval [%g, %g]", r.P, r.Low, r.High)
		}
		if r.P < 1/501.0 || r.P > 1 {
			t.Errorf("p = %g out of [1/501, 1]", r.P)
		}
	}
}

// TestFewFlips: two runs that differ in one query of thousands get a short interval around 0,
// although most resamples do not have that query.
func TestFewFlips(t *testing.T) {
	s := Sample{Count: slices.Repeat([]float64{50}, 100), A: [][]float64{make([]float64, 100)}, B: [][]float64{make([]float64, 100)}}
	s.B[0][3] = 1
	r, err := s.Estimate().Test(t.Context(), 10_000, rand.NewPCG(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if r.Low > 0 || r.High > 5.0/5000 || r.P < 0.05 {
		t.Errorf("[%g, %g], p %g; want at most five queries around 1/5000", r.Low, r.High, r.P)
	}
}

// TestLargeTable times the resamples of a large data set and of many rows.
func TestLargeTable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		name          string
		classes, rows int
	}{
		{"100 rows of CUB's 100 classes", 100, 100},
		{"one row of SOP's 11,316 classes", 11_316, 1},
	} {
		s := scenes()[0]
		s.classes, s.queries = tt.classes, [2]int{4, 8}
		e := s.draw(random).Estimate()
		start := time.Now()
		for i := range tt.rows {
			if _, err := e.Test(t.Context(), 10_000, Stream(1, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(start)
		t.Logf("%s: %v on one core", tt.name, took)
		if took > time.Minute { // about a second on an idle core
			t.Errorf("%s took %v", tt.name, took)
		}
	}
}
