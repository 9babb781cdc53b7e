package pipeline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// thousands prepares a workspace with a run of 5,000 finished cells. Nothing is
// trained: one real record is copied, with the key and configuration of each.
func thousands(b *testing.B) (*workspace.Workspace, *suite.Suite) {
	b.Helper()
	w := miniWorkspace(b, b.TempDir(), nil)
	seeds, err := json.Marshal(numbers(1250))
	if err != nil {
		b.Fatal(err)
	}
	suite, err := suite.Parse("s", "s.yaml", fmt.Appendf(nil, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [baseline, ensemble, bier, abier]
  sizes: [24]
  seeds: %s
  steps: 1
`, seeds))
	if err != nil {
		b.Fatal(err)
	}
	if _, err = Run(b.Context(), w, suite, RunOptions{Only: "*/*/abier-24/seed-0"}); err != nil {
		b.Fatal(err)
	}
	p, err := plan.New(b.Context(), w, suite, plan.Options{Run: "s"})
	if err != nil {
		b.Fatal(err)
	}
	r, err := w.Runs().Open("s")
	if err != nil {
		b.Fatal(err)
	}
	record := r.Record
	record.Cells = appendNewCells(record.Cells, p.Cells)
	if err = r.Update(record); err != nil {
		b.Fatal(err)
	}
	var real runs.Cell
	for _, c := range p.Cells {
		if c.State == plan.Done {
			real = c.Record
		}
	}
	for _, c := range p.Cells {
		copied := real
		copied.Key, copied.ConfigHash = c.Key, c.ConfigHash
		if copied.Config, err = json.Marshal(c.Config); err != nil {
			b.Fatal(err)
		}
		data, err := json.MarshalIndent(copied, "", "  ")
		if err != nil {
			b.Fatal(err)
		}
		// Not by WriteCell, which waits for the disk each time.
		dir := r.CellDir(c.Key)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cell.json"), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return w, suite
}

// numbers returns 0 to n-1.
func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// The plan of a run with 5,000 finished cells.
func BenchmarkPlanOfThousands(b *testing.B) {
	w, suite := thousands(b)
	for b.Loop() {
		p, err := plan.New(b.Context(), w, suite, plan.Options{Run: "s"})
		if err != nil || p.Count(plan.Done) != 5000 {
			b.Fatalf("%v; want 5000 cells done", err)
		}
	}
}

// A run that finds 5,000 finished cells and nothing to do.
func BenchmarkRunOfThousands(b *testing.B) {
	w, suite := thousands(b)
	for b.Loop() {
		r, err := Run(b.Context(), w, suite, RunOptions{})
		if err != nil || r.Before != 5000 || r.Done != 0 {
			b.Fatalf("%+v, %v; want 5000 cells done before", r, err)
		}
	}
}
