package pipeline

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"bierbench/pipeline/cost"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// initialSuite begins from a loss, goes on with another, and has a method
// without pairs of learners beside them.
const initialSuite = `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  sizes: [24]
  hidden: 16
  steps: 12
  initial_steps: 30
  methods:
    - {label: activation, method: bier, learners: 2, initial: activation}
    - {label: both, method: abier, learners: 2, initial: adversarial}
    - {label: one, method: baseline, initial: activation}
    - {label: orthogonal, method: bier, learners: 2, initial: orthogonal}
`

// initialRecords returns the records of a run by their method, and the lines of
// their initialisations, nil where there is no file.
func initialRecords(t *testing.T, w *workspace.Workspace, run string) (records map[string]runs.Cell, steps map[string][]runs.InitialStep) {
	t.Helper()
	r, err := w.Runs().Open(run)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	records, steps = map[string]runs.Cell{}, map[string][]runs.InitialStep{}
	for _, c := range cells {
		records[c.Method] = c
		if _, missing := os.Stat(r.InitialisationPath(c.Key)); missing != nil {
			continue
		}
		if steps[c.Method], err = runs.ReadInitialisation(r.InitialisationPath(c.Key)); err != nil {
			t.Fatal(err)
		}
	}
	return records, steps
}

// An initialisation is written with its curve and summary where there is one;
// an interrupt in it or in the training after it ends in the same bits and the
// same record.
func TestInitialisation(t *testing.T) {
	parsed, err := suite.Parse("s", "s.yaml", []byte(initialSuite))
	if err != nil {
		t.Fatal(err)
	}
	whole := miniWorkspace(t, t.TempDir(), nil)
	if result, failed := Run(t.Context(), whole, parsed, RunOptions{}); failed != nil || result.Done != 4 {
		t.Fatalf("%+v, %v; want four cells done", result, failed)
	}
	want := outputs(t, whole, "s")
	records, steps := initialRecords(t, whole, "s")
	for _, method := range []string{"one", "orthogonal"} {
		if records[method].Initialisation != nil || steps[method] != nil {
			t.Errorf("%s: %+v, %d steps; want none", method, records[method].Initialisation, len(steps[method]))
		}
	}
	for method, loss := range map[string]string{"activation": "activation", "both": "adversarial"} {
		c := records[method]
		if c.Initialisation == nil || len(steps[method]) != 31 {
			t.Fatalf("%s: %+v and %d lines; want 30 steps and the loss before them", method, c.Initialisation, len(steps[method]))
		}
		if s := *c.Initialisation; s.Loss != loss || s.Steps != 30 || s.Converged || s.Last >= s.First || s.Images == 0 {
			t.Errorf("%s: %+v", method, s)
		}
		sum := 0.0
		for stage, seconds := range c.Timing {
			if stage != "total" {
				sum += seconds
			}
		}
		if c.Timing["initialise"] <= 0 || c.Timing["overhead"] < 0 || sum < c.Timing["total"]-1e-6 || sum > c.Timing["total"]+1e-6 {
			t.Errorf("%s: stages %v do not sum up to the total", method, c.Timing)
		}
	}

	// A plan of the same for other seeds knows what an initialisation takes.
	other, err := suite.Parse("t", "t.yaml", []byte(strings.Replace(initialSuite, "steps: 12", "steps: 12\n  seeds: [7]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := plan.New(t.Context(), whole, other, plan.Options{Run: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if err = cost.Estimate(whole, plan); err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Cells {
		if c.Cost.Basis != cost.BasisMeasured || c.Cost.Seconds < records[c.Method].Timing["initialise"] {
			t.Errorf("%s: %+v; want it measured and no less than %g s", c.Method, c.Cost, records[c.Method].Timing["initialise"])
		}
	}

	beginning, _, _ := strings.Cut(initialSuite, "    - {label: one")
	if parsed, err = suite.Parse("s", "s.yaml", []byte(beginning)); err != nil { // the two that begin from a loss
		t.Fatal(err)
	}
	maps.DeleteFunc(want, func(name, _ string) bool {
		return strings.Contains(name, "one-24") || strings.Contains(name, "orthogonal-24")
	})
	for _, stage := range []string{"initialise", "train"} {
		t.Run("interrupted "+stage, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			watch := &atStage{stage: stage, reached: cancel}
			cut := miniWorkspace(t, dir, watch)
			if _, failed := Run(ctx, cut, parsed, RunOptions{Checkpoint: time.Nanosecond}); !errors.Is(failed, context.Canceled) || !watch.called {
				t.Fatalf("interrupted run returned %v", failed)
			}
			if _, left := initialRecords(t, cut, "s"); (left["activation"] != nil) != (stage == "train") {
				t.Errorf("after the interrupt there are %d lines", len(left["activation"]))
			}
			count := &counting{}
			rest := testWorkspace(t, dir, count)
			if result, failed := Run(t.Context(), rest, parsed, RunOptions{}); failed != nil || result.Done != 2 {
				t.Fatalf("continued: %+v, %v", result, failed)
			}
			again := 2
			if stage == "train" {
				again = 1
			}
			if count.stages["initialise"] != again {
				t.Errorf("%d initialisations after the interrupt, want %d", count.stages["initialise"], again)
			}
			got := outputs(t, rest, "s")
			for name, sum := range want {
				if got[name] != sum {
					t.Errorf("%s differs from that of an uninterrupted run", name)
				}
			}
			if len(got) != len(want) || len(want) != 6 {
				t.Errorf("%d files, want embeddings, queries and models of two cells: %d", len(got), len(want))
			}
			after, _ := initialRecords(t, rest, "s")
			for method, c := range after {
				compare := func(i *runs.Initialisation) runs.Initialisation {
					if i == nil {
						return runs.Initialisation{}
					}
					s := *i
					s.Seconds = 0
					return s
				}
				if compare(c.Initialisation) != compare(records[method].Initialisation) {
					t.Errorf("%s: %+v, want %+v", method, c.Initialisation, records[method].Initialisation)
				}
			}
		})
	}
}

// A suite that cannot begin as it says is refused before anything runs.
func TestInitialisationOfScratch(t *testing.T) {
	for _, initial := range []string{"activation", "adversarial"} {
		text := strings.NewReplacer("mode: frozen", "mode: finetune", "initial: activation", "initial: "+initial).Replace(initialSuite)
		_, err := suite.Parse("s", "s.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "pretrained") || !strings.Contains(err.Error(), "s.yaml:") {
			t.Errorf("%s: %v; want an error with its place", initial, err)
		}
	}
}
