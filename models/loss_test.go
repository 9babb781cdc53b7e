package models

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// scalarPair returns the boosting weights and the losses of one pair whose
// cosine under each learner is given.
func scalarPair(t *testing.T, c Config, same bool, cosines []float64) (w, l []float64) {
	t.Helper()
	labels := []int32{0, 1}
	if same {
		labels[1] = 0
	}
	inputs := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, 2)}
	for _, s := range cosines {
		inputs = append(inputs, matrix([][]float64{{1, 0}, {s, math.Sqrt(1 - s*s)}}))
	}
	loss, err := LossNamed(c.Loss)
	if err != nil {
		t.Fatal(err)
	}
	results := evaluate(t, goBackend(t), inputs, func(in []*Node) []*Node {
		b := boostedLoss(c, in[1:], nil, in[0])
		p := newPairs(c, in[0], in[1].DType())
		out := b.weights
		for _, f := range in[1:] {
			out = append(out, loss.terms.term(c, loss.terms.activation(c, cosine(f), p)))
		}
		return out
	})
	for m := range cosines {
		w = append(w, results[m][1])
		l = append(l, results[len(cosines)+m][1])
	}
	return w, l
}

// The numbers were derived by hand from the method's formulas: alpha 2,
// beta 0.5, C 25, three learners.
func TestBoostingNumbers(t *testing.T) {
	const tolerance = 6e-7 // the expectations have six decimals
	positive, negative := []float64{.3, .6, .8}, []float64{.4, .1, .55}
	tests := map[string]struct {
		rule    string
		same    bool
		cosines []float64
		w, l    []float64
	}{
		"eta positive":      {BoostingEta, true, positive, []float64{1, .598688, .5}, []float64{.913015, .598139, .437488}},
		"eta negative":      {BoostingEta, false, negative, []float64{1, .006693, 0}, []float64{.006715, 2e-9, 2.578890}},
		"additive positive": {BoostingAdditive, true, positive, []float64{1, .383197, .380365}, []float64{.913015, .598139, .437488}},
		"additive negative": {BoostingAdditive, false, negative, []float64{1, .620051, .238406}, []float64{.006715, 2e-9, 2.578890}},
		"none":              {BoostingNone, false, negative, []float64{1, 1, 1}, []float64{.006715, 2e-9, 2.578890}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			c.Boosting = test.rule
			w, l := scalarPair(t, c, test.same, test.cosines)
			if i, off := farthest(w, test.w); off > tolerance {
				t.Errorf("weight %d: got %g, want %g", i, w[i], test.w[i])
			}
			if i, off := farthest(l, test.l); off > tolerance {
				t.Errorf("loss %d: got %g, want %g", i, l[i], test.l[i])
			}
		})
	}
}

// ensembleInputs returns labels and raw outputs of learners for n images.
func ensembleInputs(random *rand.Rand, labels []int32, sizes []int) (*tensors.Tensor, [][]float64) {
	out := make([][]float64, len(sizes))
	for m, d := range sizes {
		out[m] = make([]float64, len(labels)*d)
		for i := range out[m] {
			out[m][i] = random.NormFloat64()
		}
	}
	return tensors.FromFlatDataAndDimensions(labels, len(labels)), out
}

// Gradients against central differences. Boosting weights are constants for
// the gradient, so the differences are taken of the sum with the weights of
// the unmoved point.
func TestBoostedGradient(t *testing.T) {
	const step, tolerance = 1e-5, 1e-7 // error of a central difference is O(step^2), rounding 1e-16/step
	labels := []int32{4, 1, 4, 9, 1, 1, 7}
	sizes := []int{2, 3, 4}
	for _, rule := range []string{BoostingNone, BoostingEta, BoostingAdditive} {
		for _, count := range []string{WithDiagonal, WithoutDiagonal} {
			t.Run(rule+" "+count, func(t *testing.T) {
				c := DefaultConfig(Frozen)
				c.Boosting, c.PosCount = rule, count
				backend := goBackend(t)
				y, outputs := ensembleInputs(rand.New(rand.NewPCG(5, 8)), labels, sizes)
				inputs := []*tensors.Tensor{y}
				for m, d := range sizes {
					inputs = append(inputs, tensors.FromFlatDataAndDimensions(outputs[m], len(labels), d))
				}
				loss, err := LossNamed(c.Loss)
				if err != nil {
					t.Fatal(err)
				}
				fixed := func(in []*Node, weights []*Node) *Node {
					p := newPairs(c, in[0], in[1].DType())
					var terms []*Node
					for m, f := range in[1:] {
						l := loss.terms.term(c, loss.terms.activation(c, cosine(f), p))
						terms = append(terms, ReduceAllSum(Mul(Mul(p.weights, weights[m]), l)))
					}
					return DivScalar(sumNodes(terms), len(terms))
				}
				results := evaluate(t, backend, inputs, func(in []*Node) []*Node {
					b := boostedLoss(c, in[1:], nil, in[0])
					return append(Gradient(b.total, in[1:]...), b.weights...)
				})
				gradients, weights := results[:len(sizes)], results[len(sizes):]
				exec, err := NewExec(backend.Backend, func(in []*Node) *Node {
					return fixed(in[:1+len(sizes)], in[1+len(sizes):])
				})
				if err != nil {
					t.Fatal(err)
				}
				defer exec.Finalize()
				value := func() float64 {
					args := []any{y}
					for m, d := range sizes {
						args = append(args, tensors.FromFlatDataAndDimensions(outputs[m], len(labels), d))
					}
					for _, w := range weights {
						args = append(args, tensors.FromFlatDataAndDimensions(w, len(labels), len(labels)))
					}
					out, err := exec.Exec1(args...)
					if err != nil {
						t.Fatal(err)
					}
					return tensors.ToScalar[float64](out)
				}
				checkGradient(t, outputs, gradients, step, tolerance, value)
			})
		}
	}
}

// checkGradient compares gradients with central differences of value, which
// reads the values in place.
func checkGradient(t *testing.T, values, gradients [][]float64, step, tolerance float64, value func() float64) {
	t.Helper()
	for m := range values {
		for i, at := range values[m] {
			values[m][i] = at + step
			up := value()
			values[m][i] = at - step
			down := value()
			values[m][i] = at
			want := (up - down) / (2 * step)
			if got := gradients[m][i]; math.Abs(got-want) > tolerance*max(1, math.Abs(want)) || math.IsNaN(got) {
				t.Errorf("input %d, number %d: gradient %g, want %g by differences", m, i, got, want)
			}
		}
	}
}

// Zero rows, rows below the norm floor, identical rows, one class only and
// singletons only: nothing may be NaN, in training's precision either.
func TestBoostedLossDegenerate(t *testing.T) {
	tests := map[string]struct {
		labels []int32
		rows   []float32 // one number per image, repeated
		zero   bool      // the loss must be 0
	}{
		"zero rows":       {[]int32{0, 0, 1, 1}, []float32{0, 0, 0, 0}, false},
		"below the floor": {[]int32{0, 0, 1, 1}, []float32{1e-9, -1e-30, 1e-6, 0}, false},
		"at the floor":    {[]int32{0, 0, 1, 1}, []float32{1e-5, 1.0001e-5, 1, 2}, false},
		"collapsed":       {[]int32{0, 0, 1, 1}, []float32{1, 1, 1, 1}, false},
		"opposite":        {[]int32{0, 0, 1, 1}, []float32{1, -1, 1, -1}, false},
		"one class":       {[]int32{3, 3, 3, 3}, []float32{1, -1, 2, 0}, false},
		"singletons":      {[]int32{3, 2, 1, 0}, []float32{1, -1, 2, 0}, false},
		"one image":       {[]int32{3}, []float32{1}, true},
		"large":           {[]int32{0, 0, 1, 1}, []float32{1e18, -1e18, 1e9, 1}, false},
	}
	for name, test := range tests {
		for _, rule := range []string{BoostingEta, BoostingAdditive} {
			t.Run(name+" "+rule, func(t *testing.T) {
				c := DefaultConfig(Frozen)
				c.Boosting = rule
				n := len(test.labels)
				rows := make([]float32, 0, 2*n)
				for _, x := range test.rows {
					rows = append(rows, x, 0)
				}
				x := tensors.FromFlatDataAndDimensions(rows, n, 2)
				y := tensors.FromFlatDataAndDimensions(test.labels, n)
				results := evaluate(t, goBackend(t), []*tensors.Tensor{y, x, x}, func(in []*Node) []*Node {
					b := boostedLoss(c, in[1:], nil, in[0])
					out := append([]*Node{b.total}, b.meanWeight...)
					return append(out, Gradient(b.total, in[1:]...)...)
				})
				for i, values := range results {
					for _, v := range values {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Errorf("output %d: %v", i, values)
							break
						}
					}
				}
				if got := results[0][0]; (got == 0) != test.zero {
					t.Errorf("loss %g", got)
				}
			})
		}
	}
}

// log(1+exp(x)) and its derivative must be exact in both tails.
func TestDevianceTails(t *testing.T) {
	activations := []float64{-800, -100, -50, -20, -1, 0, 1, 20, 50, 100, 700}
	loss, err := LossNamed("binomial_deviance")
	if err != nil {
		t.Fatal(err)
	}
	results := evaluate(t, goBackend(t), []*tensors.Tensor{vector(activations)}, func(in []*Node) []*Node {
		l := loss.terms.term(DefaultConfig(Frozen), in[0])
		return []*Node{l, Gradient(ReduceAllSum(l), in[0])[0]}
	})
	for i, a := range activations {
		want := math.Max(-a, 0) + math.Log1p(math.Exp(-math.Abs(a)))
		slope := 1 / (1 + math.Exp(a))
		for name, pair := range map[string][2]float64{
			"term": {results[0][i], want}, "slope": {-results[1][i], slope},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-13*pair[1] {
				t.Errorf("%s at %g: got %g, want %g", name, a, pair[0], pair[1])
			}
		}
	}
}

// Training computes in float32: it must agree with float64 to float32's
// precision times the loss's steepness (alpha C = 50).
func TestBoostedLossFloat32(t *testing.T) {
	labels := []int32{0, 0, 1, 1, 2, 2, 2, 3}
	sizes := []int{6, 10, 16}
	c := DefaultConfig(Frozen)
	c.Boosting = BoostingEta
	y, outputs := ensembleInputs(rand.New(rand.NewPCG(1, 2)), labels, sizes)
	double, single := []*tensors.Tensor{y}, []*tensors.Tensor{y}
	for m, d := range sizes {
		double = append(double, tensors.FromFlatDataAndDimensions(outputs[m], len(labels), d))
		small := make([]float32, len(outputs[m]))
		for i, v := range outputs[m] {
			small[i] = float32(v)
		}
		single = append(single, tensors.FromFlatDataAndDimensions(small, len(labels), d))
	}
	graph := func(in []*Node) []*Node {
		b := boostedLoss(c, in[1:], nil, in[0])
		return append([]*Node{b.total, testVector(c, in[1:])}, Gradient(b.total, in[1:]...)...)
	}
	backend := goBackend(t)
	got, want := evaluate(t, backend, single, graph), evaluate(t, backend, double, graph)
	for i := range want {
		if j, off := farthest(got[i], want[i]); off > 1e-4 {
			t.Errorf("output %d, number %d: got %g, want %g", i, j, got[i][j], want[i][j])
		}
	}
}

// A graph that cannot be built is an error that says what is wrong.
func TestBoostedLossRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"loss":     func(c *Config) { c.Loss = "no such loss" },
		"boosting": func(c *Config) { c.Boosting = "no such rule" },
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig(Frozen)
			change(&c)
			_, err := ExecOnce(goBackend(t).Backend, func(y, x *Node) *Node {
				return boostedLoss(c, []*Node{x, x}, nil, y).total
			}, []int32{0, 0, 1}, [][]float32{{1}, {2}, {3}})
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), "no such") {
				t.Errorf("error %.200s; want one that names the value", err)
			}
		})
	}
}
