package runs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A group with a base of its own is compared with that one, at the size that fits best, and all
// rows share one correction. The explicit base holds for all.
func TestCompareBases(t *testing.T) {
	r := fakeRun(t, "r", slices.Concat(
		seeds("baseline", 1, 3, 12, 0.5), seeds("triplet", 1, 3, 12, 1), seeds("triplet-boosted", 1, 3, 12, 1), seeds("lost", 1, 3, 12, 1),
	)...)
	boosted, lost := seeds("triplet-boosted", 1, 1, 1, 1)[0].Group, seeds("lost", 1, 1, 1, 1)[0].Group
	r.Record.Bases = map[string]string{boosted.Path(): "triplet", lost.Path(): "nowhere"}
	rows := func(d *Diff, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range d.Rows {
			got = append(got, fmt.Sprintf("%s %s %s %s", c.A.Method, c.B.Method, c.Verdict, c.Reason))
		}
		return got
	}
	o := CompareOptions{}
	o.Metrics = []string{"R@1"}
	d, err := CompareBases(t.Context(), r, "baseline", o)
	want := []string{
		"baseline triplet better ", "triplet triplet-boosted ~ ",
		"nowhere lost  nowhere has no finished cell with this data set, backbone and mode",
	}
	if diff := cmp.Diff(want, rows(d, err)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if triplet := d.Rows[0]; d.Base != "baseline" || triplet.PHolm != min(1, 2*triplet.P) {
		t.Errorf("base %q, p %g and after Holm %g; want baseline and twice the p, of two rows", d.Base, triplet.P, triplet.PHolm)
	}
	d, err = CompareMethods(t.Context(), r, "baseline", o)
	want = []string{"baseline triplet better ", "baseline triplet-boosted better ", "baseline lost better "}
	if diff := cmp.Diff(want, rows(d, err)); diff != "" {
		t.Errorf("rows with an explicit base (-want +got):\n%s", diff)
	}
	if d, err = CompareBases(t.Context(), r, "nosuch", o); err != nil || len(d.Rows) != 4 {
		t.Errorf("no group of the default base: %v, want three rows without and the one with a base", err)
	}
	r.Record.Bases = nil
	if _, err := CompareBases(t.Context(), r, "nosuch", o); err == nil || !strings.Contains(err.Error(), `"triplet"`) {
		t.Errorf("no base at all: %v, want the methods there are", err)
	}
}
