package backbones

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
	"bierbench/models/xla"
)

// featureTolerance is for pooled features of size one after sixty float32
// layers, summed in another order than the reference's.
const featureTolerance = 2e-5

// newVariables creates the variables of a network.
func newVariables(t *testing.T, values []InitialValue) *model.Store {
	t.Helper()
	store := model.NewStore()
	net := Backbone{Name: "test", Create: func(*rand.Rand) []InitialValue { return values }}
	if err := net.AddVariables(store.RootScope(), "", nil); err != nil {
		t.Fatal(err)
	}
	return store
}

// runModel executes a graph function that uses store's variables.
func runModel(t *testing.T, store *model.Store, x *tensors.Tensor, f func(x *Node) *Node) []float32 {
	t.Helper()
	return runModelOn(t, modelstest.Backend(t), store, x, f)
}

func runModelOn(t *testing.T, b *xla.Backend, store *model.Store, x *tensors.Tensor, f func(x *Node) *Node) []float32 {
	t.Helper()
	out, err := model.CallOnce(b.Backend, store, func(_ *model.Scope, x *Node) *Node { return f(x) }, x)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out)
}

// TestNormalize states each backbone's input as numbers: swapped channels
// still give plausible features.
func TestNormalize(t *testing.T) {
	rgb := tensors.FromFlatDataAndDimensions([]uint8{0, 127, 255, 200, 100, 50}, 1, 1, 2, 3)
	want := map[string][]float64{
		// blue-104, green-117, red-123
		"googlenet": {255 - 104, 127 - 117, 0 - 123, 50 - 104, 100 - 117, 200 - 123},
		// (x-127)/128
		"lite0":   {-127.0 / 128, 0, 1, 73.0 / 128, -27.0 / 128, -77.0 / 128},
		"convnet": {-127.0 / 128, 0, 1, 73.0 / 128, -27.0 / 128, -77.0 / 128},
	}
	for _, b := range All() {
		got, dims := modelstest.Apply(t, b.Normalize, rgb)
		if !slices.Equal(dims, []int{1, 1, 2, 3}) {
			t.Errorf("%s: shape %v", b.Name, dims)
		}
		modelstest.WantClose(t, b.Name, got, want[b.Name], 0)
	}
}

func TestNamed(t *testing.T) {
	if b, err := Named("lite0"); err != nil || b.Features != 1280 {
		t.Errorf("lite0: %d features, error %v", b.Features, err)
	}
	if _, err := Named("resnet"); err == nil || !strings.Contains(err.Error(), "googlenet") {
		t.Errorf("unknown name: %v, want an error that names the known ones", err)
	}
}

func TestCheckInput(t *testing.T) {
	cases := []struct {
		backbone string
		pixels   int
		ok       bool
	}{
		{"lite0", 224, true},
		{"lite0", 100, false}, // not a multiple of 32
		{"lite0", 0, false},
		{"googlenet", 97, true}, // any size
		{"googlenet", 31, false},
		{"convnet", 64, true},
		{"convnet", 8, false},
	}
	for _, c := range cases {
		b, err := Named(c.backbone)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.CheckInput(c.pixels); (err == nil) != c.ok {
			t.Errorf("%s at %d pixels: error %v", c.backbone, c.pixels, err)
		}
	}
}

// TestGoldenFeatures compares pooled features with those of onnxruntime on an
// implementation that shares nothing with ours.
func TestGoldenFeatures(t *testing.T) {
	for _, name := range []string{"lite0", "googlenet"} {
		t.Run(name, func(t *testing.T) {
			var golden struct {
				Size   int
				Images []struct {
					First      []float64
					Mean, Norm float64
				}
			}
			data, err := os.ReadFile(filepath.Join("testdata", "features-"+name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err = json.Unmarshal(data, &golden); err != nil {
				t.Fatal(err)
			}
			path := modelstest.WeightsFile(t, name)
			net, err := Named(name)
			if err != nil {
				t.Fatal(err)
			}
			count, bytes := len(golden.Images), golden.Size*golden.Size*3
			rgb := modelstest.PatternImages(count, golden.Size)
			features, err := Extract(t.Context(), modelstest.Backend(t), net, path, count, golden.Size, count, func(i int, dst []uint8) error {
				copy(dst, rgb[i*bytes:])
				return nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range golden.Images {
				got := features[i*net.Features : (i+1)*net.Features]
				mean, square := 0.0, 0.0
				for _, v := range got {
					mean += float64(v) / float64(net.Features)
					square += float64(v) * float64(v)
				}
				modelstest.WantClose(t, fmt.Sprintf("image %d", i), got[:len(want.First)], want.First, featureTolerance)
				modelstest.WantClose(t, fmt.Sprintf("image %d: mean and norm", i), []float32{float32(mean), float32(math.Sqrt(square))}, []float64{want.Mean, want.Norm}, featureTolerance)
			}
		})
	}
}

// TestGradientsReachEveryVariable trains on nothing: each trainable variable
// must have a gradient that is not zero, and frozen ones must be left alone.
func TestGradientsReachEveryVariable(t *testing.T) {
	cases := []struct {
		name string
		side int
	}{{"convnet", 32}, {"googlenet", 32}}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			net, err := Named(c.name)
			if err != nil {
				t.Fatal(err)
			}
			path := ""
			if net.Weights != "" {
				path = modelstest.WeightsFile(t, net.Weights)
			}
			store := model.NewStore()
			if err := net.AddVariables(store.Scope("backbone"), path, rand.New(rand.NewPCG(1, 1))); err != nil {
				t.Fatal(err)
			}
			var trainable []*model.Variable
			for v := range store.IterVariables() {
				if v.Trainable {
					trainable = append(trainable, v)
				}
			}
			rgb := tensors.FromFlatDataAndDimensions(modelstest.PatternImages(2, c.side), 2, c.side, c.side, 3)
			// XLA would take 15 s to compile GoogLeNet's gradient.
			norms := runModelOn(t, modelstest.LogicBackend(t), store, rgb, func(rgb *Node) *Node {
				features := net.Forward(store.Scope("backbone"), net.Normalize(rgb))
				features.AssertDims(2, net.Features)
				values := make([]*Node, len(trainable))
				for i, v := range trainable {
					values[i] = v.NodeValue(rgb.Graph())
				}
				norms := Gradient(ReduceAllSum(Square(features)), values...)
				for i, gradient := range norms {
					norms[i] = ReduceAllSum(Square(gradient))
				}
				return Stack(norms, 0)
			})
			for i, v := range trainable {
				if n := float64(norms[i]); !(n > 0) || math.IsInf(n, 0) {
					t.Errorf("%s: squared norm of the gradient is %g", v.Path(), n)
				}
			}
		})
	}
}

func TestCreateConvnet(t *testing.T) {
	a, b := createConvnet(rand.New(rand.NewPCG(7, 1))), createConvnet(rand.New(rand.NewPCG(7, 1)))
	for i := range a {
		if !a[i].Value.Equal(b[i].Value) {
			t.Errorf("%s/%s: two values from one seed", a[i].Scope, a[i].Name)
		}
	}
	values := tensors.MustCopyFlatData[float32](a[4].Value) // block_2: 3x3 taps of 48 channels
	square := 0.0
	for _, v := range values {
		square += float64(v) * float64(v)
	}
	got, want := square/float64(len(values)), 2.0/(9*48)
	if math.Abs(got-want) > 0.02*want { // 41,472 draws: a relative standard error of 0.7%
		t.Errorf("variance %g, want %g", got, want)
	}
}

// TestWeightsThatDoNotFit gives GoogLeNet's reader files with one fault each.
// The faults are in tensors near the start, so the rest can be tiny.
func TestWeightsThatDoNotFit(t *testing.T) {
	zeros := func(dims ...int) *tensors.Tensor {
		n := 1
		for _, d := range dims {
			n *= d
		}
		return tensors.FromFlatDataAndDimensions(make([]float32, n), dims...)
	}
	broken := make([]float32, 64)
	broken[9] = float32(math.NaN())
	cases := []struct {
		name    string // the fault
		replace map[string]*tensors.Tensor
		want    []string
	}{
		{"a tensor is missing", map[string]*tensors.Tensor{"conv1/7x7_s2_bias": nil}, []string{`"conv1/7x7_s2_bias" is missing`, "[64]"}},
		{"another number of channels", map[string]*tensors.Tensor{"conv1/7x7_s2_filter": zeros(64, 4, 7, 7)}, []string{`"conv1/7x7_s2_filter"`, "want float32 [64 3 7 7]", "[64 4 7 7]"}},
		{"another axis order", map[string]*tensors.Tensor{"conv1/7x7_s2_filter": zeros(7, 7, 3, 64)}, []string{"want float32 [64 3 7 7]", "[7 7 3 64]"}},
		{"another rank", map[string]*tensors.Tensor{"conv1/7x7_s2_bias": zeros(1, 64)}, []string{"want float32 [64]"}},
		{"another type", map[string]*tensors.Tensor{"conv1/7x7_s2_bias": tensors.FromFlatDataAndDimensions(make([]float64, 64), 64)}, []string{"want float32 [64]", "Float64"}},
		{"a value that is not a number", map[string]*tensors.Tensor{"conv1/7x7_s2_bias": tensors.FromFlatDataAndDimensions(broken, 64)}, []string{"value 9 is not a finite number"}},
		{"only the first layer", nil, []string{`"conv2/3x3_reduce_filter" is missing`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all := map[string]*tensors.Tensor{
				"conv1/7x7_s2_filter": zeros(64, 3, 7, 7),
				"conv1/7x7_s2_bias":   zeros(64),
				"not/asked_for":       zeros(3), // what is there besides is no fault
			}
			maps.Copy(all, c.replace)
			var named []sealed.NamedTensor
			for name, value := range all {
				if value != nil {
					named = append(named, sealed.NamedTensor{Name: name, Value: value})
				}
			}
			path := filepath.Join(t.TempDir(), "weights.safetensors")
			if err := sealed.Write(path, named, nil); err != nil {
				t.Fatal(err)
			}
			_, err := loadGooglenet(path)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestWeightsThatAreNoWeights(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files := []string{
		filepath.Join(dir, "absent"),
		write("empty", ""),
		write("text", "this is a text file, and no weights"),
		write("zip", "PK\x03\x04 this is not a whole archive"),
		write("pickle", "\x80\x02K\x01."),
		write("cut", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."),
	}
	for _, b := range All() {
		if b.Load == nil {
			continue
		}
		for _, path := range files {
			if err := b.AddVariables(model.NewStore().RootScope(), path, nil); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Errorf("%s: %s: error %v, want one that names the file", b.Name, path, err)
			}
		}
	}
}

// fileExists reports whether there is something at a path.
func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
