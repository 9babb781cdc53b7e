package reports

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"bierbench/runs"
)

// The two metrics that lead every table.
const (
	recallAt1 = "R@1"
	mapAtR    = "MAP@R"
)

// absent is the text of a value that is not there.
const absent = "–"

// none is the entry of a value that is not there.
func none() Entry { return Entry{Text: absent} }

// words is an entry of text.
func words(s string) Entry {
	if s == "" {
		return none()
	}
	return Entry{Value: s, Text: s}
}

// count is an entry of a whole number.
func count(n int) Entry { return Entry{Value: n, Text: thousands(n)} }

// percent shows a fraction as percent.
func percent(f float64) Entry { return Entry{Value: f, Text: hundredths(f)} }

// percentOver shows the mean of a fraction over seeds with half its 95%
// interval; one seed has no interval.
func percentOver(s runs.Summary) Entry {
	e := percent(s.Mean)
	if len(s.Seeds) > 1 {
		e.Spread = hundredths((s.High - s.Low) / 2)
	}
	return e
}

// points shows a difference of fractions in percentage points, with its sign.
func points(f float64) Entry { return Entry{Value: f, Text: signed(f)} }

// interval shows a 95% interval of a difference in percentage points.
func interval(low, high float64) Entry {
	text := "[" + signed(low) + ", " + signed(high) + "]"
	return Entry{Value: text, Text: text}
}

// seconds shows a duration.
func seconds(s float64) Entry { return Entry{Value: s, Text: significant(s)} }

// correlation shows a mean absolute correlation.
func correlation(c float64) Entry {
	return Entry{Value: c, Text: strconv.FormatFloat(c, 'f', 3, 64)}
}

// probability shows a p value; ones below a ten-thousandth as a bound.
func probability(p float64) Entry {
	text := strconv.FormatFloat(p, 'f', 4, 64)
	if p < 0.0001 {
		text = "<1e-4"
	}
	return Entry{Value: p, Text: text}
}

// hundredths writes a fraction in percent with two decimals, never "-0.00".
func hundredths(f float64) string {
	f = math.Round(f*1e4) / 1e2
	if f == 0 {
		f = 0 // drops the sign of -0
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// signed writes a difference of fractions in percentage points: "+1.20".
func signed(f float64) string {
	s := hundredths(f)
	if strings.HasPrefix(s, "-") {
		return "−" + s[1:]
	}
	return "+" + s
}

// significant writes a number of at least 0 with about three digits.
func significant(f float64) string {
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
	return thousands(int(math.Round(f)))
}

// thousands writes a whole number with a comma every three digits.
func thousands(n int) string {
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

// recall returns K of "R@K".
func recall(metric string) (k int, ok bool) {
	digits, found := strings.CutPrefix(metric, "R@")
	if !found {
		return 0, false
	}
	k, err := strconv.Atoi(digits)
	return k, err == nil
}

// compareMetrics orders R@K by K, then MAP@R, R-precision and the rest by name.
func compareMetrics(a, b string) int {
	place := func(m string) int {
		if k, ok := recall(m); ok {
			return k
		}
		switch m {
		case mapAtR:
			return math.MaxInt - 2
		case "R-precision":
			return math.MaxInt - 1
		}
		return math.MaxInt
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
}

// short returns the first 12 characters of a digest.
func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// when writes a time for people, in UTC.
func when(t time.Time) string {
	if t.IsZero() {
		return "unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// counted writes "1 seed" or "5 seeds".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", thousands(n), noun)
}

// protocolNotes says in words what a protocol id's suffixes mean for whoever
// compares its numbers with others.
func protocolNotes(protocol string) []string {
	_, suffixes, found := strings.Cut(protocol, "+")
	if !found {
		return nil
	}
	var notes []string
	for suffix := range strings.SplitSeq(suffixes, "+") {
		switch suffix {
		case "box":
			notes = append(notes, "+box: images were cropped to their bounding boxes; compare with published numbers on crops only.")
		case "subset":
			notes = append(notes, "+subset: images were missing; not comparable with published numbers.")
		default:
			notes = append(notes, "+"+suffix+": custom lists; not comparable with published numbers.")
		}
	}
	return notes
}

// queries writes "1 query" or "5,924 queries".
func queries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return thousands(n) + " queries"
}
