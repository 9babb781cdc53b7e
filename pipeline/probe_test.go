package pipeline

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"bierbench/pipeline/cost"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/runs"
)

const probeSuite = `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, {method: ensemble, learners: 2}]
  sizes: [24]
  seeds: [0, 1]
  steps: 6
- datasets: [cub/mini]
  backbone: convnet
  mode: finetune
  input: 16
  methods: [baseline]
  sizes: [24]
  classes: 4
  images: 2
  steps: 3
`

// A plan knows no time in a new workspace, that of a probe after one, and that
// of the cells after a run; the records keep what was predicted.
func TestProbeThenMeasure(t *testing.T) {
	suite, err := suite.Parse("s", "s.yaml", []byte(probeSuite))
	if err != nil {
		t.Fatal(err)
	}
	w := emptyWorkspace(t, t.TempDir(), nil)
	plan := func(run, basis string) *plan.Plan {
		t.Helper()
		p, failed := plan.New(t.Context(), w, suite, plan.Options{Run: run})
		if failed == nil {
			failed = cost.Estimate(w, p)
		}
		if failed != nil {
			t.Fatal(failed)
		}
		for _, c := range p.Cells {
			if c.Cost.Basis != basis || (c.Cost.Seconds > 0) != (basis != "") || c.Cost.Disk == 0 {
				t.Errorf("%s: %+v, want basis %q", c.Path(), c.Cost, basis)
			}
			if known := c.Mode == "frozen" || basis != ""; (c.Cost.Memory > 0) != known {
				t.Errorf("%s: memory %d", c.Path(), c.Cost.Memory)
			}
		}
		return p
	}
	p := plan("s", "")
	// Features, two trainings, and evaluations of 128 numbers, of an ensemble and
	// of one learner.
	works, err := cost.Probe(t.Context(), w, p)
	if err != nil || works != 1+2+3 {
		t.Fatalf("%d works, %v; want 6", works, err)
	}
	if works, err = cost.Probe(t.Context(), w, p); err != nil || works != 0 {
		t.Errorf("%d works in a second probe, %v; want none", works, err)
	}
	if _, err = os.Stat(w.FeaturesDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the probe left features: %v", err)
	}
	if _, err = w.Runs().Open("s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the probe left a run: %v", err)
	}
	p = plan("s", cost.BasisProbe)
	if p.Cells[0].Cost.Seconds <= 0 {
		t.Errorf("%+v", p.Cells[0].Cost)
	}

	r, err := Run(t.Context(), w, suite, RunOptions{})
	if err != nil || r.Done != len(p.Cells) {
		t.Fatalf("%+v, %v", r, err)
	}
	run, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Cells {
		record, ok, err := run.Cell(c.Key)
		if err != nil || !ok {
			t.Fatal(err)
		}
		if record.Predicted == nil || *record.Predicted != c.Cost {
			t.Errorf("%s: predicted %+v, want what plan said: %+v", c.Path(), record.Predicted, c.Cost)
		}
		// Sizes, not times: they are the same on every machine.
		size := folderBytes(t, run, record.Key)
		if predicted := record.Predicted.Disk - featuresShare(c); predicted < size*9/10 || predicted > size*11/10 {
			t.Errorf("%s: %d bytes on disk, %d predicted", c.Path(), size, predicted)
		}
	}
	plan("again", cost.BasisMeasured)
}

// folderBytes is the size of the files of a cell.
func folderBytes(t *testing.T, r *runs.Run, k runs.Key) int64 {
	t.Helper()
	var size int64
	err := fs.WalkDir(os.DirFS(r.CellDir(k)), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// featuresShare is the size of the cached features in the cost of the first cell.
func featuresShare(c plan.Cell) int64 {
	if c.Method != "features" {
		return 0
	}
	return int64(c.Manifest.Rows) * (128*4 + 8)
}
