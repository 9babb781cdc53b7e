package pipeline

import (
	"slices"
	"testing"

	"bierbench/runs"
)

// What a record says of a cell that is planned with configuration "c", data
// "d" and weights "w".
func TestState(t *testing.T) {
	planned := PlannedCell{ConfigHash: "c", DataHash: "d"}
	record := func(config, data, weights, status string) runs.Cell {
		return runs.Cell{ConfigHash: config, DataHash: data, Status: status, Environment: runs.Environment{Weights: weights}}
	}
	for _, c := range []struct {
		name     string
		old      runs.Cell
		recorded bool
		weights  string
		want     string
	}{
		{"no record", runs.Cell{}, false, "w", Todo},
		{"finished", record("c", "d", "w", runs.Done), true, "w", Done},
		{"another configuration", record("x", "d", "w", runs.Done), true, "w", Stale},
		{"other data", record("c", "x", "w", runs.Done), true, "w", Stale},
		{"other weights", record("c", "d", "x", runs.Done), true, "w", Stale},
		{"weights that are not installed change nothing", record("c", "d", "x", runs.Done), true, "", Done},
		{"a backbone without weights", record("c", "d", "", runs.Done), true, "", Done},
		{"killed or interrupted", record("c", "d", "w", runs.Running), true, "w", Interrupted},
		{"killed before its environment was written", record("c", "d", "", runs.Running), true, "w", Interrupted},
		{"interrupted, then the configuration changed", record("x", "d", "w", runs.Running), true, "w", Stale},
		{"failed", record("c", "d", "w", runs.Failed), true, "w", Retry},
	} {
		got, why := state(planned, c.old, c.recorded, c.weights)
		if got != c.want || (got == Stale) != (why != "") {
			t.Errorf("%s: %s (%q), want %s", c.name, got, why, c.want)
		}
	}
}

// A later command with other seeds or fewer methods keeps the order of a run.
func TestExtended(t *testing.T) {
	key := func(method string, seed int) runs.Key { return runs.Key{Group: runs.Group{Method: method}, Seed: seed} }
	got := extended([]runs.Key{key("baseline", 0), key("bier", 0)}, []PlannedCell{{Key: key("bier", 0)}, {Key: key("bier", 1)}})
	if want := []runs.Key{key("baseline", 0), key("bier", 0), key("bier", 1)}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
