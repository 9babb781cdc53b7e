package reports

import (
	"slices"
	"testing"
)

func TestCompareMetrics(t *testing.T) {
	got := []string{"R-precision", "zeta", "R@10", "MAP@R", "R@2", "R@1", "NMI"}
	slices.SortFunc(got, compareMetrics)
	want := []string{"R@1", "R@2", "R@10", "MAP@R", "R-precision", "NMI", "zeta"}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestCounted(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{counted(1, "image"), "1 image"},
		{counted(5924, "image"), "5,924 images"},
		{countedQueries(1), "1 query"},
		{countedQueries(5924), "5,924 queries"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
