package models

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// Every backbone's card states what its Normalize computes.
func TestBackboneCards(t *testing.T) {
	rgb := []uint8{0, 127, 255, 200, 100, 50}
	for _, net := range Backbones() {
		card := net.Card
		if card.Network == "" || card.Tensors == "" {
			t.Errorf("%s: the card is not filled", net.Name)
		}
		var want []float64
		for _, pixel := range [][]uint8{rgb[:3], rgb[3:]} {
			for i, channel := range card.Channels {
				want = append(want, (float64(pixel[strings.IndexRune("RGB", channel)])-card.Mean[i])*card.Scale)
			}
		}
		got, _ := run(t, net.Normalize, tensors.FromFlatDataAndDimensions(rgb, 1, 1, 2, 3))
		wantClose(t, net.Name, got, want, 1e-6)
	}
}

// finetuned returns a finetune configuration of the smallest head, and the
// checkpoint's tensors of a model with these backbone values.
func finetuned(t *testing.T, net Backbone, values []InitialValue) (Config, map[string]*tensors.Tensor) {
	t.Helper()
	c := DefaultConfig(Finetune)
	c.Backbone, c.Input, c.Size, c.Learners = net.Name, 32, 3, []int{1, 2}
	out := map[string]*tensors.Tensor{}
	for _, v := range values {
		out[fmt.Sprintf("backbone/%s/%s", v.Scope, v.Name)] = v.Value
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i, d := range c.Learners {
		out[fmt.Sprintf("embedding/learner%d/weights", i)] = xavier(random, net.Features, d)
		out[fmt.Sprintf("embedding/learner%d/biases", i)] = tensors.FromFlatDataAndDimensions(make([]float32, d), d)
	}
	return c, out
}

// writeExported exports checkpoint tensors to a file.
func writeExported(t *testing.T, c Config, values map[string]*tensors.Tensor) string {
	t.Helper()
	m, err := testModelOf(c, values)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err = m.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// An exported GoogLeNet is a file of weights: it is taken into the cache and
// loaded with every value in its place.
func TestExportedGooglenetIsWeights(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	draw := func(dims ...int) *tensors.Tensor {
		n := 1
		for _, d := range dims {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = random.Float32()
		}
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	var want []InitialValue
	for _, c := range googlenetConvs() {
		want = append(want,
			InitialValue{Scope: c.name, Name: kernelName, Value: draw(c.size, c.size, c.in, c.out)},
			InitialValue{Scope: c.name, Name: biasName, Value: draw(c.out)})
	}
	c, values := finetuned(t, googlenet(), want)
	path := writeExported(t, c, values)
	added, err := AddWeights(t.Context(), Cache{Dir: filepath.Join(t.TempDir(), "cache")}, "googlenet", path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := googlenet().Load(added.Path)
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, got, want)
}

// wantValues compares what a network starts from, value by value.
func wantValues(t *testing.T, got, want []InitialValue) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d variables, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Scope != w.Scope || g.Name != w.Name || !g.Value.Shape().Equal(w.Value.Shape()) ||
			!slices.Equal(tensors.MustCopyFlatData[float32](g.Value), tensors.MustCopyFlatData[float32](w.Value)) {
			t.Errorf("variable %d: %s/%s %s, want %s/%s %s with its values", i, g.Scope, g.Name, g.Value.Shape(), w.Scope, w.Name, w.Value.Shape())
		}
	}
}

// An exported Lite0 that was not trained has the published file's tensors: all
// of it but the classifier.
func TestExportedLite0HasPublishedNames(t *testing.T) {
	file := weightsFile(t, "lite0")
	initial, err := lite0().Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c, values := finetuned(t, lite0(), initial)
	got, _, err := ReadSafetensors(writeExported(t, c, values))
	if err != nil {
		t.Fatal(err)
	}
	published, err := readStateDict(file)
	if err != nil {
		t.Fatal(err)
	}
	left := len(got) - 2 // the embedding layer
	for name, want := range published {
		if strings.HasPrefix(name, "_fc.") {
			continue
		}
		left--
		if g, ok := got[name]; !ok || !g.Shape().Equal(want.Shape()) ||
			!slices.Equal(tensors.MustCopyFlatData[float32](g), tensors.MustCopyFlatData[float32](want)) {
			t.Errorf("tensor %s is not the published one", name)
		}
	}
	if left != 0 {
		t.Errorf("%d tensors are not in the published file", left)
	}
}

// A finetuned model's exported backbone is the model's, in the layout that the
// card states.
func TestExportedBackboneIsTheModels(t *testing.T) {
	c := DefaultConfig(Finetune)
	c.Backbone, c.Input, c.Size, c.Learners = "convnet", 16, 6, []int{2, 4}
	c.Classes, c.Images, c.Steps, c.BackboneRate = 3, 2, 2, 1e-3
	data := TrainData{Workers: 1, Pixels: func(i int, _ PixelRandom, dst []uint8) error {
		for j := range dst {
			dst[j] = uint8(31*i + j*j)
		}
		return nil
	}}
	for i := range 12 {
		data.Classes = append(data.Classes, int32(i/3))
	}
	m, _, path := exportTrained(t, c, data)
	got, _, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	want := 2
	for v := range m.store.IterVariables() {
		if !inScope(v, backboneScope) || isMoment(v) {
			continue
		}
		want++
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float32](value)
		block := strings.TrimPrefix(v.Scope(), "/backbone/")
		if v.Name() == biasName {
			if !slices.Equal(tensors.MustCopyFlatData[float32](got[block+".bias"]), flat) {
				t.Errorf("%s.bias is not the model's", block)
			}
			continue
		}
		kernel, dims := tensors.MustCopyFlatData[float32](got[block+".weight"]), value.Shape().Dimensions
		h, w, in, out := dims[0], dims[1], dims[2], dims[3]
		if !slices.Equal(got[block+".weight"].Shape().Dimensions, []int{out, in, h, w}) {
			t.Fatalf("%s.weight has shape %s, want %v", block, got[block+".weight"].Shape(), []int{out, in, h, w})
		}
		for y := range h {
			for x := range w {
				for i := range in {
					for o := range out {
						if kernel[((o*in+i)*h+y)*w+x] != flat[((y*w+x)*in+i)*out+o] {
							t.Fatalf("%s.weight[%d,%d,%d,%d] is not the model's", block, o, i, y, x)
						}
					}
				}
			}
		}
	}
	if len(got) != want || want != 2+2*len(convnetBlocks()) {
		t.Errorf("%d tensors exported, the model has %d", len(got), want)
	}
}
