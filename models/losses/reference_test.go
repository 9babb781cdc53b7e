package losses

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// lossReference is a file that testdata/losses.py writes.
type lossReference struct {
	Source    string                 `json:"source"`
	Loss      string                 `json:"loss"`
	Constants map[string]float64     `json:"constants"`
	PosCount  string                 `json:"pos_count"`
	Labels    []int32                `json:"labels"`
	Inputs    map[string][][]float64 `json:"inputs"` // embeddings and, for some losses, proxies
	Value     float64                `json:"value"`
	Gradients map[string][][]float64 `json:"gradients"`
}

// Values and gradients of every loss, by pytorch-metric-learning or by the
// formula in PyTorch: testdata/losses.py says which. Both sum in float64, in
// another order.
func TestLossReference(t *testing.T) {
	files, err := filepath.Glob("testdata/losses/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var covered []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r lossReference
		if err := modelstest.StrictJSON(data, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		covered = append(covered, r.Loss)
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := DefaultConfig()
			c.Loss, c.Constants, c.PosCount = r.Loss, r.Constants, r.PosCount
			loss, err := For(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			inputs := []*tensors.Tensor{
				tensors.FromFlatDataAndDimensions(r.Labels, len(r.Labels)),
				modelstest.Matrix(r.Inputs["embeddings"]),
			}
			want := [][]float64{{r.Value}, slices.Concat(r.Gradients["embeddings"]...)}
			if loss.Proxies() > 0 {
				inputs = append(inputs, modelstest.Matrix(r.Inputs["proxies"]))
				want = append(want, slices.Concat(r.Gradients["proxies"]...))
			}
			got := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
				total := lossCase{config: c, loss: loss}.boosted(in).Total
				return append([]*Node{total}, Gradient(total, in[1:]...)...)
			})
			for i := range want {
				if j, off := modelstest.Farthest(got[i], want[i]); off > modelstest.GoldenTolerance {
					t.Errorf("output %d, number %d: got %.17g, want %.17g by %s", i, j, got[i][j], want[i][j], r.Source)
				}
			}
		})
	}
	for _, l := range All() {
		if !slices.Contains(covered, l.Name) {
			t.Errorf("no file is about the loss %s", l.Name)
		}
	}
}
