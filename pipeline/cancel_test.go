package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/runs"
)

// What takes time beside ingest and run ends with the context's error, too, and
// leaves no report.
func TestInterruptOfTheRest(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	suite, err := suite.Parse("s", "s.yaml", []byte(`
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [baseline, {method: ensemble, learners: 2}]
  sizes: [24]
  seeds: [0, 1]
  steps: 2
`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Run(t.Context(), w, suite, RunOptions{}); err != nil {
		t.Fatal(err)
	}
	before := outputs(t, w, "s")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"verify":   func() error { _, err := Verify(ctx, w, []string{"cub"}); return err },
		"inspect":  func() error { _, err := Inspect(ctx, w, "cub", 0); return err },
		"audit":    func() error { _, err := Audit(ctx, w, "cub"); return err },
		"evaluate": func() error { _, err := Evaluate(ctx, w, "s"); return err },
		"report":   func() error { _, _, err := Report(ctx, w, []string{"s"}, ReportOptions{}); return err },
		"diff": func() error {
			_, err := Diff(ctx, w, DiffOptions{A: "s", Base: "baseline", Compare: runs.DefaultCompareOptions(), Write: true})
			return err
		},
		"run":    func() error { _, err := Run(ctx, w, suite, RunOptions{ID: "other"}); return err },
		"doctor": func() error { _, err := Doctor(ctx, w); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		})
	}
	if left, err := os.ReadDir(filepath.Join(w.Dir, "reports")); err == nil {
		t.Errorf("reports holds %v", left)
	}
	for name, sum := range outputs(t, w, "s") {
		if before[name] != sum {
			t.Errorf("%s changed", name)
		}
	}
	if cells, err := plan.RecordedCells(w, "other"); err != nil || len(cells) > 0 {
		t.Errorf("run other has %d cells, %v", len(cells), err)
	}
}
