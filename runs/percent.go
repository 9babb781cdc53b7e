package runs

import (
	"math"
	"strconv"
)

// Percent writes a fraction in per cent with two decimals: "74.88", never "-0.00". Halves go away
// from 0, as far as a sum in another order can tell: 599 of 800 is 74.88, whether its mean came out
// a little above or below.
func Percent(fraction float64) string {
	rounded := math.Round(fraction*1e4+math.Copysign(1e-7, fraction)) / 1e2
	if rounded == 0 {
		rounded = 0 // drops the sign of -0
	}
	return strconv.FormatFloat(rounded, 'f', 2, 64)
}
