package models

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/gomlx/gomlx/core/tensors"
)

var goldenTestScales = map[string]string{"code": ScaleSize, "sqrt_a": ScaleBoost, "ones": ScaleNone}

// goldenTestVectors computes the test vectors of a boosted loss's case, from
// embeddings or from pooled features, matrices and biases.
func goldenTestVectors(t *testing.T, c goldenCase) map[string][]float64 {
	t.Helper()
	var inputs []*tensors.Tensor
	_, pooled := c.Inputs["x"]
	learners := 0
	if pooled {
		matrices := input[[][][]float64](t, c, "W")
		learners = len(matrices)
		inputs = append(inputs, matrix(input[[][]float64](t, c, "x")))
		for _, w := range matrices {
			inputs = append(inputs, matrix(w))
		}
		for _, b := range input[[][]float64](t, c, "b") {
			inputs = append(inputs, matrix([][]float64{b}))
		}
	} else {
		for _, e := range input[[][][]float64](t, c, "embeddings") {
			inputs = append(inputs, matrix(e))
		}
	}
	var names []string
	results := evaluate(t, testBackend(t), inputs, func(in []*Node) []*Node {
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
	return joined(names, results)
}

// goldenScales checks the scalars that do not depend on data.
func goldenScales(t *testing.T, c goldenCase) map[string][]float64 {
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

func TestGoldenModels(t *testing.T) {
	vectors := func(name string) bool { return strings.HasPrefix(name, "test_vector.") }
	checkGolden(t, "models",
		goldenReader{"binomial_", vectors, goldenTestVectors},
		goldenReader{"contrastive_", vectors, goldenTestVectors},
		goldenReader{"triplet_", vectors, goldenTestVectors},
		goldenReader{"activation_", nil, goldenActivation},
		goldenReader{"adversarial_", nil, goldenAdversarial},
		goldenReader{"sizes_scales", func(name string) bool { return name != "eta" }, goldenScales},
	)
}
