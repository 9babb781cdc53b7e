package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/models/backbones"
	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// separable returns features of n images a class around random class centres,
// noisy enough that an untrained head does not tell all classes apart.
func separable(classes, n, width int) (features []float32, labels []int32) {
	random := rand.New(rand.NewPCG(1, 2))
	for c := range classes {
		centre := make([]float64, width)
		for i := range centre {
			centre[i] = random.NormFloat64()
		}
		for range n {
			for i := range centre {
				features = append(features, float32(centre[i]+1.5*random.NormFloat64()))
			}
			labels = append(labels, int32(c))
		}
	}
	return features, labels
}

// smallConfig is a frozen head that trains in a second.
func smallConfig() Config {
	c := DefaultConfig(Frozen)
	c.Backbone, c.Size, c.Learners = "lite0", 24, []int{4, 8, 12}
	c.Boosting, c.Diversity, c.Hidden = losses.BoostingEta, DiversityAdversarial, 16
	c.Classes, c.Images, c.Steps, c.Seed = 6, 4, 30, 5
	c.EmbeddingRate = 1e-3
	return c
}

// trained trains a config to its end and returns its embedding of the images.
func trained(t *testing.T, c Config, data TrainData, dir string) (embedding []float32, steps []Step) {
	t.Helper()
	m, err := New(modelstest.LogicBackend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if dir != "" {
		if _, err = m.Load(dir); err != nil && !errors.Is(err, ErrNoCheckpoint) {
			t.Fatal(err)
		}
	}
	err = m.Train(t.Context(), data, TrainOptions{Checkpoints: dir, OnStep: func(s Step) error {
		steps = append(steps, s)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	embedding, err = m.Embed(t.Context(), EmbedData{Images: len(data.Classes), Features: data.Features})
	if err != nil {
		t.Fatal(err)
	}
	return embedding, steps
}

// Training lowers the loss, gives the same bits twice, and an interrupted
// training continues to the bits of an uninterrupted one, a broken newest
// checkpoint notwithstanding.
func TestTrainFrozen(t *testing.T) {
	c := smallConfig()
	net, err := backbones.Named(c.Backbone)
	if err != nil {
		t.Fatal(err)
	}
	features, labels := separable(10, 8, net.Features)
	data := TrainData{Features: features, Classes: labels}

	want, steps := trained(t, c, data, "")
	if len(steps) != c.Steps {
		t.Fatalf("%d steps reported, want %d", len(steps), c.Steps)
	}
	mean := func(part []Step) (sum float64) {
		for _, s := range part {
			sum += s.Loss / float64(len(part))
		}
		return sum
	}
	if first, last := mean(steps[:5]), mean(steps[25:]); last > first/2 {
		t.Errorf("loss of the first five steps %.3f, of the last five %.3f; want less than half", first, last)
	}
	for _, s := range steps {
		if s.Weights[0] != 1 || s.Weights[1] >= 1 || s.Diversity == 0 || len(s.Learners) != 3 {
			t.Fatalf("step %d: weights %v, diversity %g, learners %v", s.Number, s.Weights, s.Diversity, s.Learners)
		}
	}

	again, _ := trained(t, c, data, "")
	if !slices.Equal(want, again) {
		t.Error("the same seed gave other bits")
	}

	dir := t.TempDir()
	for _, at := range []int{7, 19} {
		interrupt(t, c, data, dir, at)
	}
	found, err := checkpoints(dir)
	if err != nil || len(found) != keepCheckpoints {
		t.Fatalf("checkpoints %v (%v), want %d", found, err, keepCheckpoints)
	}
	if err = os.Truncate(found[0].path, 1000); err != nil {
		t.Fatal(err)
	}
	continued, rest := trained(t, c, data, dir)
	if rest[0].Number != 8 {
		t.Errorf("continued at step %d, want 8: after the newest whole checkpoint", rest[0].Number)
	}
	if !slices.Equal(want, continued) {
		t.Error("the interrupted training ended with other bits")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("after the last step the folder holds %v, want the model alone", left)
	}
}

// interrupt trains until a step's report and cancels there.
func interrupt(t *testing.T, c Config, data TrainData, dir string, at int) {
	t.Helper()
	m, err := New(modelstest.LogicBackend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.Load(dir); err != nil && !errors.Is(err, ErrNoCheckpoint) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = m.Train(ctx, data, TrainOptions{Checkpoints: dir, OnStep: func(s Step) error {
		if s.Number == at {
			cancel()
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted training returned %v", err)
	}
	if m.Step != at {
		t.Fatalf("interrupted at step %d, want %d", m.Step, at)
	}
}

// A diverging training ends with a sentence, and the bad step is not reported.
func TestTrainDiverges(t *testing.T) {
	c := smallConfig()
	c.EmbeddingRate = 1e30
	net, err := backbones.Named(c.Backbone)
	if err != nil {
		t.Fatal(err)
	}
	features, labels := separable(10, 8, net.Features)
	m, err := New(modelstest.LogicBackend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Train(t.Context(), TrainData{Features: features, Classes: labels}, TrainOptions{OnStep: func(s Step) error {
		if math.IsNaN(s.Total) || math.IsInf(s.Total, 0) {
			t.Errorf("step %d was reported with a total of %g", s.Number, s.Total)
		}
		return nil
	}})
	if err == nil || !strings.Contains(err.Error(), "lower the learning rates") {
		t.Errorf("error %v, want one that says to lower the learning rates", err)
	}
}

func BenchmarkTrainFrozen(b *testing.B) {
	for _, method := range []string{"baseline", "bier", "abier"} {
		b.Run(fmt.Sprintf("%s-512", method), func(b *testing.B) {
			c := DefaultConfig(Frozen)
			c.Backbone, c.Learners = "googlenet", []int{512}
			if method != "baseline" {
				c.Learners, c.Boosting = []int{96, 160, 256}, losses.BoostingEta
			}
			if method == "abier" {
				c.Diversity = DiversityAdversarial
			}
			c.Steps = b.N + 1
			features, labels := separable(100, 30, 1024)
			m, err := New(modelstest.Backend(b), c, "", 0)
			if err != nil {
				b.Fatal(err)
			}
			err = m.Train(b.Context(), TrainData{Features: features, Classes: labels}, TrainOptions{OnStep: func(s Step) error {
				if s.Number == 1 {
					b.ResetTimer() // the first step compiles
				}
				return nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// convnetFeatures returns the width of the smallest backbone's pooled feature.
func convnetFeatures() int {
	net, err := backbones.Named("convnet")
	if err != nil {
		panic(err)
	}
	return net.Features
}
