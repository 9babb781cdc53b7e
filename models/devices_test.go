package models

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/backbones"
	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
	"bierbench/models/xla"
)

// curveTolerance is how far a reported number may be from one device's, or from
// that of a batch in one chunk, relative to it: sums over pairs and gradients
// are added up in another order.
const curveTolerance = 1e-5

// spreadConfig is a model of two learners whose step takes milliseconds.
func spreadConfig(mode, diversity string) Config {
	c := DefaultConfig(mode)
	c.Backbone, c.Input, c.Size, c.Learners = "convnet", 32, 24, []int{8, 16}
	c.Boosting, c.Diversity, c.Hidden = losses.BoostingEta, diversity, 16
	c.Classes, c.Images, c.Steps, c.Seed = 6, 4, 8, 5
	c.BackboneRate, c.EmbeddingRate, c.RegressorRate = 1e-3, 1e-3, 1e-3
	return c
}

// spreadData is ten classes of eight images, as features or as pixels.
func spreadData(c Config) TrainData {
	features, labels := separable(10, 8, 128)
	if c.Mode == Frozen {
		return TrainData{Features: features, Classes: labels}
	}
	return TrainData{Classes: labels, Workers: 2, Pixels: func(i int, random PixelRandom, dst []uint8) error {
		paint(features[i*128:(i+1)*128], dst)
		for k := range dst {
			dst[k] += uint8(random.IntN(20))
		}
		return nil
	}}
}

// paint fills dst with a pattern that values decide.
func paint(values []float32, dst []uint8) {
	for k := range dst {
		dst[k] = uint8(max(0, min(235, 117+30*values[k/24%len(values)])))
	}
}

// trainTo trains m, saving every step, up to a step or the end, and returns the reports.
func trainTo(t *testing.T, m *Model, dir string, last int) []Step {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var steps []Step
	o := TrainOptions{Checkpoints: dir, OnStep: func(s Step) error {
		steps = append(steps, s)
		if s.Number == last {
			cancel()
		}
		return nil
	}}
	if dir != "" {
		o.Every = time.Nanosecond
	}
	err := m.Train(ctx, spreadData(m.Config), o)
	if last > 0 && errors.Is(err, context.Canceled) {
		err = nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// newModel is a fresh model, or where dir is given the one saved there.
func newModel(t *testing.T, b *xla.Backend, c Config, dir string) *Model {
	t.Helper()
	m, err := New(b, c, "", 0)
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

// checkCurve compares every number that steps report.
func checkCurve(t *testing.T, name string, got, want []Step) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d steps, want %d", name, len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		a := append([]float64{got[i].Total, got[i].Loss, got[i].Diversity}, slices.Concat(got[i].Learners, got[i].Weights)...)
		b := append([]float64{want[i].Total, want[i].Loss, want[i].Diversity}, slices.Concat(want[i].Learners, want[i].Weights)...)
		for k := range a {
			off := 0.0
			if a[k] != b[k] { // both are 0 where a method has no such term
				off = math.Abs(a[k]-b[k]) / math.Abs(b[k])
			}
			worst = max(worst, off)
			if !(off <= curveTolerance) {
				t.Errorf("%s: step %d: number %d is %.9g, want %.9g", name, got[i].Number, k, a[k], b[k])
			}
		}
	}
	t.Logf("%s: at most %.1g apart", name, worst)
}

// Two and four devices report what one does, also when they take turns: the
// checkpoint of two continues on four.
func TestTrainDevices(t *testing.T) {
	checkTrainDevices(t, "finetune bier", Finetune, DiversityNone) // with weight decay; more: TestIntegrationTrainDevices
}

// checkTrainDevices compares a training on two devices and then four with that on one.
func checkTrainDevices(t *testing.T, name, mode, diversity string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		c := spreadConfig(mode, diversity)
		one := newModel(t, modelstest.OnDevices(t, 1), c, "")
		want := trainTo(t, one, "", 0)

		dir := t.TempDir()
		const turn = 4
		two := trainTo(t, newModel(t, modelstest.OnDevices(t, 2), c, ""), dir, turn)
		checkCurve(t, "two devices", two, want[:turn])
		four := newModel(t, modelstest.OnDevices(t, 4), c, dir)
		if four.Step != turn {
			t.Fatalf("the checkpoint of two devices is of step %d, want %d", four.Step, turn)
		}
		checkCurve(t, "then four", trainTo(t, four, dir, 0), want[turn:])

		// What is saved is what one device loads, and the model that has been
		// trained is its own again.
		for _, m := range []*Model{four, newModel(t, modelstest.OnDevices(t, 1), c, dir)} {
			checkParameters(t, m, one)
		}
		if diversity == DiversityNone { // which takes no part in it
			checkEmbed(t, four)
		}
	})
}

// parameterTolerance is how far a parameter may be from one device's, as a part
// of the way that Adam may have taken it: rate x steps.
const parameterTolerance = 1e-2

// checkParameters compares all parameters.
func checkParameters(t *testing.T, got, want *Model) {
	t.Helper()
	c := want.Config
	worst := 0.0
	for v := range want.store.IterVariables() {
		if !v.Trainable {
			continue
		}
		rate := c.EmbeddingRate
		if inScope(v, backbones.Scope) {
			rate = c.BackboneRate
		}
		other := got.store.GetVariable(v.Path())
		if other.ShardingSpec() != nil {
			t.Errorf("%s is still spread", v.Path())
		}
		a, b := tensors.MustCopyFlatData[float32](other.MustValue()), tensors.MustCopyFlatData[float32](v.MustValue())
		for i := range b {
			off := math.Abs(float64(a[i]-b[i])) / (rate * float64(c.Steps))
			worst = max(worst, off)
			if !(off <= parameterTolerance) {
				t.Errorf("%s: number %d is %g, want %g", v.Path(), i, a[i], b[i])
				break
			}
		}
	}
	t.Logf("parameters: at most %.1g of their way apart", worst)
}

// checkEmbed compares the embeddings of three batches.
func checkEmbed(t *testing.T, m *Model) {
	t.Helper()
	train := spreadData(m.Config)
	data := EmbedData{Images: 75, Pixels: func(i int, dst []uint8) error {
		return train.Pixels(i, stream(0, "test", i), dst)
	}}
	if m.Config.Mode == Frozen { // of which a batch is 1024
		data.Features = slices.Repeat(train.Features, 30)
		data.Images = len(train.Classes) * 30
	}
	var want []float32
	for _, n := range []int{1, 2, 4} {
		m.backend = modelstest.OnDevices(t, n)
		got, err := m.Embed(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("the embeddings of %d devices are other bits", n)
		}
	}
}

func TestTrainDevicesRefuses(t *testing.T) {
	c := spreadConfig(Frozen, DiversityNone)
	c.Classes, c.Images = 5, 3
	steps := 0
	err := newModel(t, modelstest.OnDevices(t, 2), c, "").Train(t.Context(), spreadData(c), TrainOptions{OnStep: func(Step) error { steps++; return nil }})
	if want := "train: 2 devices: they cannot share a batch of 15 images (5 classes x 3) evenly"; err == nil || !strings.HasPrefix(err.Error(), want) || steps > 0 {
		t.Errorf("after %d steps: %v\nwant %s", steps, err, want)
	}
}
