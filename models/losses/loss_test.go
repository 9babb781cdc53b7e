package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
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
		inputs = append(inputs, modelstest.Matrix([][]float64{{1, 0}, {s, math.Sqrt(1 - s*s)}}))
	}
	loss, err := For(c)
	if err != nil {
		t.Fatal(err)
	}
	results := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
		b := Boost(c, in[1:], nil, in[0])
		p := newPairs(c, in[0], in[1].DType())
		out := b.weights
		for _, f := range in[1:] {
			out = append(out, loss.terms.term(loss.terms.activation(cosineMatrix(f), p)))
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
			c := DefaultConfig()
			c.Boosting = test.rule
			w, l := scalarPair(t, c, test.same, test.cosines)
			if i, off := modelstest.Farthest(w, test.w); off > tolerance {
				t.Errorf("weight %d: got %g, want %g", i, w[i], test.w[i])
			}
			if i, off := modelstest.Farthest(l, test.l); off > tolerance {
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

// Rules on terms, for all losses that have them: gradients against central
// differences. Boosting weights are constants for the gradient, so the
// differences are taken of the sum with the weights of the unmoved point.
func TestBoostedGradient(t *testing.T) {
	sizes := []int{2, 3, 4}
	for _, c := range lossCases() {
		if c.loss.terms == nil {
			continue
		}
		for _, rule := range []string{BoostingNone, BoostingEta, BoostingAdditive} {
			for _, count := range []string{WithDiagonal, WithoutDiagonal} {
				t.Run(c.name+" "+rule+" "+count, func(t *testing.T) {
					c.config.Boosting, c.config.PosCount = rule, count
					batch := c.normalBatch(5, sizes...)
					results := modelstest.Evaluate(t, modelstest.GoBackend(t), batch.tensors(false), func(in []*Node) []*Node {
						b := c.boosted(in)
						return append(append(b.weights, b.Total), Gradient(b.Total, in[1:]...)...)
					})
					weights, gradients := results[:len(sizes)], results[1+len(sizes):]
					var held []*tensors.Tensor
					dims := slices.Repeat([]int{len(c.labels)}, c.termRank())
					for _, w := range weights {
						held = append(held, tensors.FromFlatDataAndDimensions(w, dims...))
					}
					fixed := scalarExec(t, func(in []*Node) *Node {
						p := c.pairs(in[0], in[1], 1)
						var sums []*Node
						for m, f := range in[1 : 1+len(sizes)] {
							l := c.loss.terms.term(c.loss.terms.activation(cosineMatrix(f), p))
							sums = append(sums, ReduceAllSum(Mul(Mul(c.loss.terms.weights(p), in[1+len(sizes)+m]), l)))
						}
						return DivScalar(sumLearners(sums), len(sums))
					})
					value := func() float64 { return fixed(append(batch.tensors(false), held...)) }
					if got := results[len(sizes)][0]; math.Abs(got-value()) > 1e-12 {
						t.Errorf("total %g, want %g", got, value())
					}
					for m, values := range batch.values() {
						if i, off := modelstest.Farthest(gradients[m], modelstest.Differences(values, lossStep, value)); off > lossTolerance {
							t.Errorf("learner %d, number %d: gradient %g is off by %g", m, i, gradients[m][i], off)
						}
					}
					if last := weights[len(sizes)-1]; (slices.Max(last) == slices.Min(last)) != (rule == BoostingNone) {
						t.Errorf("the last learner's weights lie between %g and %g", slices.Min(last), slices.Max(last))
					}
				})
			}
		}
	}
}

// Zero rows, rows below the norm floor, identical and opposite rows, one class
// only and singletons only: nothing may be NaN, in either precision, alone or
// boosted by any rule that the loss allows.
func TestBoostedLossDegenerate(t *testing.T) {
	tests := map[string]struct {
		labels []int32
		rows   []float64 // one number per image, then zeros
		zero   bool      // a loss of pairs must be 0
	}{
		"zero rows":       {[]int32{0, 0, 1, 1}, []float64{0, 0, 0, 0}, false},
		"below the floor": {[]int32{0, 0, 1, 1}, []float64{1e-9, -1e-30, 1e-6, 0}, false},
		"at the floor":    {[]int32{0, 0, 1, 1}, []float64{1e-5, 1.0001e-5, 1, 2}, false},
		"collapsed":       {[]int32{0, 0, 1, 1}, []float64{1, 1, 1, 1}, false},
		"opposite":        {[]int32{0, 0, 1, 1}, []float64{1, -1, 1, -1}, false},
		"one class":       {[]int32{3, 3, 3, 3}, []float64{1, -1, 2, 0}, false},
		"singletons":      {[]int32{3, 2, 1, 0}, []float64{1, -1, 2, 0}, false},
		"one image":       {[]int32{3}, []float64{1}, true},
		"large":           {[]int32{0, 0, 1, 1}, []float64{1e18, -1e18, 1e9, 1}, false},
	}
	sizes := []int{2, 2, 2}
	backend := modelstest.GoBackend(t)
	for _, c := range lossCases() {
		for _, rule := range c.rules() {
			t.Run(c.name+" "+rule, func(t *testing.T) {
				c.config.Boosting = rule
				for name, test := range tests {
					c.labels = test.labels
					batch := c.normalBatch(1, sizes...)
					for _, x := range batch.embeddings {
						for i := range x {
							x[i] = test.rows[i/2] * float64(1-i%2)
						}
					}
					for _, x := range batch.proxies { // the first ones as the images, the rest of random directions
						copy(x, batch.embeddings[0])
					}
					for _, single := range []bool{false, true} {
						results := modelstest.Evaluate(t, backend, batch.tensors(single), func(in []*Node) []*Node {
							b := c.boosted(in)
							out := append([]*Node{b.Total, b.Bins}, b.MeanWeight...)
							out = append(out, b.weights...)
							return append(out, Gradient(b.Total, in[1:]...)...)
						})
						for i, values := range results {
							if slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
								t.Errorf("%s, float32 %t: output %d: %v", name, single, i, values)
							}
						}
						if got := results[0][0]; c.loss.Proxies() == 0 && test.zero && got != 0 {
							t.Errorf("%s, float32 %t: loss %g, want 0", name, single, got)
						}
					}
				}
			})
		}
	}
}

// log(1+exp(x)) and its derivative must be exact in both tails.
func TestDevianceTails(t *testing.T) {
	activations := []float64{-800, -100, -50, -20, -1, 0, 1, 20, 50, 100, 700}
	loss, err := Named("binomial_deviance")
	if err != nil {
		t.Fatal(err)
	}
	results := modelstest.Evaluate(t, modelstest.GoBackend(t), []*tensors.Tensor{modelstest.Vector(activations)}, func(in []*Node) []*Node {
		l := loss.terms.term(in[0])
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

// Training computes in float32: values and gradients must agree with float64
// to float32's precision times a loss's steepness, for 50 to 100 is usual.
func TestBoostedLossFloat32(t *testing.T) {
	const tolerance = 1e-4 // of an output's largest number
	for _, c := range lossCases() {
		for _, rule := range c.rules() {
			t.Run(c.name+" "+rule, func(t *testing.T) {
				c.config.Boosting = rule
				batch := c.normalBatch(8, 6, 10, 16)
				graph := func(in []*Node) []*Node {
					b := c.boosted(in)
					out := []*Node{b.Total}
					p := c.pairs(in[0], in[1], 1)
					for _, w := range b.weights {
						if w.Rank() == 2 { // an image with itself is no pair
							w = Where(LogicalOr(p.positive, p.negative), w, ZerosLike(w))
						}
						out = append(out, w)
					}
					return append(out, Gradient(b.Total, in[1:]...)...)
				}
				backend := modelstest.GoBackend(t)
				got, want := modelstest.Evaluate(t, backend, batch.tensors(true), graph), modelstest.Evaluate(t, backend, batch.tensors(false), graph)
				for i := range want {
					largest := 0.0
					for _, v := range want[i] {
						largest = max(largest, math.Abs(v))
					}
					if i >= 1 && i <= len(batch.sizes) {
						largest = 1 // weights
					}
					for j, v := range want[i] {
						if !(math.Abs(got[i][j]-v) <= tolerance*largest) {
							t.Errorf("output %d, number %d: got %g, want %g", i, j, got[i][j], v)
							break
						}
					}
				}
			})
		}
	}
}

// rules are the rules that the loss can be boosted by.
func (c lossCase) rules() []string {
	if c.loss.terms == nil {
		return []string{BoostingNone, BoostingGradient}
	}
	return []string{BoostingNone, BoostingEta, BoostingAdditive, BoostingGradient}
}

// termRank is 3 for a sum over triplets, 2 for one over pairs.
func (c lossCase) termRank() int {
	if c.loss.Name == "triplet" {
		return 3
	}
	return 2
}

// A graph that cannot be built is an error that says what is wrong.
func TestBoostedLossRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"loss":     func(c *Config) { c.Loss = "no such loss" },
		"boosting": func(c *Config) { c.Boosting = "no such rule" },
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			change(&c)
			_, err := CallOnce(modelstest.GoBackend(t).Backend, func(y, x *Node) *Node {
				return Boost(c, []*Node{x, x}, nil, y).Total
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

// So is a batch without the learners or proxies that its loss needs.
func TestBoostRefusesBatch(t *testing.T) {
	for _, tt := range []struct {
		name, loss, boosting string
		build                func(c Config, y, x *Node) Boosted
		want                 string
	}{
		{"no learner", "binomial_deviance", BoostingNone, func(c Config, y, _ *Node) Boosted { return Boost(c, nil, nil, y) }, "0 learners with 0 tables of proxies"},
		{"a table for one of two", "proxy_anchor", BoostingNone, func(c Config, y, x *Node) Boosted {
			return Boost(c, []*Node{x, x}, []*Node{x}, y)
		}, "2 learners with 1 tables of proxies"},
		{"no proxies", "proxy_anchor", BoostingNone, func(c Config, y, x *Node) Boosted { return Boost(c, []*Node{x}, nil, y) }, "the loss compares with proxies, and there are none"},
		{"proxies of one class", "proxy_anchor", BoostingNone, func(c Config, y, x *Node) Boosted {
			return Boost(c, []*Node{x}, []*Node{Slice(x, AxisRange(0, 1))}, y)
		}, "proxies: 1 classes of 1; want at least 2"},
		{"terms of a loss without", "multi_similarity", BoostingEta, func(c Config, y, x *Node) Boosted {
			return Boost(c, []*Node{x}, nil, y)
		}, "rule eta needs a loss that is a sum over pairs or triplets"},
		{"embeddings without a width", "margin", BoostingNone, func(c Config, y, x *Node) Boosted {
			drawProbabilities(cosineMatrix(x), newPairs(c, y, x.DType()), 0.5, 1.4)
			return Boosted{Total: ReduceAllSum(x)}
		}, "margin: width 0 of the embedding; want at least 1"},
	} {
		c := DefaultConfig()
		c.Loss, c.Boosting = tt.loss, tt.boosting
		_, err := CallOnce(modelstest.GoBackend(t).Backend, func(y, x *Node) *Node { return tt.build(c, y, x).Total }, []int32{0, 0, 1}, [][]float32{{1}, {2}, {3}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %.200v; want %q", tt.name, err, tt.want)
		}
	}
}

// The largest array of a batch of ten: pairs, triplets, or a layer for each bin; a memory estimate
// rests on it.
func TestLargest(t *testing.T) {
	for name, want := range map[string]float64{"binomial_deviance": 100, "triplet": 1000, "triplet_semihard": 1000, "histogram": 100 * 150} {
		loss, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := loss.Largest(10); got != want {
			t.Errorf("%s: %g numbers, want %g", name, got, want)
		}
		if terms := name == "binomial_deviance" || name == "triplet"; loss.SumsTerms() != terms {
			t.Errorf("%s is a sum over terms: %t, want %t", name, loss.SumsTerms(), terms)
		}
	}
}

// What a loss cannot be trained with is refused before anything is built.
func TestLossCheck(t *testing.T) {
	c := DefaultConfig()
	c.Loss, c.PosCount, c.Boosting, c.Shrinkage, c.NegativeFactor = "hinge", "some", "much", 0, math.Inf(1)
	err := c.Validate()
	for _, want := range []string{ // all at once
		`loss: "hinge" is not one of binomial_deviance, contrastive,`, `pos_count: "some" is not one of ["with_diagonal" "without"]`,
		`boosting: "much" is not one of`, "shrinkage: 0; want", "negative_factor: +Inf; want",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	for name, test := range map[string]struct {
		loss      string
		constants map[string]float64
		boosting  string
		start     float64
		want      string // part of the error, "" for none
	}{
		"defaults":            {loss: "contrastive", boosting: BoostingEta, start: 0.5},
		"squared":             {loss: "contrastive", constants: map[string]float64{"power": 2}, boosting: BoostingEta},
		"half power":          {loss: "contrastive", constants: map[string]float64{"power": 1.5}, boosting: BoostingEta, want: "power: 1.5; want a whole number, 1 to 2"},
		"cubed":               {loss: "triplet", constants: map[string]float64{"power": 3}, boosting: BoostingEta, want: "power: 3; want a whole number, 1 to 2"},
		"half a bin":          {loss: "histogram", constants: map[string]float64{"bins": 149.5}, boosting: BoostingNone, want: "bins: 149.5; want a whole number"},
		"one bin":             {loss: "histogram", constants: map[string]float64{"bins": 1}, boosting: BoostingNone, want: "bins: 1; want"},
		"no number":           {loss: "margin", constants: map[string]float64{"beta": math.NaN()}, boosting: BoostingNone, want: "beta: NaN; want 0 to 2"},
		"another's constant":  {loss: "margin", constants: map[string]float64{"C": 25}, boosting: BoostingNone, want: `the loss margin has no "C"`},
		"no temperature":      {loss: "supervised_contrastive", constants: map[string]float64{"temperature": 0}, boosting: BoostingNone, want: "temperature: 0; want at least"},
		"a hinge that is off": {loss: "triplet", boosting: BoostingAdditive, start: 0.5, want: "boosting_start: 0.5; a hinge has no slope there"},
		"a hinge that is on":  {loss: "triplet", boosting: BoostingAdditive},
		"no terms":            {loss: "multi_similarity", boosting: BoostingEta, want: "rule eta needs a sum over pairs or triplets"},
		"mined triplets":      {loss: "triplet_semihard", boosting: BoostingAdditive, want: "rule additive needs a sum over pairs or triplets"},
		"any loss":            {loss: "triplet_semihard", boosting: BoostingGradient, start: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			c.Loss, c.Constants, c.Boosting, c.BoostingStart = test.loss, test.constants, test.boosting, test.start
			err := c.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}
