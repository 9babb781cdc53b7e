package pipeline

import "strconv"

// threeDigits returns a number with three significant digits, for a line of the log.
func threeDigits(x float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil { // the largest numbers can be rounded to infinity
		return x
	}
	return rounded
}
