package reports

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"bierbench/runs"
)

// The names that a suite or a data set could hold to break out of a page, a table or a terminal.
const (
	evilMethod  = `<script>alert(1)</script>`
	evilError   = "decode a|b: \"><img onerror=x> \x1b[2Jgone\nsecond line | `code` ${x} \\end{table}"
	evilVariant = `a|b-s64-jpeg`
)

// noon is the time of every sample.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// sampleOptions are those of the sample reports.
func sampleOptions() Options {
	o := DefaultOptions()
	o.Now = noon()
	return o
}

// level is how an invented method behaves in the samples.
type level struct {
	method   string
	size     int
	learners []int
	r1       float64
	loss     float64
}

// levels are invented: no method was run for them.
func levels() []level {
	return []level{
		{"features", 128, nil, 0.41, 0},
		{"baseline", 64, []int{64}, 0.52, 0.9},
		{"bier", 64, []int{12, 20, 32}, 0.545, 0.95},
		{"abier", 64, []int{12, 20, 32}, 0.551, 0.92},
		{evilMethod, 64, []int{32, 32}, 0.50, 1.1},
	}
}

// sample returns an invented run of two data sets: abier's seed 3 on cub failed, the evil method
// has one seed of three and is collapsed.
func sample() loadedRun {
	s := loadedRun{
		record: runs.Record{
			Schema: runs.Schema, ID: "sample", Suite: "invented", Created: noon().Add(-time.Hour),
			Command: []string{"bierbench", "run", "invented"}, Config: json.RawMessage(`[{"datasets":["cub"]}]`),
		},
		steps: map[runs.Key][]runs.TrainStep{},
	}
	random := rand.New(rand.NewPCG(1, 2))
	sets := []struct{ dataset, variant, protocol string }{
		{"cub", "mini+box-s64-jpeg", "cub-loo+box+mini"},
		{"inshop", evilVariant, "inshop-qg+a|b"},
	}
	for _, set := range sets {
		for _, l := range levels() {
			for seed := 1; seed <= 3; seed++ {
				k := runs.Key{Group: runs.Group{
					Dataset: set.dataset, Variant: set.variant, Backbone: "convnet", Mode: "frozen", Method: l.method, Size: l.size,
				}, Seed: seed}
				s.record.Cells = append(s.record.Cells, k)
				c, steps := invent(random, k, l, set.protocol)
				switch {
				case l.method == "abier" && seed == 3 && set.dataset == "cub":
					c = runs.Cell{Schema: runs.Schema, Key: k, Status: runs.Failed, Error: evilError, Started: noon()}
				case l.method == evilMethod && seed == 2:
					c = runs.Cell{Schema: runs.Schema, Key: k, Status: runs.Running, Started: noon()}
				case l.method == evilMethod && seed == 3:
					continue // never started
				default:
					if len(steps) > 0 {
						s.steps[k] = steps
					}
				}
				s.cells = append(s.cells, c)
			}
		}
	}
	s.diff = sampleDiff()
	s.worth = inventWorth(s.cells)
	return s
}

// inventWorth makes up what the vectors of some cells are worth. Bits tie, so their numbers are
// collapsed.
func inventWorth(cells []runs.Cell) []CellWorth {
	var out []CellWorth
	for _, c := range cells {
		learners := map[string]map[int]int{"baseline": {}, "bier": {12: 1, 32: 2, 64: 3}, evilMethod: {32: 1, 64: 2}}[c.Method]
		if c.Status != runs.Done || learners == nil {
			continue
		}
		e := runs.WorthEvaluation{Protocol: c.Evaluations[0].Protocol, At: c.Evaluations[0].At}
		for _, d := range []int{12, 32, 64} {
			for i, form := range worthForms() {
				p := runs.WorthPoint{
					Dimensions: d, Learners: learners[d], Form: form, Bytes: []int{4 * d, d + 4, (d + 7) / 8}[i],
					Metrics: map[string]float64{}, Bounds: map[string][2]float64{},
				}
				for _, name := range []string{recallAt1, mapAtR} {
					v := c.Evaluations[0].Metrics[name]
					v -= 0.05*math.Log2(64/float64(d)) + 0.01*float64(i)
					p.Metrics[name], p.Bounds[name] = v, [2]float64{v, v}
					if form == "bits" {
						p.Bounds[name] = [2]float64{v - 0.01, v + 0.01}
					}
				}
				e.Points = append(e.Points, p)
			}
		}
		out = append(out, CellWorth{c, runs.Worth{Schema: runs.Schema, Cell: c.Path(), Evaluations: []runs.WorthEvaluation{e}}})
	}
	return out
}

// invent makes up a done cell.
func invent(random *rand.Rand, k runs.Key, l level, protocol string) (runs.Cell, []runs.TrainStep) {
	around := func(mean, spread float64) float64 { return math.Round((mean+spread*(random.Float64()-0.5))*1e4) / 1e4 }
	c := runs.Cell{
		Schema: runs.Schema, Key: k, Status: runs.Done, Started: noon(),
		Config: json.RawMessage(fmt.Sprintf(
			`{"backbone":"convnet","mode":"frozen","size":%d,"learners":%s,"boosting":%q,"steps":400,"alpha":2,"seed":%d}`,
			l.size, jsonInts(l.learners), map[bool]string{true: "eta", false: "none"}[len(l.learners) > 1], k.Seed)),
		ConfigHash: digest(l.method), DataHash: digest("data" + k.Dataset),
		Correlation: &runs.Correlation{Dimensions: around(0.12, 0.01)},
		Timing:      map[string]float64{"features": around(2, 0.1), "train": around(12, 3), "evaluate": around(0.4, 0.1), "total": around(15, 3)},
		Throughput:  map[string]float64{"train images/s": around(1900, 90), "embed images/s": around(21000, 500)},
		Environment: runs.Environment{
			Go: "go1.26.8", GoMLX: "v0.26.0", Plugin: "pjrt_c_api_cpu_plugin.so 0123abcd", Backend: "xla:cpu",
			Device: "cpu:0", CPU: "Invented CPU, 2 cores", Commit: "0123456789ab+dirty",
		},
	}
	c.Memory = int64(300+10*k.Seed) << 20
	switch l.method { // a first cell has no time, that of another version nothing
	case "features":
		c.Predicted = &runs.Cost{Memory: 280 << 20, Disk: 1 << 20}
	case "baseline", "bier", "abier":
		c.Predicted = &runs.Cost{Seconds: math.Round(c.Timing["total"]*9) / 10, Memory: 310 << 20, Disk: 1 << 20, Basis: "measured"}
	}
	if len(l.learners) > 1 {
		v := around(0.09, 0.01)
		c.Correlation.Learners = &v
	}
	e := runs.Evaluation{
		Protocol: protocol, At: "last", TestHash: digest("test" + k.Dataset), Queries: 1234, Gallery: 1234,
		Excluded: 2, Metrics: map[string]float64{}, Bounds: map[string][2]float64{},
	}
	miss := 1 - around(l.r1, 0.012)
	for _, at := range []int{1, 2, 4, 8} {
		e.Metrics[fmt.Sprintf("R@%d", at)] = math.Round((1-miss*math.Pow(float64(at), -0.35))*1e4) / 1e4
	}
	e.Metrics[mapAtR] = around(l.r1/3, 0.01)
	e.Metrics["R-precision"] = around(l.r1/2.5, 0.01)
	for name, v := range e.Metrics {
		e.Bounds[name] = [2]float64{v, v}
		if l.method == evilMethod {
			e.Bounds[name] = [2]float64{max(0, v-0.2), min(1, v+0.3)}
		}
	}
	for i, size := range l.learners {
		learner := runs.Learner{Size: size, R1: around(l.r1-0.06, 0.01), Cumulative: around(l.r1-0.02*float64(len(l.learners)-1-i), 0.002)}
		learner.Recalls = map[string]float64{"R@1": learner.R1, "R@2": learner.R1 + 0.1}
		learner.CumulativeRecalls = map[string]float64{"R@1": learner.Cumulative, "R@2": learner.Cumulative + 0.125}
		e.Learners = append(e.Learners, learner)
	}
	if l.method == "bier" && k.Seed != 2 { // an older record, without matrices
		inventMatrices(c.Correlation, k.Seed)
	}
	c.Evaluations = []runs.Evaluation{e}
	var steps []runs.TrainStep
	for i := 1; i <= 400 && len(l.learners) > 0; i++ {
		t := runs.TrainStep{Step: i, Rate: 3e-4, Seconds: float64(i) * 0.03}
		for m := range l.learners {
			t.Learners = append(t.Learners, l.loss*(0.4+math.Exp(-float64(i)/(80+30*float64(m))))+0.05*random.Float64())
			t.Weights = append(t.Weights, 1/float64(m+1))
			t.Loss += t.Learners[m] / float64(len(l.learners))
			if l.method == "bier" && i%20 == 1 { // weights fall as training goes on
				low := math.Round(float64(m)*float64(i)/1.2) / 1e4 * 10
				t.WeightBins = append(t.WeightBins, [2][]float64{{low, 0, 1 - low}, {1, 0, 0}})
			}
		}
		t.Total = t.Loss + 0.1
		steps = append(steps, t)
	}
	return c, steps
}

// inventMatrices makes up how alike three learners are: the same for all seeds except for one entry.
// Learner 1 gives all pairs one score.
func inventMatrices(c *runs.Correlation, seed int) {
	v := func(x float64) *float64 { return &x }
	c.LearnerMatrix = [][]*float64{{v(0.2), v(0.1), v(0.1)}, {v(0.1), v(0.15), v(0.05)}, {v(0.1), v(0.05), v(0.01 * float64(seed))}}
	c.ScoreMatrix = [][]*float64{{nil, nil, nil}, {nil, v(1), v(0.75)}, {nil, v(0.75), v(1)}}
	c.Blocks = &runs.DimensionBlocks{Sizes: []int{12, 20, 31, 1}, Matrix: [][]*float64{
		{v(0.2), v(0.1), v(0.1), v(0.1)},
		{v(0.1), v(0.15), v(0.05), v(0.05)},
		{v(0.1), v(0.05), v(0.02), v(0.02)},
		{v(0.1), v(0.05), v(0.02), nil},
	}}
}

// digest returns an invented digest that depends on the name.
func digest(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name))) }

func jsonInts(list []int) string {
	b, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sampleDiff is an invented comparison with every kind of row.
func sampleDiff() *runs.Diff {
	d := &runs.Diff{
		Schema: runs.Schema, A: "sample", B: "sample", Base: "baseline",
		Footnotes: []string{
			"configuration: boosting none -> eta; learners [64] -> [12,20,32]",
			"one seed on a side: what another seed would give is not known, so there is no verdict; the interval is over test classes alone",
			"code: " + evilVariant, "collapsed: ties decide the number, the pessimistic one is shown and gets no verdict",
		},
	}
	for _, set := range []struct{ dataset, variant, protocol string }{
		{"cub", "mini+box-s64-jpeg", "cub-loo+box+mini"}, {"inshop", evilVariant, "inshop-qg+a|b"},
	} {
		base := runs.Group{Dataset: set.dataset, Variant: set.variant, Backbone: "convnet", Mode: "frozen", Method: "baseline", Size: 64}
		row := func(method string, size int) runs.Comparison {
			b := base
			b.Method, b.Size = method, size
			return runs.Comparison{
				A: base, B: b, Protocol: set.protocol, At: "last", Metric: recallAt1,
				SeedsA: []int{1, 2, 3}, SeedsB: []int{1, 2, 3}, MeanA: 0.5203, Notes: []int{0},
			}
		}
		better, noise, worse, collapsed, apart := row("bier", 64), row("abier", 64), row("abier", 64), row(evilMethod, 64), row("features", 128)
		better.MeanB, better.Delta, better.Low, better.High, better.Detectable = 0.5461, 0.0258, 0.0102, 0.0414, 0.0297
		better.P, better.PHolm, better.Verdict, better.Gained, better.Lost = 0.00009999, 0.0006, runs.Better, 201, 105
		better.Pairs = []runs.SeedPair{{Seed: 1, Gained: 67, Lost: 35, P: 0.0020}, {Seed: 2, Gained: 134, Lost: 70, P: 0.00001}}
		noise.MeanB, noise.Delta, noise.Low, noise.High, noise.Detectable = 0.5199, -0.0004, -0.0121, 0.0113, 0.0222
		noise.P, noise.PHolm, noise.Verdict, noise.Gained, noise.Lost, noise.Notes = 0.94, 1, runs.Noise, 1150, 1151, nil
		noise.Pairs = []runs.SeedPair{{Seed: 3, Gained: 1150, Lost: 1151, P: 1}}
		better.Classes = &runs.Classes{Better: 30, Worse: 12, Equal: 8, Largest: []runs.ClassChange{
			{Class: 7, Queries: 25, A: 0.2, B: 0.6, Delta: 0.4, Gained: 31, Lost: 1},
			{Class: 12, Queries: 24, A: 0.5, B: 0.375, Delta: -0.125, Lost: 9},
		}}
		worse.Metric, worse.MeanA, worse.MeanB, worse.Delta, worse.Low, worse.High = mapAtR, 0.1731, 0.1604, -0.0127, -0.0203, -0.0051
		worse.P, worse.PHolm, worse.Verdict = 0.0012, 0.0048, runs.Worse
		collapsed.MeanB, collapsed.Delta, collapsed.Low, collapsed.High = 0.3021, -0.2182, -1, 1
		collapsed.P, collapsed.PHolm, collapsed.Notes, collapsed.SeedsB = 1, 1, []int{1, 2, 3}, []int{1}
		apart.Reason, apart.MeanA = "the query sets differ: <b>12</b> queries are in one only", 0
		d.Rows = append(d.Rows, better, noise, worse, collapsed, apart)
	}
	d.Configurations = []runs.ConfigDifference{
		{Unified: "--- A\n+++ B\n@@ -2,3 +2,3 @@\n   \"alpha\": 2,\n-  \"boosting\": \"none\",\n+  \"boosting\": \"eta\",\n " +
			"  \"learners\": [64],\n", Rows: []int{0, 5}},
		{Unified: "--- A\n+++ B\n@@ -1,1 +1,1 @@\n-  \"label\": \"```\x1b[2J\"\n+  \"label\": \"</pre><b>bold</b>\"\n", Rows: []int{3, 8}},
	}
	return d
}

// basesSample is the sample of one data set with abier compared with bier, and a
// method whose base has no result.
func basesSample() loadedRun {
	s := sample()
	other := func(dataset string) bool { return dataset != "cub" }
	s.record.Cells = slices.DeleteFunc(s.record.Cells, func(k runs.Key) bool { return other(k.Dataset) })
	s.cells = slices.DeleteFunc(s.cells, func(c runs.Cell) bool { return other(c.Dataset) })
	s.diff.Rows = slices.DeleteFunc(s.diff.Rows, func(c runs.Comparison) bool { return other(c.B.Dataset) })
	s.diff.Configurations = nil // they are of the rows as they were
	for i := range s.diff.Rows {
		switch c := &s.diff.Rows[i]; c.B.Method {
		case "abier":
			c.A.Method = "bier"
		case "features":
			c.A.Method, c.Reason = "raw", "raw has no finished cell with this data set, backbone and mode"
		}
	}
	return s
}
