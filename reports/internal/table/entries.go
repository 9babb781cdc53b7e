package table

import (
	"math"
	"strconv"
	"strings"

	"bierbench/runs"
)

// Dash is the text of a value that is not there.
const Dash = "–"

// Absent is the entry of a value that is not there.
func Absent() Entry { return Entry{Text: Dash} }

// Words is an entry of text; Absent where there is none.
func Words(s string) Entry {
	if s == "" {
		return Absent()
	}
	return Entry{Value: s, Text: s}
}

// Count is an entry of a whole number.
func Count(n int) Entry { return Entry{Value: n, Text: Thousands(n)} }

// Percent shows a fraction as per cent.
func Percent(f float64) Entry { return Entry{Value: f, Text: runs.Percent(f)} }

// MeanPercent shows the mean of a fraction over seeds, in per cent, with half of its 95% interval.
// One seed has no interval.
func MeanPercent(s runs.Summary) Entry {
	e := Percent(s.Mean)
	if len(s.Seeds) > 1 {
		e.Spread = runs.Percent((s.High - s.Low) / 2)
	}
	return e
}

// Points shows a difference of fractions in percentage points, with its sign.
func Points(f float64) Entry { return Entry{Value: f, Text: Signed(f)} }

// Interval shows the 95% interval of a difference in percentage points.
func Interval(low, high float64) Entry {
	text := "[" + Signed(low) + ", " + Signed(high) + "]"
	return Entry{Value: text, Text: text}
}

// Seconds shows a duration.
func Seconds(s float64) Entry { return Entry{Value: s, Text: Significant(s)} }

// Correlation shows a mean absolute correlation, in [0, 1].
func Correlation(c float64) Entry {
	return Entry{Value: c, Text: strconv.FormatFloat(c, 'f', 3, 64)}
}

// Probability shows a p-value. One below a ten-thousandth is shown as a bound.
func Probability(p float64) Entry {
	text := strconv.FormatFloat(p, 'f', 4, 64)
	if p < 0.0001 {
		text = "<1e-4"
	}
	return Entry{Value: p, Text: text}
}

// Signed writes a difference of fractions in percentage points: "+1.20".
func Signed(f float64) string {
	s := runs.Percent(f)
	if strings.HasPrefix(s, "-") {
		return "−" + s[1:]
	}
	return "+" + s
}

// Significant writes a number of at least 0 with about three digits.
func Significant(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return strconv.FormatFloat(f, 'g', -1, 64)
	case f == 0:
		return "0"
	case math.Abs(f) < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case math.Abs(f) < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return Thousands(int(math.Round(f)))
}

// Thousands writes a whole number with a comma every three digits.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
