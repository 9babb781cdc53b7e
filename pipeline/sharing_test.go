package pipeline

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

const sharedSuite = `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, baseline, {method: bier, learners: 2}]
  sizes: [24]
  seeds: [0, 1]
  classes: 6
  images: 3
  steps: 20
`

// sharedWorkspace is a workspace with what sharedSuite needs.
func sharedWorkspace(t *testing.T) (*workspace.Workspace, *suite.Suite) {
	t.Helper()
	w := miniWorkspace(t, t.TempDir(), nil)
	suite, err := suite.Parse("s", "s.yaml", []byte(sharedSuite))
	if err != nil {
		t.Fatal(err)
	}
	return w, suite
}

// Two processes at one run share its cells: each is done once, the features
// they all need are computed once, and both return when all cells are done.
func TestSharedWorkspace(t *testing.T) {
	first, suite := sharedWorkspace(t)
	if err := os.RemoveAll(first.FeaturesDir()); err != nil {
		t.Fatal(err)
	}
	const processes, cells = 2, 5 // one of features, two each of baseline and bier
	var seen [processes]counting
	var results [processes]*RunResult
	var group errgroup.Group
	for i := range processes {
		w := testWorkspace(t, first.Dir, &seen[i])
		group.Go(func() (err error) {
			results[i], err = Run(t.Context(), w, suite, RunOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	begun := slices.Sorted(slices.Values(slices.Concat(seen[0].cells, seen[1].cells)))
	if len(begun) != cells || len(slices.Compact(begun)) != cells {
		t.Errorf("%d cells were begun, want each of %d once: %q", len(begun), cells, begun)
	}
	if n := seen[0].stages["features"] + seen[1].stages["features"]; n != 1 {
		t.Errorf("features were computed %d times, want once", n)
	}
	for i, r := range results {
		if r.Done+r.Elsewhere+r.Before != cells || len(r.Failed) != 0 || r.Done != len(seen[i].cells) {
			t.Errorf("process %d: %+v; want all %d cells done, %d by it", i, r, cells, len(seen[i].cells))
		}
	}
	if results[0].Done == 0 || results[1].Done == 0 {
		t.Errorf("one process did nothing: %+v, %+v", results[0], results[1])
	}
}

// A run that waits for the cell of another process takes it over when that one
// ends without finishing it.
func TestTakenOver(t *testing.T) {
	w, suite := sharedWorkspace(t)
	only := plan.Options{Run: "s", Only: "features-*"}
	p, err := plan.New(t.Context(), w, suite, only)
	if err != nil {
		t.Fatal(err)
	}
	other, err := claims.Open(w.Runs().Path("s"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = other.Try(p.Cells[0].Path()); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 3*claims.PollInterval)
	defer cancel()
	if waited, failed := Run(ctx, w, suite, RunOptions{Only: only.Only}); ctx.Err() == nil {
		t.Fatalf("%+v, %v; want it to wait for the other process", waited, failed)
	}
	// What a killed process leaves: a record that says running.
	r, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	c := p.Cells[0]
	err = r.WriteCell(runs.Cell{Key: c.Key, ConfigHash: c.ConfigHash, DataHash: c.DataHash, Started: workspace.Timestamp(), Status: runs.Running})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = plan.New(t.Context(), w, suite, only); err != nil || p.Cells[0].State != plan.Running {
		t.Fatalf("planned as %+v, %v; want %s", p, err, plan.Running)
	}
	time.AfterFunc(2*claims.PollInterval, other.Close)
	if r, err := Run(t.Context(), w, suite, RunOptions{Only: only.Only}); err != nil || r.Done != 1 {
		t.Errorf("%+v, %v; want the cell taken over", r, err)
	}
}

// What another process ends while a run waits for it is not done again.
func TestEndedElsewhere(t *testing.T) {
	w, suite := sharedWorkspace(t)
	only := plan.Options{Run: "s", Only: "features-*"}
	p, err := plan.New(t.Context(), w, suite, only)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Cells[0]
	r, err := w.Runs().Create("s", runs.Record{Cells: []runs.Key{c.Key}})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{runs.Done, runs.Failed} {
		t.Run(status, func(t *testing.T) {
			other, err := claims.Open(r.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = other.Try(c.Path()); err != nil {
				t.Fatal(err)
			}
			record := runs.Cell{Key: c.Key, ConfigHash: c.ConfigHash, DataHash: c.DataHash, Started: workspace.Timestamp(), Status: runs.Running}
			if err = r.WriteCell(record); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(2*claims.PollInterval, func() {
				record.Status = status
				if status == runs.Failed {
					record.Error = "no luck"
				}
				if failed := r.WriteCell(record); failed != nil {
					t.Error(failed)
				}
				other.Close()
			})
			got, err := Run(t.Context(), w, suite, RunOptions{Only: only.Only, RetryFailed: true})
			if err != nil || got.Done != 0 || got.Elsewhere+len(got.Failed) != 1 || (status == runs.Done) != (got.Elsewhere == 1) {
				t.Errorf("%+v, %v; want the cell %s by the other process", got, err, status)
			}
		})
	}
}
