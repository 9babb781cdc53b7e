package plan

import (
	"testing"

	"bierbench/runs"
)

// Only the claim of a living process makes a cell running.
func TestLive(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status string // empty without a record
		held   bool
		want   string
	}{
		{name: "no record", want: Planned},
		{name: "claimed before the record is written", held: true, want: Running},
		{name: "at work", status: runs.Running, held: true, want: Running},
		{name: "killed", status: runs.Running, want: Interrupted},
		{name: "failed", status: runs.Failed, want: Failed},
		{name: "failed before, at work again", status: runs.Failed, held: true, want: Running},
		{name: "done", status: runs.Done, want: Done},
		{name: "done, looked at by a run", status: runs.Done, held: true, want: Done},
	} {
		if got := Live(runs.Cell{Status: tt.status}, tt.status != "", tt.held); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
