package models

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
	"bierbench/models/losses"
)

// testMethods are ways to train one size, by name: every loss with proxies is
// among them, for these are what must not stay.
func testMethods() map[string]Config {
	base := tinyConfig()
	base.Size, base.Learners, base.Steps = 12, []int{2, 4, 6}, 3
	base.Boosting, base.Diversity = losses.BoostingEta, DiversityNone
	methods := map[string]Config{"bier": base}
	c := base
	c.Learners, c.Boosting = []int{12}, losses.BoostingNone
	methods["baseline"] = c
	c = base
	c.Diversity = DiversityAdversarial
	methods["abier"] = c
	c = base
	c.Scale = ScaleBoost
	methods["bier, boosted scale"] = c
	for _, loss := range losses.All() {
		if loss.Proxies() > 0 {
			c = base
			c.Loss, c.Boosting = loss.Name, losses.BoostingGradient
			methods[loss.Name] = c
		}
	}
	return methods
}

// exportTrained trains a model, exports it and returns the model with the file.
func exportTrained(t *testing.T, c Config, data TrainData) (m *Model, exported TestModel, path string) {
	t.Helper()
	m, err := New(modelstest.LogicBackend(t), c, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Finalize)
	dir := t.TempDir()
	if err = m.Train(t.Context(), data, TrainOptions{Checkpoints: dir}); err != nil {
		t.Fatal(err)
	}
	if exported, err = ReadTestModel(dir, c); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "model.safetensors")
	if err = exported.Write(path); err != nil {
		t.Fatal(err)
	}
	return m, exported, path
}

// shapesIn returns the shapes in a safetensors file by name.
func shapesIn(t *testing.T, path string) map[string]string {
	t.Helper()
	values, _, err := sealed.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, v := range values {
		out[name] = v.Shape().String()
	}
	return out
}

// No method has a parameter more than the baseline at test time: the exported
// files have the same tensors and as many bytes, and what is in them gives the
// model's own vectors.
func TestExportHasNoExtraParameters(t *testing.T) {
	checkParametersOf(t, "baseline", "abier", "soft_triple") // TestIntegrationExportHasNoExtraParameters has all
}

// checkParametersOf exports a model of each of some of testMethods.
func checkParametersOf(t *testing.T, methods ...string) {
	t.Helper()
	data := tinyData()
	width := convnetFeatures()
	var size int64
	for _, name := range methods {
		t.Run(name, func(t *testing.T) {
			c := testMethods()[name]
			m, exported, path := exportTrained(t, c, data)
			// By hand: [128, 12] and [12].
			want := map[string]string{EmbeddingWeights: "(Float32)[128, 12]", EmbeddingBiases: "(Float32)[12]"}
			if d := cmp.Diff(want, shapesIn(t, path)); d != "" {
				t.Errorf("tensors (-want +got):\n%s", d)
			}
			if exported.Parameters() != 128*12+12 {
				t.Errorf("%d parameters, want %d", exported.Parameters(), 128*12+12)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if size == 0 {
				size = info.Size()
			}
			if info.Size() != size {
				t.Errorf("%d bytes, another method has %d", info.Size(), size)
			}
			if digest, failed := m.Digest(); failed != nil || digest != exported.Digest {
				t.Errorf("digest %s, the model's is %s (%v)", exported.Digest, digest, failed)
			}
			images := len(data.Classes)
			want32, err := m.Embed(t.Context(), EmbedData{Images: images, Features: data.Features})
			if err != nil {
				t.Fatal(err)
			}
			got := embedPlainly(t, path, exported.Factors, c.Learners, data.Features, width)
			for i, v := range got {
				if math.Abs(v-float64(want32[i])) > 1e-5 {
					t.Fatalf("value %d of image %d is %g by the exported tensors, the model has %g", i%12, i/12, v, want32[i])
				}
			}
		})
	}
}

// embedPlainly computes test-time vectors from an exported file in float64.
func embedPlainly(t *testing.T, path string, factors []float64, learners []int, features []float32, width int) []float64 {
	t.Helper()
	values, _, err := sealed.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tensors.MustCopyFlatData[float32](values[EmbeddingWeights])
	b := tensors.MustCopyFlatData[float32](values[EmbeddingBiases])
	var out []float64
	for x := range slices.Chunk(features, width) {
		from := 0
		for m, d := range learners {
			slice := make([]float64, d)
			square := 0.0
			for j := range slice {
				slice[j] = float64(b[from+j])
				for k, v := range x {
					slice[j] += float64(v) * float64(w[k*len(b)+from+j])
				}
				square += slice[j] * slice[j]
			}
			for j := range slice {
				slice[j] *= factors[m] / max(math.Sqrt(square), losses.NormFloor)
			}
			out = append(out, slice...)
			from += d
		}
	}
	return out
}

// A folder of which the newest checkpoint is not whole or not there, or which
// is of another configuration, gives an error and not another model.
func TestReadTestModelRefuses(t *testing.T) {
	c := tinyConfig()
	dir := t.TempDir()
	interrupt(t, c, tinyData(), dir, 5)
	interrupt(t, c, tinyData(), dir, 7)
	if _, err := ReadTestModel(t.TempDir(), c); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("empty folder: %v", err)
	}
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"other size", func(c *Config) { c.Size, c.Learners = 8, []int{2, 6} }, "embedding/learner1/weights\": want float32 [128 6]"},
		{"fewer learners", func(c *Config) { c.Size, c.Learners = 2, []int{2} }, "learner1/weights: want the 1 learners"},
		{"more learners", func(c *Config) { c.Size, c.Learners = 8, []int{2, 4, 2} }, `"embedding/learner2/weights" is missing`},
		{"finetuned", func(c *Config) { c.Mode = Finetune }, "backbone/block_0/bias is missing"},
		{"other backbone", func(c *Config) { c.Backbone = "lite0" }, "want float32 [1280 2]"},
	} {
		other := c
		tt.change(&other)
		if _, err := ReadTestModel(dir, other); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	// The first five steps' model is whole, but it is not the one asked for.
	if err := os.Truncate(filepath.Join(dir, "step-00000007.safetensors"), 2000); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTestModel(dir, c); err == nil || !strings.Contains(err.Error(), "step-00000007") {
		t.Errorf("broken checkpoint: %v", err)
	}
}
