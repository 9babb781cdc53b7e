package pipeline

import (
	"slices"
	"testing"

	"bierbench/pipeline/plan"
	"bierbench/runs"
)

// A later command with other seeds or fewer methods keeps the order of a run.
func TestExtended(t *testing.T) {
	key := func(method string, seed int) runs.Key { return runs.Key{Group: runs.Group{Method: method}, Seed: seed} }
	got := appendNewCells([]runs.Key{key("baseline", 0), key("bier", 0)}, []plan.Cell{{Key: key("bier", 0)}, {Key: key("bier", 1)}})
	if want := []runs.Key{key("baseline", 0), key("bier", 0), key("bier", 1)}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
