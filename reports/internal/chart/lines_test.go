package chart

import (
	"fmt"
	"slices"
	"testing"
)

// Parts lose no line, repeat only the base's, and have the axes of the whole.
func TestParts(t *testing.T) {
	crowd := func(n int) Lines {
		c := Lines{}
		for i := range n {
			c.Series = append(c.Series, Series{
				Name: fmt.Sprintf("line %d", i), Style: i, Methods: []string{fmt.Sprintf("method-%d", i)},
				X: []float64{1, 2}, Y: []float64{float64(i), float64(2 * i)},
			})
		}
		return c
	}
	tests := []struct {
		reason string
		lines  int
		base   string
		want   []int // lines of each part, the base's among them
	}{
		{"few lines stay together", 12, "method-0", []int{12}},
		{"one too many: twelve others in two halves", 13, "method-0", []int{7, 7}},
		{"a base in the middle of the table; 52 others, 6 or 7 a part", 53, "method-20", []int{7, 8, 7, 8, 7, 8, 7, 8}},
		{"no base among the lines", 15, "other", []int{5, 5, 5}},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			whole := crowd(test.lines)
			wantX, wantY, _ := whole.axes()
			var got []int
			count := map[string]int{}
			parts := whole.Split(test.base)
			for _, p := range parts {
				got = append(got, len(p.Series))
				for _, s := range p.Series {
					count[s.Name]++
				}
				if x, y, ok := p.axes(); !ok || x.high != wantX.high || y.high != wantY.high {
					t.Errorf("axes to %g and %g, want those of the whole, %g and %g", x.high, y.high, wantX.high, wantY.high)
				}
				if _, ok := p.draw(); !ok {
					t.Error("a part is not drawn")
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("parts of %v lines, want %v", got, test.want)
			}
			for _, s := range whole.Series {
				want := 1
				if s.Methods[0] == test.base {
					want = len(parts)
				}
				if count[s.Name] != want {
					t.Errorf("%s is in %d parts, want %d", s.Name, count[s.Name], want)
				}
			}
			if len(whole.Series) != test.lines {
				t.Errorf("the whole has %d lines afterwards, want %d", len(whole.Series), test.lines)
			}
		})
	}
}
