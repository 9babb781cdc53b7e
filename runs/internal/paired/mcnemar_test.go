package paired

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHolm(t *testing.T) {
	for _, tt := range []struct {
		name    string
		p, want []float64
	}{
		{"no row", nil, []float64{}},
		{"one row stays as it is", []float64{0.03}, []float64{0.03}},
		// By hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 raised to the one before.
		{"four rows", []float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}},
		{"equal values, and none above 1", []float64{0.6, 0.6}, []float64{1, 1}},
	} {
		p := slices.Clone(tt.p)
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
		if d := cmp.Diff(tt.want, Holm(p), near); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if !slices.Equal(p, tt.p) {
			t.Errorf("%s: the argument changed", tt.name)
		}
	}
}

func TestMcNemar(t *testing.T) {
	for _, tt := range []struct {
		b, c int
		want float64 // the binomial sum, by hand
	}{
		{0, 0, 1}, {1, 0, 1}, {7, 7, 1}, {0, 5, 2.0 / 32}, {1, 5, 2 * 7.0 / 64}, {5, 1, 2 * 7.0 / 64}, {0, 4000, 0},
	} {
		if got := McNemar(tt.b, tt.c); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("McNemar(%d, %d) = %g, want %g", tt.b, tt.c, got, tt.want)
		}
	}
}
