package reports

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"bierbench/reports/internal/table"
)

// The two metrics that lead every table.
const (
	recallAt1 = "R@1"
	mapAtR    = "MAP@R"
)

// recallK returns K of "R@K".
func recallK(metric string) (k int, ok bool) {
	digits, found := strings.CutPrefix(metric, "R@")
	if !found {
		return 0, false
	}
	k, err := strconv.Atoi(digits)
	return k, err == nil
}

// compareMetrics puts R@K in the order of K, then MAP@R, R-precision and the rest by name.
func compareMetrics(a, b string) int {
	place := func(m string) int {
		if k, ok := recallK(m); ok {
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

// shortDigest returns the first 12 characters of a digest.
func shortDigest(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// timeText writes a time for people, in UTC.
func timeText(t time.Time) string {
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
	return fmt.Sprintf("%s %ss", table.Thousands(n), noun)
}

// protocolNotes explains the suffixes of a protocol's id for readers who compare its numbers with
// others.
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
		case "highres":
			notes = append(notes, "+highres: images of high resolution; published numbers are of the small ones.")
		default:
			notes = append(notes, "+"+suffix+": custom lists; not comparable with published numbers.")
		}
	}
	return notes
}

// countedQueries writes "1 query" or "5,924 queries".
func countedQueries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return table.Thousands(n) + " queries"
}
