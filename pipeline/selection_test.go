package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/datasets"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// selectionSuite is one cell whose training takes a second. In frozen mode its
// rate is so high that the held-out classes suffer from some step on.
const selectionSuite = `
- datasets: [cub/mini]
  backbone: convnet
  mode: %s
  input: 16
  methods: [%s]
  sizes: [24]
  classes: 6
  images: 3
  steps: %d
  embedding_rate: %g
  selection: %s
  select_every: %d
`

func selectionOf(t *testing.T, mode string, steps int, selection string, every int, more ...string) *suite.Suite {
	t.Helper()
	rate, method := 0.3, "{method: bier, learners: 2}"
	if mode == "finetune" {
		rate, method = 1e-3, "baseline"
	}
	text := fmt.Sprintf(selectionSuite, mode, method, steps, rate, selection, every)
	for _, line := range more {
		text += "  " + line + "\n"
	}
	s, err := suite.Parse("s", "s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// only does the one cell of a suite and returns its record.
func only(t *testing.T, w *workspace.Workspace, s *suite.Suite, run string) runs.Cell {
	t.Helper()
	r, err := Run(t.Context(), w, s, RunOptions{ID: run})
	if err != nil || r.Done+r.Before != 1 {
		t.Fatalf("%+v, %v; want one cell done", r, err)
	}
	cells, err := plan.RecordedCells(w, run)
	if err != nil || len(cells) != 1 {
		t.Fatalf("%d records, %v", len(cells), err)
	}
	for _, c := range cells {
		return c
	}
	return runs.Cell{}
}

// choice is what of a record's selection is the same in every attempt.
func choice(t *testing.T, c runs.Cell) string {
	t.Helper()
	if c.Selection == nil {
		t.Fatalf("%s has no selection", c.Path())
	}
	s := *c.Selection
	s.Looks = slices.Clone(s.Looks)
	for i := range s.Looks {
		s.Looks[i].Seconds = 0
	}
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The best step on held-out classes is chosen, not the last, and what is
// evaluated is the model that a training to that step ends with.
func TestSelection(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	c := only(t, w, selectionOf(t, "frozen", 12, "validation", 2), "s")
	s := c.Selection
	var steps []int
	for _, l := range s.Looks {
		steps = append(steps, l.Step)
	}
	if d := cmp.Diff([]int{2, 4, 6, 8, 10, 12}, steps); d != "" {
		t.Fatalf("looks (-want +got):\n%s", d)
	}
	best := s.Looks[0]
	for _, l := range s.Looks {
		if l.Metrics["MAP@R"] > best.Metrics["MAP@R"] {
			best = l
		}
	}
	if s.Step != best.Step || s.Step == 12 {
		t.Fatalf("step %d chosen of %+v; want the best, and a case in which that is not the last", s.Step, s.Looks)
	}
	if s.Rule != runs.ByValidation || s.TestLooks != 0 || s.Optimistic || s.Metric != "MAP@R" || s.Classes < 2 || s.Images <= s.Classes {
		t.Errorf("selection %+v", s)
	}
	if e := c.Evaluations[0]; e.At != runs.AtSelected || !strings.HasPrefix(e.Protocol, "cub-loo") {
		t.Errorf("evaluated by %s at %s, want the test protocol at %s", e.Protocol, e.At, runs.AtSelected)
	}
	if c.Timing["select"] <= 0 || c.Timing["overhead"] < 0 {
		t.Errorf("timing %v", c.Timing)
	}
	// One look, at the end of a training that is as long.
	stopped := only(t, w, selectionOf(t, "frozen", s.Step, "validation", s.Step), "stopped")
	if stopped.ModelDigest != c.ModelDigest || stopped.Selection.Looks[0].Metrics["MAP@R"] != best.Metrics["MAP@R"] {
		t.Errorf("the model differs from that of a training which stops at step %d", s.Step)
	}
	want, got := outputs(t, w, "stopped"), outputs(t, w, "s")
	same := 0
	for name, sum := range got {
		if strings.HasSuffix(name, ".arrow") {
			same++
			if want[name] != sum {
				t.Errorf("%s differs from that of a training which stops at step %d", name, s.Step)
			}
		}
	}
	if same != 2 {
		t.Errorf("outputs %v; want embeddings and queries", slices.Sorted(maps.Keys(got)))
	}
	files, err := filepath.Glob(filepath.Join(w.Dir, "runs", "s", filepath.FromSlash(c.Path()), chosenDir, "*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != fmt.Sprintf("step-%08d.safetensors", s.Step) {
		t.Errorf("chosen models %v (%v), want that of step %d alone", files, err, s.Step)
	}
	// Again from the embeddings: the state of the model stays.
	if _, err = Evaluate(t.Context(), w, "s"); err != nil {
		t.Fatal(err)
	}
	cells, err := plan.RecordedCells(w, "s")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, cells[c.Key]); d != "" {
		t.Errorf("the record after evaluate (-before +after):\n%s", d)
	}
}

// Peek chooses by the test images, counts its looks and keeps no queries.
func TestSelectionPeek(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	c := only(t, w, selectionOf(t, "frozen", 12, "peek", 4, "select_by: R@1"), "s")
	s := c.Selection
	if s.Rule != runs.ByPeek || len(s.Looks) != 3 || s.TestLooks != 4 || !s.Optimistic || s.Metric != "R@1" {
		t.Fatalf("selection %+v; want 3 looks and the evaluation", s)
	}
	e := c.Evaluations[0]
	if e.At != runs.AtPeek || s.Images != e.Queries+e.Excluded {
		t.Errorf("evaluated at %s on %d images, compared on %d", e.At, e.Queries, s.Images)
	}
	chosen := slices.IndexFunc(s.Looks, func(l runs.Look) bool { return l.Step == s.Step })
	for name, v := range s.Looks[chosen].Metrics {
		if name != "R@1" && name != "MAP@R" || v != e.Metrics[name] {
			t.Errorf("%s is %g in the look, %g in the evaluation", name, v, e.Metrics[name])
		}
	}
	check := func() {
		t.Helper()
		for name := range outputs(t, w, "s") {
			if strings.Contains(name, "queries") {
				t.Errorf("%s: a peeked model's queries are kept", name)
			}
		}
	}
	check()
	if _, err := Evaluate(t.Context(), w, "s"); err != nil {
		t.Fatal(err)
	}
	check()
}

// Validation never reads a test image before the end: with all of them broken,
// training and choice are done, and the cell fails when it embeds them.
func TestSelectionReadsNoTestImage(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	suite := selectionOf(t, "finetune", 4, "validation", 2)
	want := only(t, w, suite, "s")

	broken := miniWorkspace(t, t.TempDir(), nil)
	data, err := datasets.Open(filepath.Join(broken.DatasetsDir(), "cub", "mini-s256-jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for _, row := range data.Rows(datasets.Test) {
		image, failed := data.Image(row)
		if failed != nil {
			t.Fatal(failed)
		}
		damage(t, filepath.Join(broken.DatasetsDir(), "cub", "mini-s256-jpeg"), image)
	}
	r, err := Run(t.Context(), broken, suite, RunOptions{ID: "s"})
	if err != nil || len(r.Failed) != 1 {
		t.Fatalf("%+v, %v; want a failed cell", r, err)
	}
	record, err := plan.RecordedCells(broken, "s")
	if err != nil {
		t.Fatal(err)
	}
	c := record[want.Key]
	if choice(t, c) != choice(t, want) || c.ModelDigest != want.ModelDigest {
		t.Errorf("another choice where test images cannot be read (%s)", c.Error)
	}
	if peeked, err := Run(t.Context(), broken, selectionOf(t, "finetune", 4, "peek", 2), RunOptions{ID: "p"}); err != nil || len(peeked.Failed) != 1 {
		t.Errorf("%+v, %v; want peek to fail: it needs them", peeked, err)
	} else if looks, _ := filepath.Glob(filepath.Join(broken.Dir, "runs", "p", "*", "*", "*", "*", "selection.jsonl")); len(looks) == 1 {
		if lines, err := runs.ReadLooks(looks[0]); err != nil || len(lines) > 0 {
			t.Errorf("peek looked at broken images: %v, %v", lines, err)
		}
	}
}

// damage overwrites the start of a stored image in whichever file of a folder
// holds it.
func damage(t *testing.T, dir string, image []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i := strings.Index(string(data), string(image))
		if i < 0 {
			continue
		}
		copy(data[i:], "no JPEG")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no file of %s holds the image", dir)
}

// An interrupt in a look, or while training after one, continues to the same.
func TestSelectionInterrupted(t *testing.T) {
	checkSelectionInterrupted(t, map[string][]int{"frozen": {1, 3}, "finetune": {2}})
}

// checkSelectionInterrupted interrupts the training in each mode in the looks
// with the given numbers, of those at steps 2, 4 and 5.
func checkSelectionInterrupted(t *testing.T, looks map[string][]int) {
	t.Helper()
	for mode, numbers := range looks {
		suite := selectionOf(t, mode, 5, "validation", 2)
		whole := miniWorkspace(t, t.TempDir(), nil)
		want := only(t, whole, suite, "s")
		for _, nth := range numbers {
			t.Run(fmt.Sprint(mode, " look ", nth), func(t *testing.T) {
				dir := t.TempDir()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				seen := 0
				cut := miniWorkspace(t, dir, &atStart{stage: "select", reached: func() {
					if seen++; seen == nth {
						cancel()
					}
				}})
				if _, err := Run(ctx, cut, suite, RunOptions{ID: "s"}); !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted run returned %v", err)
				}
				rest := testWorkspace(t, dir, nil)
				got := only(t, rest, suite, "s")
				if choice(t, got) != choice(t, want) || got.ModelDigest != want.ModelDigest {
					t.Error("another choice")
				}
				if d := cmp.Diff(outputs(t, whole, "s"), outputs(t, rest, "s")); d != "" {
					t.Errorf("other files (-want +got):\n%s", d)
				}
			})
		}
	}
}

// atStart is a Progress that calls reached when a stage begins.
type atStart struct {
	workspace.NoProgress
	stage   string
	reached func()
}

func (a *atStart) Start(stage string, _ int) {
	if strings.HasPrefix(stage, a.stage) {
		a.reached()
	}
}
