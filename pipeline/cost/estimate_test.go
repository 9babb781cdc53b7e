package cost

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/losses"
	"bierbench/models/xla"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// abierConfig is a frozen A-BIER cell of 400 steps, whose learners are 4, 8 and
// 12 wide.
func abierConfig(t *testing.T) models.Config {
	t.Helper()
	s, err := suite.Parse("s", "s.yaml", []byte("- datasets: cub\n  backbone: convnet\n  mode: frozen\n  input: 32\n  methods: [abier]\n  sizes: 24\n  hidden: 16\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Blocks[0].Config(s.Blocks[0].Methods[0], 24)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cubManifest is a data set of 50 training and 100 test images.
func cubManifest() datasets.Manifest {
	return datasets.Manifest{Set: "cub", Digest: "d", Rows: 150, Counts: map[string]int{"train": 50, "test": 100}, Classes: map[string]int{"train": 5, "test": 10}}
}

// planOf is a plan of the cell abier with seeds 0, 1, 2, ... in the given states.
func planOf(t *testing.T, states ...string) *plan.Plan {
	t.Helper()
	p := &plan.Plan{Run: "r", Suite: &suite.Suite{Name: "s"}, Weights: map[string]string{}}
	for i, state := range states {
		c := plan.Cell{
			Key:        runs.Key{Group: runs.Group{Dataset: "cub", Variant: "v", Backbone: "convnet", Mode: "frozen", Method: "abier", Size: 24}, Seed: i},
			Config:     abierConfig(t),
			ConfigHash: "h",
			State:      state,
			Manifest:   cubManifest(),
		}
		c.Config.Seed = uint64(i)
		p.Cells = append(p.Cells, c)
	}
	return p
}

// fabricated are measurements of every work of planOf's cells: 0.5 s a step and
// 7 s once, 0.01 s an image of features, 0.02 s of an embedding and 1 s once,
// 1e-9 s a multiply-add, 3 s besides.
func fabricated(t *testing.T) []measurement {
	t.Helper()
	c := abierConfig(t)
	kind, err := trainKind(c, 100)
	if err != nil {
		t.Fatal(err)
	}
	return []measurement{
		{Work: workTrain, Kind: kind, Amount: 10, Seconds: 5, Setup: 7, Basis: BasisMeasured},
		{Work: workFeatures, Kind: featuresKind(c), Amount: 1000, Seconds: 10, Basis: BasisMeasured},
		{Work: workEmbed, Kind: embedKind(c), Amount: 50, Seconds: 1, Setup: 1, Basis: BasisMeasured},
		{Work: workEvaluate, Kind: evaluateKind(c), Amount: 1e6, Seconds: 1e-3, Basis: BasisMeasured},
		{Work: workOverhead, Kind: overheadKind(c), Amount: 150, Seconds: 300, Basis: BasisMeasured}, // that waited
		{Work: workOverhead, Kind: overheadKind(c), Amount: 150, Seconds: 3, Basis: BasisMeasured},
		{Work: workMemory, Kind: kind, Amount: 1000, Memory: 500_001_000, Basis: BasisMeasured},
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }

// The numbers of a cell, by hand: 400 steps of 0.5 s, 7 s and 1 s once, 100
// images embedded at 0.02 s, 3 s besides; 100 x 100 scores by 24 (whole) + 24
// (each learner) + 36 (with those before it: 12 and 24) numbers.
func TestEstimate(t *testing.T) {
	w := measuring(t, fabricated(t)...)
	p := planOf(t, plan.Todo, plan.Todo, plan.Done, plan.Interrupted, plan.Failed, plan.Stale)
	checkpoint := filepath.Join(w.Dir, "runs", "r", filepath.FromSlash(p.Cells[3].Path()), "checkpoint")
	for _, name := range []string{"step-00000100.safetensors", "step-00000300.safetensors", "step-00000399.safetensors.tmp", ".tmp-step-00000400.safetensors-1"} {
		if err := os.MkdirAll(checkpoint, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(checkpoint, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Estimate(w, p); err != nil {
		t.Fatal(err)
	}
	const scores = 100 * 100 * (24 + 24 + 36)
	const once = 7 + 1 + 100*0.02 + 3 + scores*1e-9
	for i, want := range []float64{
		once + 400*0.5 + 150*0.01, // the first needs the features
		once + 400*0.5,
		0,
		once + 100*0.5, // 300 steps are in the checkpoint
		once + 400*0.5,
		once + 400*0.5,
	} {
		c := p.Cells[i]
		if !near(c.Cost.Seconds, want) || (c.Cost.Basis == BasisMeasured) != (c.State != plan.Done) {
			t.Errorf("cell %d, %s: %+v, want %g s, measured", i, c.State, c.Cost, want)
		}
	}
	tables := 6*4*24*100 + 4*128*(150+100+2*50) // the embedding and its copies; features, their halves, those on the device
	if got := p.Cells[0].Cost.Memory; got != int64(500_000_000+tables) {
		t.Errorf("memory %d, want the measured peak without its tables and %d bytes", got, tables)
	}
	parameters := 129*24 + 2*0 // embedding
	for _, pair := range [][2]int{{8, 4}, {12, 4}, {12, 8}} {
		parameters += (pair[0]+1)*16 + 17*pair[1]
	}
	disk := 100*(4*24+17) + 12<<10 + 100*112 + 4*parameters + 400*(140+3*40)
	features := 150 * (128*4 + 8)
	if a, b := p.Cells[0].Cost.Disk, p.Cells[1].Cost.Disk; a != int64(disk+features) || b != int64(disk) {
		t.Errorf("disk %d and %d, want %d with the features and %d", a, b, disk+features, disk)
	}
	total := Sum(w, p)
	if total.Cells != 5 || total.Unknown != 0 || !near(total.Seconds, 5*once+1700*0.5+1.5) ||
		total.Memory != p.Cells[0].Cost.Memory || total.Disk != int64(5*disk+features) || total.Peak != total.Disk+int64(8*4*parameters) {
		t.Errorf("total %+v", total)
	}
	if total.Free == 0 || !total.Fits() || (Total{Peak: 2, Free: 1}).Fits() || (Total{Peak: 2}).Fits() || !(Total{Peak: 2, Free: -1}).Fits() {
		t.Errorf("free %d bytes", total.Free)
	}
}

// The time of work that was never measured is not known. A time from a probe is marked as such.
// Cached features cost nothing. The memory of a frozen cell has a formula.
func TestEstimateUnknown(t *testing.T) {
	estimate := func(found []measurement) *plan.Plan {
		t.Helper()
		p := planOf(t, plan.Todo, plan.Todo)
		w := measuring(t, found...)
		if err := Estimate(w, p); err != nil {
			t.Fatal(err)
		}
		if n := Sum(w, p).Unknown; (n == 2) != (p.Cells[1].Cost.Basis == "") {
			t.Errorf("%d cells of unknown time", n)
		}
		return p
	}
	for i, m := range fabricated(t) {
		found := fabricated(t)
		found = append(found[:i], found[i+1:]...)
		p := estimate(found)
		first, second := p.Cells[0].Cost, p.Cells[1].Cost
		switch m.Work {
		case workTrain, workEmbed, workEvaluate:
			if first.Seconds != 0 || first.Basis != "" || second.Seconds != 0 || second.Basis != "" {
				t.Errorf("without %s: %+v and %+v, want no time", m.Work, first, second)
			}
		case workFeatures: // the second finds them cached by then
			if first.Basis != "" || second.Basis != BasisMeasured {
				t.Errorf("without features: %+v and %+v", first, second)
			}
		case workOverhead:
			if second.Basis != BasisMeasured {
				t.Errorf("without the overhead: %+v; the rest is known", second)
			}
		case workMemory:
			if second.Basis != BasisMeasured || second.Memory <= idleMemory || second.Memory > idleMemory+10<<20 {
				t.Errorf("without a peak: %+v, want %d bytes and the small tables", second, idleMemory)
			}
		}
	}
	found := fabricated(t)
	found[0].Basis = BasisProbe
	if p := estimate(found); p.Cells[0].Cost.Basis != BasisProbe {
		t.Errorf("%+v, want the basis of the least certain part", p.Cells[0].Cost)
	}
	found = fabricated(t)
	found[len(found)-1].Basis = BasisProbe // without the 100 x 100 scores of 4 bytes
	if a, b := estimate(found).Cells[1].Cost.Memory, estimate(fabricated(t)).Cells[1].Cost.Memory; a != b+40_000 {
		t.Errorf("memory %d by a probe, %d by a cell", a, b)
	}
	found = fabricated(t)
	found[3].Kind = "[1 2 3]" // scores of another width are rated the same
	if p := estimate(found); p.Cells[1].Cost.Basis != BasisMeasured {
		t.Errorf("%+v with an evaluation of another width", p.Cells[1].Cost)
	}

	// A second data set needs features of its own, but not to compile again.
	found = fabricated(t)
	found[1].Setup = 9
	w := measuring(t, found...)
	p := planOf(t, plan.Todo, plan.Todo)
	p.Cells[1].Manifest.Digest, p.Cells[1].Data.Dir = "other", "other"
	if err := Estimate(w, p); err != nil || !near(p.Cells[0].Cost.Seconds, p.Cells[1].Cost.Seconds+9) {
		t.Errorf("%+v and %+v, %v; want 9 s more for the first", p.Cells[0].Cost, p.Cells[1].Cost, err)
	}

	w = measuring(t, fabricated(t)...)
	net, err := backbones.Named("convnet")
	if err != nil {
		t.Fatal(err)
	}
	if err = os.MkdirAll(w.FeaturesDir(), 0o777); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(w.FeaturesDir(), backbones.FeaturesKey("d", "", net, 32)+".arrow"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	p = planOf(t, plan.Todo, plan.Todo)
	if err = Estimate(w, p); err != nil || p.Cells[0].Cost != p.Cells[1].Cost {
		t.Errorf("%+v and %+v, %v; the features are cached", p.Cells[0].Cost, p.Cells[1].Cost, err)
	}
}

// A kind of training leaves out what a step's cost does not depend on, and
// nothing else.
func TestTrainKind(t *testing.T) {
	kind := func(change func(*models.Config)) string {
		t.Helper()
		c := abierConfig(t)
		change(&c)
		k, err := trainKind(c, 100)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	same := kind(func(*models.Config) {})
	if !strings.HasPrefix(same, "convnet frozen 12x5 [4 8 12] eta adversarial ") {
		t.Errorf("kind %q", same)
	}
	for name, c := range map[string]struct {
		change func(*models.Config)
		same   bool
	}{
		"steps, seed and rates":        {func(c *models.Config) { c.Steps, c.Seed, c.EmbeddingRate, c.DecayEvery = 7, 3, 1, 9 }, true},
		"numbers of the loss":          {func(c *models.Config) { c.Constants, c.LambdaDiv = map[string]float64{"alpha": 9, "C": 9}, 1 }, true},
		"the input of frozen features": {func(c *models.Config) { c.Input = 64 }, true},
		"classes of a batch":           {func(c *models.Config) { c.Classes = 13 }, false},
		"learners":                     {func(c *models.Config) { c.Learners = []int{8, 8, 8} }, false},
		"loss":                         {func(c *models.Config) { c.Loss = "triplet" }, false},
		"boosting":                     {func(c *models.Config) { c.Boosting = losses.BoostingNone }, false},
		"diversity":                    {func(c *models.Config) { c.Diversity = models.DiversityNone }, false},
		"hidden units":                 {func(c *models.Config) { c.Hidden = 17 }, false},
		"the first term of decay":      {func(c *models.Config) { c.WeightDecay = 1e-4 }, false},
		"the backbone":                 {func(c *models.Config) { c.Backbone = "lite0" }, false},
		"the mode":                     {func(c *models.Config) { c.Mode = models.Finetune }, false},
		"chunks of a batch":            {func(c *models.Config) { c.Mode, c.Accumulate = models.Finetune, 4 }, false},
	} {
		if got := kind(c.change); (got == same) != c.same {
			t.Errorf("%s: %q beside %q", name, got, same)
		}
	}
	// What features of one width cost does not depend on whose they are.
	imported := func(name, digest string, width int) func(*models.Config) {
		return func(c *models.Config) {
			c.Backbone, c.Input, c.Features = "file:"+name, 0, &backbones.Imported{Digest: digest, Width: width, Origin: name}
		}
	}
	if a, b := kind(imported("a", "x", 128)), kind(imported("b", "y", 128)); a != b || !strings.HasPrefix(a, "file:128 frozen ") {
		t.Errorf("imported features of one width: %q, %q", a, b)
	}
	if kind(imported("a", "x", 128)) == kind(imported("a", "x", 64)) {
		t.Error("features of two widths cost the same")
	}
	plain := func(c *models.Config) { c.Diversity = models.DiversityNone }
	if kind(plain) != kind(func(c *models.Config) { plain(c); c.Hidden = 99 }) {
		t.Error("hidden units of no regressor change the kind")
	}
}

// Proxies of the training classes, some number of each, change what a step costs and count as
// parameters. A loss without proxies costs the same for any number of classes.
func TestProxiesCost(t *testing.T) {
	c := abierConfig(t)
	c.Diversity, c.Loss, c.Constants = models.DiversityNone, "soft_triple", map[string]float64{"centres": 3, "tau": 0}
	plain := c
	plain.Loss, plain.Constants = "binomial_deviance", nil
	other := c
	other.Constants = map[string]float64{"centres": 3, "tau": 1}
	fewer := c
	fewer.Constants = map[string]float64{"centres": 2}
	kind := func(c models.Config, classes int) string {
		k, err := trainKind(c, classes)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if a, b := kind(c, 100), kind(c, 200); a == b || !strings.Contains(a, " 300 proxies ") {
		t.Errorf("kind of 100 classes %q, of 200 %q", a, b)
	}
	if kind(c, 100) == kind(fewer, 100) || kind(c, 100) != kind(other, 100) {
		t.Error("a kind is of the number of centres, not of other constants")
	}
	if kind(plain, 100) != kind(plain, 200) {
		t.Error("a kind without proxies is of the number of classes")
	}
	// By hand: learners of 4, 8 and 12 with a bias, 128 wide, and 300 proxies each.
	if got, want := headParameters(c, 128, 100), int64(24*(128+1)+24*300); got != want {
		t.Errorf("%d parameters, want %d", got, want)
	}
	if got, want := headParameters(plain, 128, 100), int64(24*(128+1)); got != want {
		t.Errorf("%d parameters without proxies, want %d", got, want)
	}
}

// The searches of all protocols, by the sizes in the manifest.
func TestSearches(t *testing.T) {
	for _, c := range []struct {
		name     string
		manifest datasets.Manifest
		want     []searchSize
	}{
		{"leave one out", cubManifest(), []searchSize{{1, 100, 100}}},
		{
			"queries and gallery",
			datasets.Manifest{Set: "inshop", Counts: map[string]int{"train": 9, "query": 20, "gallery": 30}},
			[]searchSize{{1, 20, 30}},
		},
		{
			"VehicleID: three lists, 10 draws of one image a class",
			datasets.Manifest{
				Set: "vehicleid", Counts: map[string]int{"train": 9, "test": 240}, Classes: map[string]int{"test": 24},
				Lists: []datasets.List{
					{Name: "train_test_split/train_list.txt", Rows: 9},
					{Name: "train_test_split/test_list_800.txt", Rows: 80},
					{Name: "train_test_split/test_list_1600.txt", Rows: 160},
					{Name: "train_test_split/test_list_2400.txt", Rows: 240},
				},
			},
			[]searchSize{{1, 80, 80}, {10, 72, 8}, {1, 160, 160}, {10, 144, 16}, {1, 240, 240}, {10, 216, 24}},
		},
	} {
		got, err := protocolSearches(c.manifest)
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}

// A continued cell keeps the prediction of the whole cell: the time in its record is that of all
// attempts.
func TestPredicted(t *testing.T) {
	whole, rest := runs.Cost{Seconds: 10}, runs.Cost{Seconds: 4}
	before := runs.Cell{Predicted: &whole}
	for _, c := range []struct {
		name string
		cell plan.Cell
		want *runs.Cost
	}{
		{"begun", plan.Cell{State: plan.Todo, Cost: whole}, &whole},
		{"continued", plan.Cell{State: plan.Interrupted, Cost: rest, Record: before}, &whole},
		{"tried again", plan.Cell{State: plan.Failed, Cost: rest, Record: before}, &whole},
		{"stale, begun anew", plan.Cell{State: plan.Stale, Cost: rest, Record: before}, &rest},
		{"continued without one", plan.Cell{State: plan.Interrupted, Cost: rest}, &rest},
		{"no estimate", plan.Cell{State: plan.Todo}, nil},
	} {
		got := Predicted(c.cell)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The estimate of 5,000 interrupted cells of as many kinds, each with its
// features, on a machine with as many measurements as are kept.
func BenchmarkEstimateOfThousands(b *testing.B) {
	w := workspace.New(workspace.Workspace{Dir: b.TempDir(), Backend: xla.CPU})
	found := make([]measurement, mostMeasurements)
	for i := range found {
		found[i] = measurement{Work: workTrain, Kind: fmt.Sprintf("convnet frozen 12x5 [4 8 12] eta adversarial %08d", i), Amount: 400, Seconds: 2, Setup: 5, Basis: BasisMeasured}
	}
	if err := addMeasured(b.Context(), w, found); err != nil {
		b.Fatal(err)
	}
	p := &plan.Plan{Run: "r", Suite: &suite.Suite{Name: "s"}, Weights: map[string]string{}}
	for i := range 5000 {
		c := plan.Cell{
			Key:        runs.Key{Group: runs.Group{Dataset: "cub", Variant: "v", Backbone: "convnet", Mode: models.Frozen, Method: "bier", Size: 24}, Seed: i},
			Config:     models.DefaultConfig(models.Frozen),
			ConfigHash: fmt.Sprint(i), State: plan.Interrupted, Manifest: cubManifest(),
		}
		c.Config.Backbone, c.Config.Learners, c.Config.Size, c.Config.Input = "convnet", []int{4, 8, 12 + i}, 24+i, 32+i
		p.Cells = append(p.Cells, c)
		dir := filepath.Join(w.Dir, "runs", "r", filepath.FromSlash(c.Path()), "checkpoint")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "step-00000100.safetensors"), nil, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := Estimate(w, p); err != nil {
			b.Fatal(err)
		}
	}
}

// The work of a selection: a look every so many steps and after the last.
func TestSelectWork(t *testing.T) {
	c := models.DefaultConfig(models.Frozen)
	c.Size, c.Steps, c.SelectEvery, c.HeldOut = 10, 250, 100, 0.25
	cub := datasets.Manifest{Set: "cub", Counts: map[string]int{"train": 400, "test": 300}, Classes: map[string]int{"test": 20}}
	shop := datasets.Manifest{Set: "inshop", Counts: map[string]int{"train": 400, "query": 20, "gallery": 30}}
	for _, tt := range []struct {
		name, selection string
		manifest        datasets.Manifest
		want            selectionWork
	}{
		{"none", models.SelectLast, cub, selectionWork{}},
		// A quarter of 400 images, among themselves, by 10 numbers each.
		{"validation", models.SelectValidation, cub, selectionWork{3, 100, 100 * 100 * 10}},
		{"peek", models.SelectPeek, cub, selectionWork{3, 300, 300 * 300 * 10}},
		{"peek at queries and gallery", models.SelectPeek, shop, selectionWork{3, 50, 20 * 30 * 10}},
	} {
		c.Selection = tt.selection
		if got, err := estimateSelection(c, tt.manifest); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	c.Evaluate = models.EvaluateValidation
	if images, all, err := evaluationSize(c, cub); err != nil || images != 100 || len(all) != 1 || all[0] != (searchSize{1, 100, 100}) {
		t.Errorf("evaluated on %d images by %v, %v; want 100 among themselves", images, all, err)
	}
}
