package models

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

var goldenTestScales = map[string]string{"code": ScaleSize, "sqrt_a": ScaleBoost, "ones": ScaleNone}

// goldenTestVectors computes the test vectors of a boosted loss's case, from
// embeddings or from pooled features, matrices and biases.
func goldenTestVectors(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var inputs []*tensors.Tensor
	_, pooled := c.Inputs["x"]
	learners := 0
	if pooled {
		matrices := modelstest.GoldenInput[[][][]float64](t, c, "W")
		learners = len(matrices)
		inputs = append(inputs, modelstest.Matrix(modelstest.GoldenInput[[][]float64](t, c, "x")))
		for _, w := range matrices {
			inputs = append(inputs, modelstest.Matrix(w))
		}
		for _, b := range modelstest.GoldenInput[[][]float64](t, c, "b") {
			inputs = append(inputs, modelstest.Matrix([][]float64{b}))
		}
	} else {
		for _, e := range modelstest.GoldenInput[[][][]float64](t, c, "embeddings") {
			inputs = append(inputs, modelstest.Matrix(e))
		}
	}
	var names []string
	results := modelstest.Evaluate(t, modelstest.LogicBackend(t), inputs, func(in []*Node) []*Node {
		embeddings := in
		if pooled {
			embeddings = nil
			for m := range learners {
				embeddings = append(embeddings, Add(DotProduct(in[0], in[1+m]), in[1+learners+m]))
			}
		}
		var out []*Node
		for word, scale := range goldenTestScales {
			names = append(names, "test_vector."+word)
			out = append(out, testVector(Config{Scale: scale}, embeddings))
		}
		return out
	})
	return modelstest.JoinByName(names, results)
}

// goldenScales checks the scalars that do not depend on data.
func goldenScales(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	got := map[string][]float64{}
	for m := 1; m <= 7; m++ {
		for i := range m {
			key := fmt.Sprintf("coeffs.%d", m)
			got[key] = append(got[key], learnerShare(i+1, m))
		}
		for _, size := range []int{512, 1024} {
			key := fmt.Sprintf("group_sizes.%d,%d", size, m)
			for _, d := range roundedSizes(size, m) {
				got[key] = append(got[key], float64(d))
			}
		}
	}
	for word, scale := range goldenTestScales {
		got["scales."+word] = sliceScales(scale, []int{96, 160, 256})
	}
	return got
}

// roundedSizes is the rule that LearnerSizes falls back on where the papers
// have no list: the golden vectors state the rule, not the lists.
func roundedSizes(size, m int) []int {
	sizes := make([]int, m)
	left := size
	for i := range m - 1 {
		sizes[i] = nearestEven(float64(size) * learnerShare(i+1, m))
		left -= sizes[i]
	}
	sizes[m-1] = left
	return sizes
}

func TestGoldenModels(t *testing.T) { checkGoldenModels(t) }

func checkGoldenModels(t *testing.T) {
	t.Helper()
	vectors := func(name string) bool { return strings.HasPrefix(name, "test_vector.") }
	modelstest.CheckGolden(t, "models",
		modelstest.GoldenReader{Prefix: "binomial_", Outputs: vectors, Read: goldenTestVectors},
		modelstest.GoldenReader{Prefix: "contrastive_", Outputs: vectors, Read: goldenTestVectors},
		modelstest.GoldenReader{Prefix: "triplet_", Outputs: vectors, Read: goldenTestVectors},
		modelstest.GoldenReader{Prefix: "activation_", Read: goldenActivation},
		modelstest.GoldenReader{Prefix: "adversarial_", Read: goldenAdversarial},
		modelstest.GoldenReader{Prefix: "sizes_scales", Outputs: func(name string) bool { return name != "eta" }, Read: goldenScales},
	)
}
