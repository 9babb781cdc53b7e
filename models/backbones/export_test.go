package backbones

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/cache"
	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
)

// Every backbone's card states what its Normalize computes.
func TestBackboneCards(t *testing.T) {
	rgb := []uint8{0, 127, 255, 200, 100, 50}
	for _, net := range All() {
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
		got, _ := modelstest.Apply(t, net.Normalize, tensors.FromFlatDataAndDimensions(rgb, 1, 1, 2, 3))
		modelstest.WantClose(t, net.Name, got, want, 1e-6)
	}
}

// writePublished writes a network's values under their published names, beside
// tensors that are none of its, as an exported model has them.
func writePublished(t *testing.T, net Backbone, values []InitialValue) string {
	t.Helper()
	checkpoint := map[string]*tensors.Tensor{}
	for _, v := range values {
		checkpoint[fmt.Sprintf("backbone/%s/%s", v.Scope, v.Name)] = v.Value
	}
	published, err := net.Publish(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	published = append(published,
		sealed.NamedTensor{Name: "embedding.biases", Value: tensors.FromFlatDataAndDimensions(make([]float32, 3), 3)},
		sealed.NamedTensor{Name: "embedding.weights", Value: tensors.FromFlatDataAndDimensions(make([]float32, 6), 2, 3)})
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err = sealed.Write(path, published, nil); err != nil {
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
	path := writePublished(t, googlenet(), want)
	added, err := AddWeights(t.Context(), cache.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, "googlenet", path)
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
	file := modelstest.WeightsFile(t, "lite0")
	initial, err := lite0().Load(file)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := sealed.Read(writePublished(t, lite0(), initial))
	if err != nil {
		t.Fatal(err)
	}
	published, err := readStateDict(file)
	if err != nil {
		t.Fatal(err)
	}
	left := len(got) - 2 // the embedding layer
	for name := range published {
		want, _, err := published.tensor(name)
		if err != nil {
			t.Fatal(err)
		}
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

// A checkpoint that is not the network's is not published: the error names the tensor.
func TestPublishRefuses(t *testing.T) {
	net := convnet()
	const kernel, bias = Scope + "/block_1/" + kernelName, Scope + "/block_1/" + biasName
	for _, tt := range []struct {
		name   string
		change func(values map[string]*tensors.Tensor)
		want   string
	}{
		{"nothing", func(map[string]*tensors.Tensor) {}, ""},
		{"of another part of the model", func(v map[string]*tensors.Tensor) { v["embedding/x"] = v[bias] }, ""},
		{"a tensor more", func(v map[string]*tensors.Tensor) { v[Scope+"/block_9/x"] = v[bias] }, "tensor backbone/block_9/x is not one of convnet"},
		{"a tensor less", func(v map[string]*tensors.Tensor) { delete(v, bias) }, "tensor " + bias + " is missing"},
		{"another type", func(v map[string]*tensors.Tensor) {
			v[bias] = tensors.FromFlatDataAndDimensions(make([]float64, 48), 48)
		}, "tensor " + bias + ": want float32, got (Float64)[48]"},
		{"a kernel of one axis", func(v map[string]*tensors.Tensor) { v[kernel] = v[bias] }, "tensor " + kernel + ": want a kernel of 4 axes, got (Float32)[48]"},
	} {
		values := map[string]*tensors.Tensor{}
		for _, v := range net.Create(rand.New(rand.NewPCG(1, 2))) {
			values[Scope+"/"+v.Scope+"/"+v.Name] = v.Value
		}
		want := len(values)
		tt.change(values)
		got, err := net.Publish(values)
		if tt.want == "" && (err != nil || len(got) != want) || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%s: %d tensors, %v; want %q", tt.name, len(got), err, tt.want)
		}
	}
}

// Weights that their backbone cannot read are not kept, and the error says why.
func TestAddWeightsRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.safetensors")
	one := []sealed.NamedTensor{{Name: "x", Value: tensors.FromFlatDataAndDimensions(make([]float32, 3), 3)}}
	if err := sealed.Write(file, one, nil); err != nil {
		t.Fatal(err)
	}
	folder := cache.Cache{Dir: t.TempDir()}
	_, err := AddWeights(t.Context(), folder, "googlenet", file)
	if err == nil || !strings.Contains(err.Error(), "does not fit: ") || !strings.Contains(err.Error(), `"conv1/7x7_s2_filter" is missing`) {
		t.Errorf("%v; want the tensor that is missing", err)
	}
	if _, err = folder.FindWeights("googlenet"); err == nil {
		t.Error("the weights were kept")
	}
}
