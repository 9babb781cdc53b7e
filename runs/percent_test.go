package runs

import (
	"math"
	"testing"
)

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		name     string
		fraction float64
		want     string
	}{
		{"none", 0, "0.00"},
		{"a loss that rounds to none", -1e-6, "0.00"},
		{"599 of 800", 599.0 / 800, "74.88"},
		{"599 of 800, summed in an order that ends below", math.Nextafter(math.Nextafter(599.0/800, 0), 0), "74.88"},
		{"and above", math.Nextafter(599.0/800, 1), "74.88"},
		{"50 of 64", 50.0 / 64, "78.13"},
		{"lost 599 of 800", -599.0 / 800, "-74.88"},
		{"a real difference below the half", 0.748749, "74.87"},
		{"all", 1, "100.00"},
	} {
		if got := Percent(tt.fraction); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
