package datasets

import (
	"bytes"
	"image/png"
	"slices"
	"testing"
)

// Bins are of equal width and hold every value; the numbers are by hand.
func TestHistogram(t *testing.T) {
	for _, c := range []struct {
		why       string
		values    []int
		low, step int
		counts    []int
	}{
		{"one value", []int{7, 7}, 7, 1, []int{2}},
		{"a bin a value", []int{3, 1, 3}, 1, 1, []int{1, 0, 2}},
		{"24 values", []int{0, 23}, 0, 1, append(append([]int{1}, make([]int, 22)...), 1)},
		{"25 values need bins of two", []int{0, 1, 24}, 0, 2, append(append([]int{2}, make([]int, 11)...), 1)},
	} {
		h := newHistogram(Train, "things", c.values)
		if h.Low != c.low || h.Step != c.step || !slices.Equal(h.Counts, c.counts) {
			t.Errorf("%s: %+v", c.why, h)
		}
	}
	in := Inspection{Set: "cub", Histograms: []Histogram{newHistogram(Train, "things", []int{1, 2, 900}), newHistogram(Test, "things", []int{5})}}
	var b bytes.Buffer
	if err := in.DrawHistograms(&b); err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(&b); err != nil || m.Bounds().Dx() < 3*chartWidth {
		t.Errorf("drawn as %v, %v", m.Bounds(), err)
	}
}
