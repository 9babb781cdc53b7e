package backbones

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/onnx"
	"bierbench/models/internal/sealed"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// publishedZeros returns tensors of a network's names and shapes, which are those of its weights file.
func publishedZeros(t *testing.T, net Backbone) []sealed.NamedTensor {
	t.Helper()
	var out []sealed.NamedTensor
	zeros := func(name string, dims ...int) {
		n := 1
		for _, d := range dims {
			n *= d
		}
		out = append(out, sealed.NamedTensor{Name: name, Value: tensors.FromFlatDataAndDimensions(make([]float32, n), dims...)})
	}
	switch net.Name {
	case "googlenet":
		for _, c := range googlenetConvs() {
			zeros(c.name+"_filter", c.out, c.in, c.size, c.size)
			zeros(c.name+"_bias", c.out)
		}
	case "lite0":
		for _, c := range liteConvs() {
			zeros(c.conv+".weight", c.out, c.in, c.size, c.size)
			for _, name := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
				zeros(c.norm+name, c.out)
			}
		}
	default:
		var err error
		if out, err = net.Published(""); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// described returns a network as a graph at an input.
func described(t *testing.T, net Backbone, input int, published []sealed.NamedTensor) ([]byte, error) {
	t.Helper()
	g := onnx.New(net.Name)
	images := g.Input("images", onnx.Uint8, onnx.Batch, input, input, 3)
	features, err := net.Describe(g, images, input, published)
	if err != nil {
		return nil, err
	}
	g.Output(features, onnx.Float, onnx.Batch, net.Features)
	var out bytes.Buffer
	if err := g.Write(&out, "bierbench", nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), nil
}

// Every network's nodes and constants are those in the golden file, with every published tensor once.
// TestIntegrationONNX runs them.
func TestDescribe(t *testing.T) {
	for _, net := range All() {
		if net.describe == nil {
			continue
		}
		t.Run(net.Name, func(t *testing.T) {
			published := publishedZeros(t, net)
			file, err := described(t, net, net.Input, published)
			if err != nil {
				t.Fatal(err)
			}
			got := modelstest.ONNXText(t, file)
			for _, p := range published {
				if strings.Count(got, "\nconstant "+p.Name+" ") != 1 {
					t.Errorf("tensor %s is not there once", p.Name)
				}
			}
			path := filepath.Join("testdata", "onnx-"+net.Name+".txt")
			if *update {
				if err = os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("graph (-want +got):\n%s", d)
			}
		})
	}
}

func TestDescribeRefuses(t *testing.T) {
	net := convnet()
	published := publishedZeros(t, net)
	without := net
	without.describe = nil
	other := append([]sealed.NamedTensor{}, published...)
	for i, p := range other {
		if p.Name == "block_1.bias" {
			other[i].Value = tensors.FromFlatDataAndDimensions(make([]float32, 5), 5)
		}
	}
	for _, tt := range []struct {
		name      string
		net       Backbone
		input     int
		published []sealed.NamedTensor
		want      string
	}{
		{"a network without a description", without, 32, published, "convnet: " + ErrNoDescription.Error()},
		{"an input that is too small", net, 8, published, "input: 8 pixels for convnet"},
		{"a tensor that is missing", net, 32, nil, "describe convnet: there is no variable block_0/kernel"},
		{"another shape", net, 32, other, "variable block_1/bias has shape [5], want [48]"},
	} {
		_, err := described(t, tt.net, tt.input, tt.published)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if errors.Is(err, ErrNoDescription) != (tt.net.describe == nil) {
			t.Errorf("%s: %v is or is not ErrNoDescription", tt.name, err)
		}
	}
}

// A network that was never trained has the values with which Extract computes its features.
func TestPublishedOfUntrained(t *testing.T) {
	published, err := convnet().Published("")
	if err != nil {
		t.Fatal(err)
	}
	random := createConvnet(rand.New(rand.NewPCG(0, 0)))
	for _, p := range published {
		if p.Name != "block_0.weight" {
			continue
		}
		// [32, 3, 5, 5] of [5, 5, 3, 32]: the second input channel of the first output.
		got, want := tensors.MustCopyFlatData[float32](p.Value)[25], tensors.MustCopyFlatData[float32](random[0].Value)[32]
		if got != want {
			t.Errorf("value %g, want %g", got, want)
		}
		return
	}
	t.Error("there is no block_0.weight")
}
