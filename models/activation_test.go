package models

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// activationInputs are features and matrices of normal numbers.
func activationInputs(n, width int, sizes ...int) (values [][]float64, inputs func() []*tensors.Tensor) {
	random := rand.New(rand.NewPCG(2, 3))
	shapes := [][]int{{n, width}}
	for _, d := range sizes {
		shapes = append(shapes, []int{width, d})
	}
	values = make([][]float64, len(shapes))
	for i, s := range shapes {
		values[i] = make([]float64, s[0]*s[1])
		for k := range values[i] {
			values[i][k] = random.NormFloat64() / 2
		}
	}
	return values, func() []*tensors.Tensor {
		out := make([]*tensors.Tensor, len(shapes))
		for i, s := range shapes {
			out[i] = tensors.FromFlatDataAndDimensions(slices.Clone(values[i]), s...)
		}
		return out
	}
}

// Gradients of the activation loss against central differences; the feature
// gets none.
func TestActivationGradient(t *testing.T) {
	const step, tolerance = 1e-5, 1e-7 // error of a central difference is O(step^2), rounding 1e-16/step
	for _, axis := range []string{AxisIn, AxisOut} {
		t.Run(axis, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			c.LambdaDiv, c.LambdaW, c.NormAxis = 0.3, 0.2, axis
			values, inputs := activationInputs(5, 4, 2, 3, 4)
			exec, err := NewExec(modelstest.LogicBackend(t).Backend, func(in []*Node) []*Node {
				d := activationLoss(c, in[0], in[1:])
				return append([]*Node{d.total}, Gradient(d.total, in...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			gradients := modelstest.Execute(t, exec, inputs())[1:]
			if slices.ContainsFunc(gradients[0], func(v float64) bool { return v != 0 }) {
				t.Errorf("the pooled feature gets the gradient %v; want none", gradients[0])
			}
			modelstest.CheckGradient(t, values[1:], gradients[1:], step, tolerance, func() float64 { return modelstest.Execute(t, exec, inputs())[0][0] })
		})
	}
}

// The terms against their definition, the mean over images and pairs of output
// units, and the constraints against sums over the axis that their name says
// is summed over.
func TestActivationDefinition(t *testing.T) {
	const n, width = 6, 5
	sizes := []int{2, 3, 1}
	values, inputs := activationInputs(n, width, sizes...)
	at := func(i, row, column int) float64 {
		columns := len(values[i]) / map[bool]int{true: n, false: width}[i == 0]
		return values[i][row*columns+column]
	}
	respond := func(m, image, unit int) (sum float64) {
		for k := range width {
			sum += at(0, image, k) * at(1+m, k, unit)
		}
		return sum
	}
	var pairs []float64
	for i := range sizes {
		for j := i + 1; j < len(sizes); j++ {
			sum := 0.0
			for image := range n {
				for a := range sizes[i] {
					for b := range sizes[j] {
						sum += math.Pow(respond(i, image, a)*respond(j, image, b), 2)
					}
				}
			}
			pairs = append(pairs, sum/float64(n*sizes[i]*sizes[j]))
		}
	}
	norms := map[string][]float64{}
	for m, d := range sizes {
		out, in := 0.0, 0.0
		for unit := range d {
			sum := 0.0
			for k := range width {
				sum += math.Pow(at(1+m, k, unit), 2)
			}
			out += (sum - 1) * (sum - 1) / float64(d)
		}
		for k := range width {
			sum := 0.0
			for unit := range d {
				sum += math.Pow(at(1+m, k, unit), 2)
			}
			in += (sum - 1) * (sum - 1) / width
		}
		norms[AxisOut], norms[AxisIn] = append(norms[AxisOut], out), append(norms[AxisIn], in)
	}
	for axis, want := range norms {
		c := DefaultConfig(Frozen)
		c.LambdaDiv, c.LambdaW, c.NormAxis = 0.3, 20, axis
		results := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs(), func(in []*Node) []*Node {
			d := activationLoss(c, in[0], in[1:])
			return append(append([]*Node{d.total}, d.terms...), d.embeddingNorms...)
		})
		got := slices.Concat(results[1:]...)
		if i, off := modelstest.Farthest(got, append(slices.Clone(pairs), want...)); off > 1e-12 {
			t.Errorf("%s: part %d is off by %g: got %v, want %v and %v", axis, i, off, got, pairs, want)
		}
		total := 0.0
		for i := range pairs {
			total += 0.3 * (pairs[i] + 20*want[i])
		}
		if math.Abs(results[0][0]-total) > 1e-12 {
			t.Errorf("%s: total %g, want %g", axis, results[0][0], total)
		}
	}
}

// One learner has no pair: as a graph that is a mistake.
func TestActivationRefuses(t *testing.T) {
	_, err := CallOnce(modelstest.LogicBackend(t).Backend, func(x, w *Node) *Node {
		return activationLoss(DefaultConfig(Frozen), x, []*Node{w}).total
	}, [][]float32{{1, 2}}, [][]float32{{1}, {2}})
	if err == nil {
		t.Fatal("no error")
	}
}

// In training the loss acts on ensembles, whose learners respond less and less
// to one image; with one learner it changes no bit.
func TestActivationInTraining(t *testing.T) {
	train := func(learners []int, diversity string) ([]float32, []Step) {
		c := spreadConfig(Frozen, diversity)
		c.Learners, c.LambdaDiv, c.LambdaW, c.NormAxis, c.Steps = learners, 1, 10, AxisOut, 60
		return trained(t, c, spreadData(c), "")
	}
	alone, _ := train([]int{24}, DiversityNone)
	same, steps := train([]int{24}, DiversityActivation)
	if !slices.Equal(alone, same) || steps[0].Diversity != 0 {
		t.Error("the loss acts on one learner")
	}
	_, steps = train([]int{8, 16}, DiversityActivation)
	first, last := steps[0], steps[len(steps)-1]
	if first.Diversity <= 0 || last.Diversity > first.Diversity/5 {
		t.Errorf("diversity %g at first, %g at last; want a fifth or less", first.Diversity, last.Diversity)
	}
	if off := first.Total - first.Loss - first.Diversity; math.Abs(off) > 1e-4*first.Total {
		t.Errorf("total %g is not the loss %g and the diversity %g", first.Total, first.Loss, first.Diversity)
	}
}
