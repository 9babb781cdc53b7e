package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// In float64 the error of a central difference is O(step^2) times the third
// derivative, which steep losses have in the thousands, plus 1e-16/step. An
// input within a step of a hinge or of another choice would be off by far more.
const (
	lossStep      = 1e-6
	lossTolerance = 1e-7
)

// Every loss alone: its gradient by embeddings and proxies against central
// differences.
func TestLossGradient(t *testing.T) {
	for _, c := range lossCases() {
		t.Run(c.name, func(t *testing.T) {
			batch := c.normalBatch(1, 3)
			gradients := modelstest.Evaluate(t, modelstest.GoBackend(t), batch.tensors(false), func(in []*Node) []*Node {
				return Gradient(c.boosted(in).Total, in[1:]...)
			})
			total := scalarExec(t, func(in []*Node) *Node { return c.boosted(in).Total })
			for i, values := range batch.values() {
				want := modelstest.Differences(values, lossStep, func() float64 { return total(batch.tensors(false)) })
				if j, off := modelstest.Farthest(gradients[i], want); off > lossTolerance {
					t.Errorf("input %d, number %d: gradient %.12g, want %.12g by differences", i, j, gradients[i][j], want[j])
				}
				if !slices.ContainsFunc(want, func(v float64) bool { return v != 0 }) {
					t.Errorf("input %d has no gradient", i)
				}
			}
		})
	}
}

// Rule gradient, by another way: the weights are |dL/dS| at the ensemble's
// similarities S over their bound, and the gradient is that of
// sum_ij w_ij (dL/ds_ij) s_ij with w and dL/ds held. Derivatives by
// similarities are central differences, S and the gradient of the cosine are
// written out here.
func TestGradientRule(t *testing.T) {
	sizes := []int{2, 3, 4}
	for _, c := range lossCases() {
		t.Run(c.name, func(t *testing.T) {
			c.config.Boosting = BoostingGradient
			batch := c.normalBatch(2, sizes...)
			results := modelstest.Evaluate(t, modelstest.GoBackend(t), batch.tensors(false), func(in []*Node) []*Node {
				b := c.boosted(in)
				return append(append([]*Node{b.Total}, Gradient(b.Total, in[1:]...)...), b.weights...)
			})
			gradients, weights := results[1:len(results)-len(sizes)], results[len(results)-len(sizes):]

			n, columns := len(c.labels), c.columns()
			labels := batch.tensors(false)[0]
			alone := scalarExec(t, func(in []*Node) *Node { return c.loss.evaluate(in[1], c.pairs(in[0], in[1], sizes[0])) })
			slopes := func(s []float64) []float64 {
				return modelstest.Differences(s, lossStep, func() float64 {
					return alone([]*tensors.Tensor{labels, tensors.FromFlatDataAndDimensions(s, n, columns)})
				})
			}
			total := 0.0
			ensemble, want := make([]float64, n*columns), make([][]float64, len(gradients))
			weight := slices.Repeat([]float64{1}, n*columns)
			for m, d := range sizes {
				if j, off := modelstest.Farthest(weights[m], weight); off > 1e-5 { // a quotient of two derivatives
					t.Errorf("learner %d: weight %d: got %g, want %g", m, j, weights[m][j], weight[j])
				}
				unit, lengths := unitRows(batch.embeddings[m], d)
				other, otherLengths := unit, lengths
				if batch.proxies != nil {
					other, otherLengths = unitRows(batch.proxies[m], d)
				}
				s := products(unit, other)
				total += alone([]*tensors.Tensor{labels, tensors.FromFlatDataAndDimensions(s, n, columns)}) / float64(len(sizes))
				flow := slopes(s)
				for i := range flow {
					flow[i] *= weight[i] / float64(len(sizes))
				}
				want[m] = make([]float64, len(batch.embeddings[m]))
				cosineGradient(want[m], flow, false, unit, lengths, other)
				if batch.proxies == nil {
					cosineGradient(want[m], flow, true, unit, lengths, other)
				} else {
					by := make([]float64, len(batch.proxies[m]))
					cosineGradient(by, flow, true, other, otherLengths, unit)
					if c.loss.penalty != nil {
						penalty := scalarExec(t, func(in []*Node) *Node { return c.loss.penalty(Normalise(in[0])) })
						of := func() float64 {
							x := batch.proxies[m]
							return penalty([]*tensors.Tensor{tensors.FromFlatDataAndDimensions(x, len(x)/d, d)}) / float64(len(sizes))
						}
						total += of()
						for i, v := range modelstest.Differences(batch.proxies[m], lossStep, of) {
							by[i] += v
						}
					}
					want[len(sizes)+m] = by
				}
				eta := 2 / float64(m+2)
				for i := range ensemble {
					ensemble[i] = (1-eta)*ensemble[i] + eta*s[i]
				}
				weight = c.shares(t, slopes(ensemble))
			}
			if math.Abs(results[0][0]-total) > 1e-12*max(1, math.Abs(total)) {
				t.Errorf("total %g, want %g", results[0][0], total)
			}
			for i := range gradients {
				if j, off := modelstest.Farthest(gradients[i], want[i]); off > lossTolerance {
					t.Errorf("input %d, number %d: gradient %.12g, want %.12g", i, j, gradients[i][j], want[i][j])
				}
			}
			if last := weights[len(sizes)-1]; slices.Max(last) == slices.Min(last) {
				t.Errorf("all weights are %g: nothing is boosted", last[0])
			}
		})
	}
}

// shares are slopes by size over their bound or, where the loss states none,
// over the largest of their kind.
func (c lossCase) shares(t *testing.T, slopes []float64) []float64 {
	t.Helper()
	dims := []int{len(c.labels), c.columns()}
	inputs := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(c.labels, len(c.labels)),
		tensors.FromFlatDataAndDimensions(slopes, dims...),
	}
	if c.loss.bound != nil {
		bound := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
			return []*Node{Add(c.loss.bound(c.pairs(in[0], in[1], 1)), ZerosLike(in[1]))}
		})[0]
		out := make([]float64, len(slopes))
		for i, v := range slopes {
			if bound[i] > 0 {
				out[i] = math.Abs(v) / bound[i]
			}
		}
		return out
	}
	kinds := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
		p := c.pairs(in[0], in[1], 1)
		return []*Node{ConvertDType(p.positive, in[1].DType()), ConvertDType(p.negative, in[1].DType())}
	})
	out := make([]float64, len(slopes))
	for _, kind := range kinds {
		largest := 0.0
		for i, v := range slopes {
			largest = max(largest, kind[i]*math.Abs(v))
		}
		for i, v := range slopes {
			if kind[i] == 1 && largest > 0 {
				out[i] = math.Abs(v) / largest
			}
		}
	}
	return out
}

// A stated bound holds for all similarities in [-1, 1], and is not far from the
// least that does: an extreme batch comes within a tenth.
func TestLossBound(t *testing.T) {
	for _, c := range lossCases() {
		if c.loss.bound == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			n, columns := len(c.labels), c.columns()
			labels := tensors.FromFlatDataAndDimensions(c.labels, n)
			backend := modelstest.GoBackend(t)
			exec, err := NewExec(backend.Backend, func(in []*Node) []*Node {
				p := c.pairs(in[0], in[1], 1)
				slope := Abs(Gradient(c.loss.evaluate(in[1], p), in[1])[0])
				return []*Node{slope, Add(c.loss.bound(p), ZerosLike(in[1]))}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			closest := 0.0
			check := func(s []float64) {
				found := modelstest.Execute(t, exec, []*tensors.Tensor{labels, tensors.FromFlatDataAndDimensions(s, n, columns)})
				for i, slope := range found[0] {
					if slope > found[1][i]*(1+1e-12) {
						t.Fatalf("entry %d: slope %g, bound %g; similarities %v", i, slope, found[1][i], s)
					}
					if found[1][i] > 0 {
						closest = max(closest, slope/found[1][i])
					}
				}
			}
			// One entry at an end of [-1, 1], all others at an end or random.
			random := rand.New(rand.NewPCG(1, 0))
			for i := range n * columns {
				for _, one := range []float64{-1, 1} {
					for _, rest := range []float64{-1, 1, math.NaN()} {
						s := slices.Repeat([]float64{rest}, n*columns)
						for j := range s {
							if math.IsNaN(rest) {
								s[j] = 2*random.Float64() - 1
							}
						}
						s[i] = one
						check(s)
					}
				}
			}
			if closest < 0.9 {
				t.Errorf("no slope exceeds %g of its bound", closest)
			}
		})
	}
}

// The margin loss's probabilities depend on a width: a learner's own, and at
// the ensemble's similarities that of the learner which is trained next.
func TestMarginWidth(t *testing.T) {
	c := DefaultConfig()
	c.Loss, c.Boosting = "margin", BoostingGradient
	at := lossCase{config: c, loss: configured(c), labels: []int32{0, 0, 1, 1, 2, 2}}
	batch := at.normalBatch(3, 4, 9)
	weights := func(width int) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			b := at.boosted(in)
			s := Identity(StopGradient(cosineMatrix(in[1])))
			p := at.pairs(in[0], s, width)
			slope := Abs(Gradient(at.loss.evaluate(s, p), s)[0])
			negatives := func(x *Node) *Node { return Where(p.negative, x, ZerosLike(x)) }
			own := negatives(slope)
			return []*Node{negatives(b.weights[1]), Div(own, ReduceAllMax(own))}
		}
	}
	for width, same := range map[int]bool{9: true, 4: false} {
		got := modelstest.Evaluate(t, modelstest.GoBackend(t), batch.tensors(false), weights(width))
		if i, off := modelstest.Farthest(got[0], got[1]); (off < 1e-12) != same {
			t.Errorf("weights of the second learner are those of width %d to %g at %d; want that %t", width, off, i, same)
		}
	}
}
