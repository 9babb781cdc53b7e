package models

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
	"bierbench/models/losses"
)

// testTimeOutput compiles and runs the program that Embed runs, on a batch of
// features or of images, and returns the output's node in its graph.
func testTimeOutput(t *testing.T, c Config, rows int) *Node {
	t.Helper()
	m, err := New(modelstest.Backend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Finalize)
	e, err := m.NewEmbedder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if failed := e.Free(); failed != nil {
			t.Error(failed)
		}
	})
	input := tensors.FromShape(shapes.Make(dtypes.Float32, rows, m.width))
	if c.Mode == Finetune {
		input = tensors.FromShape(shapes.Make(dtypes.Uint8, rows, c.Input, c.Input, 3))
	}
	out, g, err := e.program.RunGraph(0, input)
	if err != nil {
		t.Fatal(err)
	}
	output := g.LastNode()
	if !output.Shape().Equal(out.Shape()) {
		t.Fatalf("the graph ends with %s, the output is %s", output.Shape(), out.Shape())
	}
	return output
}

// multiplyAdds counts those of the matrix products and convolutions that a node
// depends on, from the shapes of their operands.
func multiplyAdds(t *testing.T, output *Node) (total int) {
	t.Helper()
	seen := map[NodeId]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if seen[n.Id()] {
			return
		}
		seen[n.Id()] = true
		in := n.Inputs()
		for _, input := range in {
			visit(input)
		}
		kind, size := n.Type(), n.Shape().Size()
		if kind == NodeTypeConvGeneral {
			kernel := in[1].Shape() // [h, w, in, out]
			total += size * kernel.Size() / kernel.Dim(3)
		}
		if kind == NodeTypeDotGeneral {
			if in[0].Rank() != 2 || in[1].Rank() != 2 {
				t.Fatalf("a product of %s and %s, want matrices", in[0].Shape(), in[1].Shape())
			}
			total += size * in[0].Shape().Dim(1)
		}
	}
	visit(output)
	return total
}

// costPair is the baseline and BIER at one size.
func costPair(mode, backbone string, input, size int) map[string]Config {
	c := DefaultConfig(mode)
	c.Backbone, c.Input, c.Size = backbone, input, size
	out := map[string]Config{}
	c.Learners = []int{size}
	out["baseline"] = c
	c.Learners, c.Boosting = LearnerSizes(size, 3), losses.BoostingEta
	out["bier"] = c
	return out
}

// BIER's program at test time multiplies and adds as often as the baseline's.
func TestTestTimeCost(t *testing.T) {
	const rows = 8
	for _, tt := range []struct {
		mode, backbone string
		input          int
		want           int // by hand
	}{
		{Frozen, "lite0", 224, rows * 1280 * 512},
		{Frozen, "googlenet", 224, rows * 1024 * 512},
		// Maps of 16, 8, 4 and 2 positions a side, with 32, 48, 96 and 128 channels.
		{Finetune, "convnet", 32, rows * (16*16*32*5*5*3 + 8*8*48*3*3*32 + 4*4*96*3*3*48 + 2*2*128*3*3*96 + 128*512)},
	} {
		for name, c := range costPair(tt.mode, tt.backbone, tt.input, 512) {
			t.Run(fmt.Sprintf("%s-%s/%s", tt.backbone, tt.mode, name), func(t *testing.T) {
				if got := multiplyAdds(t, testTimeOutput(t, c, rows)); got != tt.want {
					t.Errorf("%d multiply-adds for %d images, want %d", got, rows, tt.want)
				}
			})
		}
	}
}

// BenchmarkEmbed is the time of 1,024 test-time vectors of frozen features.
func BenchmarkEmbed(b *testing.B) {
	const rows = 1024
	for _, name := range []string{"baseline", "bier"} {
		b.Run(name, func(b *testing.B) {
			c := costPair(Frozen, "lite0", 224, 512)[name]
			m, err := New(modelstest.Backend(b), c, "", 0)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Finalize()
			e, err := m.NewEmbedder()
			if err != nil {
				b.Fatal(err)
			}
			features := make([]float32, rows*m.width)
			for i := range features {
				features[i] = float32(i%97) / 97
			}
			input := tensors.FromFlatDataAndDimensions(features, rows, m.width)
			for b.Loop() {
				out, failed := e.program.Run(0, input)
				if failed != nil {
					b.Fatal(failed)
				}
				out.MustFinalizeAll()
			}
			if err = e.Free(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "images/s")
		})
	}
}
