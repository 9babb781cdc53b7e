package pipeline

import (
	"fmt"
	"math"
	"testing"
)

func TestThreeDigits(t *testing.T) {
	for _, tt := range []struct {
		x    float64
		want string
	}{
		{30.885684540010796, "30.9"},
		{0.000123456, "0.000123"},
		{128236.7, "128000"}, // not 1.28e+05
		{0, "0"},
		{-1.999, "-2"},
		{math.Inf(1), "+Inf"},
		{math.NaN(), "NaN"},
		{math.MaxFloat64, fmt.Sprint(math.MaxFloat64)}, // whose three digits are beyond the range
	} {
		if got := fmt.Sprint(threeDigits(tt.x)); got != tt.want {
			t.Errorf("%g: %s, want %s", tt.x, got, tt.want)
		}
	}
}
