package models

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
	"bierbench/models/losses"
	"bierbench/models/xla"
)

// proxyTraining is a model of three learners, boosted by rule gradient, whose
// loss has proxies of the ten classes of spreadData.
func proxyTraining(mode, loss string) Config {
	c := spreadConfig(mode, DiversityNone)
	c.Learners, c.Boosting = []int{4, 8, 12}, losses.BoostingGradient
	c.Loss = loss
	if loss == "soft_triple" {
		c.Constants = map[string]float64{"centres": 3}
	}
	c.ProxyRate = c.EmbeddingRate
	return c
}

// newProxyModel is newModel of ten classes.
func newProxyModel(t *testing.T, b *xla.Backend, c Config, dir string) *Model {
	t.Helper()
	m, err := New(b, c, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	if dir != "" {
		if _, err := m.Load(dir); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// proxyValues returns the proxies of every learner.
func proxyValues(m *Model) [][]float32 {
	var out [][]float32
	for i := range m.Config.Learners {
		v := xla.Below(m.store.RootScope(), proxyScope, learnerName(i)).GetVariable("proxies")
		out = append(out, tensors.MustCopyFlatData[float32](v.MustValue()))
	}
	return out
}

// Training lowers the loss of every learner and moves each one's proxies.
func TestTrainProxies(t *testing.T) {
	checkTrainProxies(t, "soft_triple") // TestIntegrationTrainProxies has all
}

// checkTrainProxies trains with each of some losses that have proxies.
func checkTrainProxies(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := proxyTraining(Frozen, name)
			c.Steps, c.EmbeddingRate, c.ProxyRate = 40, 3e-3, 3e-2
			b := modelstest.LogicBackend(t)
			whole := newProxyModel(t, b, c, "")
			before := proxyValues(whole)
			steps := trainTo(t, whole, "", 0)
			for m := range c.Learners {
				first, last := 0.0, 0.0
				for i := range 5 {
					first += steps[i].Learners[m]
					last += steps[c.Steps-1-i].Learners[m]
				}
				if !(last < 0.9*first) {
					t.Errorf("learner %d: loss %.3f in the first five steps, %.3f in the last", m, first/5, last/5)
				}
			}
			after := proxyValues(whole)
			for m, d := range c.Learners {
				if len(after[m]) != 10*c.proxies()*d || slices.Equal(before[m], after[m]) {
					t.Errorf("learner %d: %d values of proxies, trained: %v", m, len(after[m]), !slices.Equal(before[m], after[m]))
				}
			}
			if name == "soft_triple" {
				checkProxiesContinue(t, whole)
			}
			checkEmbedWithoutProxies(t, whole)
		})
	}
}

// checkProxiesContinue: checkpoints hold the proxies and their moments, and an
// interrupted training continues to the same bits.
func checkProxiesContinue(t *testing.T, whole *Model) {
	t.Helper()
	c, b, dir := whole.Config, modelstest.LogicBackend(t), t.TempDir()
	trainTo(t, newProxyModel(t, b, c, ""), dir, 7)
	found, err := checkpoints(dir)
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	values, _, err := sealed.Read(found[0].path)
	if err != nil {
		t.Fatal(err)
	}
	for m, d := range c.Learners {
		for _, scope := range []string{"", "adam/first/", "adam/second/"} {
			name := fmt.Sprintf("%sproxy/learner%d/proxies", scope, m)
			if v := values[name]; v == nil || !slices.Equal(v.Shape().Dimensions, []int{10 * c.proxies(), d}) {
				t.Errorf("the checkpoint's %s is %v", name, v)
			}
		}
	}
	resumed := newProxyModel(t, b, c, dir)
	if resumed.Step != 7 {
		t.Fatalf("continued at step %d, want 7", resumed.Step)
	}
	trainTo(t, resumed, dir, 0)
	for name, m := range map[string]*Model{"resumed": resumed, "saved": newProxyModel(t, b, c, dir)} {
		if digest(t, m) != digest(t, whole) {
			t.Errorf("%s: other bits", name)
		}
	}
}

// checkEmbedWithoutProxies: whatever the proxies are, embeddings have the same
// bits.
func checkEmbedWithoutProxies(t *testing.T, m *Model) {
	t.Helper()
	data := spreadData(m.Config)
	embed := func() []float32 {
		out, err := m.Embed(t.Context(), EmbedData{Images: len(data.Classes), Features: data.Features})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := embed()
	for v := range m.store.IterVariables() {
		if inScope(v, proxyScope) {
			if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil { // all 0
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(embed(), want) {
		t.Error("the embeddings depend on proxies")
	}
}

// Proxies of other classes are refused, before training and in a checkpoint.
func TestProxiesOfOtherClasses(t *testing.T) {
	c := proxyTraining(Frozen, "soft_triple")
	b := modelstest.LogicBackend(t)
	dir := t.TempDir()
	trainTo(t, newProxyModel(t, b, c, ""), dir, 3)
	other, err := New(b, c, "", 12)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Load(dir)
	if want := "the checkpoint has proxies of 10 training classes, want 12"; err == nil || !strings.Contains(err.Error(), want) || other.Step != 0 {
		t.Errorf("load: %v; want %q", err, want)
	}
	err = other.Train(t.Context(), spreadData(c), TrainOptions{})
	if want := "10 training classes; the model has proxies of 12"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("train: %v; want %q", err, want)
	}
	if _, err = New(b, c, "", 1); err == nil || !strings.Contains(err.Error(), "needs at least 2") {
		t.Errorf("one class: %v", err)
	}
}

// Two devices have the losses and parameters of one, proxies included, and so
// has a batch in two chunks. TestIntegrationProxiesSplit has both end to end on XLA.
func TestProxiesSplit(t *testing.T) {
	t.Run("frozen", func(t *testing.T) { // sums over the images, which devices share
		c := proxyTraining(Frozen, "proxy_anchor")
		one, two := newProxyModel(t, modelstest.OnDevices(t, 1), c, ""), newProxyModel(t, modelstest.OnDevices(t, 2), c, "")
		want := trainTo(t, one, "", 0)
		checkCurve(t, "two devices", trainTo(t, two, "", 0), want)
		checkParameters(t, two, one)
	})
	t.Run("finetune", func(t *testing.T) { // softmaxes, and a penalty
		c := proxyTraining(Finetune, "soft_triple")
		c.Input = 16
		one := newProxyModel(t, modelstest.LogicBackend(t), c, "")
		want := trainTo(t, one, "", 0)
		c.Accumulate = 2
		chunks := newProxyModel(t, modelstest.LogicBackend(t), c, "")
		got := trainTo(t, chunks, "", 0)
		checkCurve(t, "two chunks", got, want)
		checkParameters(t, chunks, one)
		for i := range got {
			if off := math.Abs(got[i].Total-want[i].Total) / want[i].Total; !(off <= 4e-6) {
				t.Errorf("step %d in chunks: total %.9g, want %.9g", i+1, got[i].Total, want[i].Total)
			}
		}
	})
}

// Weight decay large enough to decide every sign of a gradient leaves the
// proxies where they go without it.
func TestProxiesDoNotDecay(t *testing.T) {
	c := proxyTraining(Frozen, "normalised_softmax")
	c.Steps = 1
	var after []*Model
	for _, decay := range []float64{0, 1e4} {
		c.WeightDecay = decay
		m := newProxyModel(t, modelstest.LogicBackend(t), c, "")
		trainTo(t, m, "", 0)
		after = append(after, m)
	}
	largest := func(values func(m *Model) []float32) (off float64) {
		a, b := values(after[0]), values(after[1])
		for i := range a {
			off = max(off, math.Abs(float64(a[i]-b[i])))
		}
		return off
	}
	for i := range c.Learners {
		if off := largest(func(m *Model) []float32 { return proxyValues(m)[i] }); off > 0.01*c.ProxyRate {
			t.Errorf("learner %d: weight decay moved a proxy by %g", i, off)
		}
		off := largest(func(m *Model) []float32 {
			return tensors.MustCopyFlatData[float32](xla.Below(m.store.RootScope(), embeddingScope, learnerName(i)).GetVariable("weights").MustValue())
		})
		if off < c.EmbeddingRate { // the test would be of nothing
			t.Errorf("learner %d: weight decay moved embedding weights by %g only", i, off)
		}
	}
}

// Proxies have random numbers of their own: those of learners of one width
// differ, and every other variable begins as it does without them.
func TestProxiesHaveTheirStream(t *testing.T) {
	c := proxyTraining(Finetune, "proxy_anchor")
	c.Learners = []int{8, 8, 8}
	c.Diversity = DiversityAdversarial
	with := newProxyModel(t, modelstest.LogicBackend(t), c, "")
	c.Loss, c.Constants = "binomial_deviance", nil
	without := newProxyModel(t, modelstest.LogicBackend(t), c, "")
	shared := 0
	for v := range without.store.IterVariables() {
		other := with.store.GetVariable(v.Path())
		if other == nil || !slices.Equal(tensors.MustCopyFlatData[float32](v.MustValue()), tensors.MustCopyFlatData[float32](other.MustValue())) {
			t.Errorf("%s begins in another way", v.Path())
		}
		shared++
	}
	all := 0
	for range with.store.IterVariables() {
		all++
	}
	if all != shared+3 {
		t.Errorf("%d variables with proxies, %d without, want three more", all, shared)
	}
	values := proxyValues(with)
	if slices.Equal(values[0], values[1]) || slices.Equal(values[1], values[2]) {
		t.Error("learners share their first proxies")
	}
	again := proxyValues(newProxyModel(t, modelstest.LogicBackend(t), with.Config, ""))
	if !slices.Equal(values[0], again[0]) {
		t.Error("the same seed gave other proxies")
	}
}
