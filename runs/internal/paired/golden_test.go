package paired

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldenVariable names the folder with the vectors of an independent implementation.
const goldenVariable = "BIERBENCH_GOLDEN"

// goldenElsewhere are the kinds of vectors that other packages check.
func goldenElsewhere() []string {
	return []string{"binomial", "adversarial", "activation", "contrastive", "triplet", "retrieval", "correlation", "sizes"}
}

// goldenTolerance is for float64 sums in another order.
const goldenTolerance = 1e-9

// TestGoldenStatistics holds the p-values against those of scipy and statsmodels, which
// testdata/golden.py wrote.
func TestGoldenStatistics(t *testing.T) {
	for name, check := range map[string]func(*testing.T, []byte){"mcnemar.json": goldenMcNemar, "holm.json": goldenHolm} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			check(t, data)
		})
	}
}

func goldenHolm(t *testing.T, data []byte) {
	t.Helper()
	var v struct {
		Outputs struct {
			Families []struct {
				Case         string
				P, Corrected []float64
			}
		}
	}
	decode(t, data, &v)
	if len(v.Outputs.Families) == 0 {
		t.Error("no families")
	}
	for _, f := range v.Outputs.Families {
		got := Holm(f.P)
		if len(got) != len(f.Corrected) {
			t.Errorf("%s: %d values, want %d", f.Case, len(got), len(f.Corrected))
			continue
		}
		for i, want := range f.Corrected {
			if math.IsNaN(got[i]) || math.Abs(got[i]-want) > goldenTolerance*want {
				t.Errorf("%s: p %g corrected is %g, want %g", f.Case, f.P[i], got[i], want)
			}
		}
	}
}

// TestGolden reads every vector of the folder; one of an unknown kind fails.
func TestGolden(t *testing.T) {
	dir := os.Getenv(goldenVariable)
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "golden")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no golden vectors in %s: set %s to a folder that has them", dir, goldenVariable)
	}
	checks := map[string]func(*testing.T, []byte){"paired": goldenPaired, "mcnemar": goldenMcNemar}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		kind, _, _ := strings.Cut(name, "_")
		t.Run(name, func(t *testing.T) {
			check, ok := checks[kind]
			switch {
			case slices.Contains(goldenElsewhere(), kind):
				t.Skip("checked by another package")
			case !ok:
				t.Fatalf("unknown kind %q of golden vector", kind)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			check(t, data)
		})
	}
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func wantNear(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > goldenTolerance {
		t.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}

// goldenPaired checks flips, McNemar's p and the percentile bootstrap, with the resamples that the
// file gives.
func goldenPaired(t *testing.T, data []byte) {
	t.Helper()
	var v struct {
		Case, Note string
		Inputs     struct {
			HitsA    []float64 `json:"hits_a"`
			HitsB    []float64 `json:"hits_b"`
			Resample [][]int   `json:"resample_index"`
		}
		Outputs struct {
			B, C      int
			P         float64
			Bootstrap struct{ Diff, Lo, Hi, P float64 }
		}
	}
	decode(t, data, &v)
	gained, lost := Flips(v.Inputs.HitsA, v.Inputs.HitsB)
	if lost != v.Outputs.B || gained != v.Outputs.C {
		t.Errorf("lost, gained = %d, %d, want %d, %d", lost, gained, v.Outputs.B, v.Outputs.C)
	}
	wantNear(t, "McNemar's p", McNemar(lost, gained), v.Outputs.P)

	// Each query is a class of its own and each side has one seed.
	queries := func(drawn []int) Sample {
		s := Sample{A: [][]float64{nil}, B: [][]float64{nil}}
		for _, i := range drawn {
			s.Count = append(s.Count, 1)
			s.A[0], s.B[0] = append(s.A[0], v.Inputs.HitsA[i]), append(s.B[0], v.Inputs.HitsB[i])
		}
		return s
	}
	all := make([]int, len(v.Inputs.HitsA))
	for i := range all {
		all[i] = i
	}
	wantNear(t, "diff", queries(all).Estimate().Delta, v.Outputs.Bootstrap.Diff)
	var deltas []float64
	for _, drawn := range v.Inputs.Resample {
		deltas = append(deltas, queries(drawn).Estimate().Delta)
	}
	low, high, p := percentile(deltas)
	wantNear(t, "low", low, v.Outputs.Bootstrap.Lo)
	wantNear(t, "high", high, v.Outputs.Bootstrap.Hi)
	wantNear(t, "p", p, v.Outputs.Bootstrap.P)
}

// percentile is the 95% percentile interval of resampled deltas, quantiles of type 7, and its p =
// min(1, 2 min(P(d <= 0), P(d >= 0))).
func percentile(deltas []float64) (low, high, p float64) {
	slices.Sort(deltas)
	var below, above float64
	for _, d := range deltas {
		if d <= goldenTolerance {
			below++
		}
		if d >= -goldenTolerance {
			above++
		}
	}
	return quantile(deltas, 0.025), quantile(deltas, 0.975), min(1, 2*min(below, above)/float64(len(deltas)))
}

func goldenMcNemar(t *testing.T, data []byte) {
	t.Helper()
	var v struct {
		Case    string
		Outputs struct {
			Rows []struct {
				B, C int
				P    float64
			}
		}
	}
	decode(t, data, &v)
	if len(v.Outputs.Rows) == 0 {
		t.Error("no rows")
	}
	for _, r := range v.Outputs.Rows {
		// The logarithm of a factorial is rounded at its own size, n ln n; p below the normal
		// doubles has fewer digits.
		n := float64(r.B + r.C)
		tolerance := max(goldenTolerance, n*math.Log(n+1)*0x1p-52)*r.P + 1e6*math.SmallestNonzeroFloat64
		if got := McNemar(r.B, r.C); math.IsNaN(got) || math.Abs(got-r.P) > tolerance {
			t.Errorf("McNemar(%d, %d) = %g, want %g", r.B, r.C, got, r.P)
		}
	}
}

// quantile of sorted values, with linear interpolation (type 7).
func quantile(values []float64, p float64) float64 {
	at := p * float64(len(values)-1)
	i := min(int(at), len(values)-2)
	return values[i] + (at-float64(i))*(values[i+1]-values[i])
}
