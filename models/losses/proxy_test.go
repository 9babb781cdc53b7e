package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// proxyLosses returns the losses that have proxies.
func proxyLosses(t *testing.T) []Loss {
	t.Helper()
	var out []Loss
	for _, l := range All() {
		if l.Proxies() > 0 {
			out = append(out, l)
		}
	}
	if len(out) < 4 {
		t.Fatalf("%d losses have proxies, want four and more", len(out))
	}
	return out
}

// proxyConfig is a configuration of a loss with three centres where it has
// several.
func proxyConfig(name string) Config {
	c := DefaultConfig()
	c.Loss = name
	if name == "soft_triple" {
		c.Constants = map[string]float64{"centres": 3}
	}
	return c
}

// normals returns n standard normal numbers.
func normals(random *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = random.NormFloat64()
	}
	return out
}

// Whatever images and proxies are, and whichever classes are in the batch,
// nothing is NaN or infinite, in training's precision either.
func TestProxyLossDegenerate(t *testing.T) {
	const classes, d = 4, 2
	tests := map[string]struct {
		labels  []int32
		rows    []float64 // one number per image, repeated
		proxies []float64 // one number per proxy in turn
	}{
		"all zero":        {[]int32{0, 0, 1, 1}, []float64{0, 0, 0, 0}, []float64{0}},
		"zero proxies":    {[]int32{0, 0, 1, 1}, []float64{1, -1, 2, 3}, []float64{0}},
		"zero images":     {[]int32{0, 0, 1, 1}, []float64{0, 0, 0, 0}, []float64{1, -1, 2}},
		"below the floor": {[]int32{0, 0, 1, 1}, []float64{1e-9, -1e-30, 1e-6, 0}, []float64{1e-9, -1e-7, 1e-30}},
		"identical":       {[]int32{0, 0, 1, 1}, []float64{1, 1, 1, 1}, []float64{1}},
		"opposite":        {[]int32{0, 0, 1, 1}, []float64{1, 1, 1, 1}, []float64{-1}},
		"both ways":       {[]int32{0, 1, 2, 3}, []float64{1, -1, 1, -1}, []float64{1, -1}},
		"one class":       {[]int32{3, 3, 3, 3}, []float64{1, -1, 2, 0}, []float64{1, -1, 2, 0}},
		"absent classes":  {[]int32{1, 1, 1, 1}, []float64{1, 2, 3, -4}, []float64{1, 2, -1}},
		"one image":       {[]int32{2}, []float64{1}, []float64{1, -1, 2}},
		"large":           {[]int32{0, 0, 1, 1}, []float64{1e18, -1e18, 1e9, 1}, []float64{1e18, -1e18, 1}},
	}
	backend := modelstest.GoBackend(t)
	for _, loss := range proxyLosses(t) {
		for name, test := range tests {
			for _, rule := range []string{BoostingNone, BoostingGradient} {
				t.Run(loss.Name+" "+name+" "+rule, func(t *testing.T) {
					c := proxyConfig(loss.Name)
					c.Boosting = rule
					n, all := len(test.labels), classes*configured(c).Proxies()
					rows, proxies := make([]float64, n*d), make([]float64, all*d)
					for i := range n {
						rows[i*d] = test.rows[i]
					}
					for i := range all {
						proxies[i*d] = test.proxies[i%len(test.proxies)]
					}
					y := tensors.FromFlatDataAndDimensions(test.labels, n)
					graph := func(in []*Node) []*Node {
						b := Boost(c, []*Node{in[1], in[1], in[1]}, []*Node{in[2], in[2], in[2]}, in[0])
						out := append([]*Node{b.Total, b.Bins}, b.MeanWeight...)
						return append(append(out, b.weights...), Gradient(b.Total, in[1:]...)...)
					}
					for dtype, inputs := range map[string][]*tensors.Tensor{
						"float32": {y, tensors.FromFlatDataAndDimensions(singles(rows), n, d), tensors.FromFlatDataAndDimensions(singles(proxies), all, d)},
						"float64": {y, tensors.FromFlatDataAndDimensions(rows, n, d), tensors.FromFlatDataAndDimensions(proxies, all, d)},
					} {
						for i, values := range modelstest.Evaluate(t, backend, inputs, graph) {
							for _, v := range values {
								if math.IsNaN(v) || math.IsInf(v, 0) {
									t.Errorf("%s: output %d: %v", dtype, i, values)
									break
								}
							}
						}
					}
				})
			}
		}
	}
}

// singles rounds to float32.
func singles(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// On unit vectors a squared distance is 2 - 2s: ProxyNCA++ of temperature T is
// the normalised softmax of T/2, boosted too.
func TestProxyNCAPlusPlusIsSoftmax(t *testing.T) {
	const classes = 5
	labels := []int32{4, 1, 4, 0, 1, 1}
	sizes := []int{2, 3, 4}
	random := rand.New(rand.NewPCG(1, 8))
	inputs := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, len(labels))}
	for _, n := range []int{len(labels), classes} {
		for _, d := range sizes {
			inputs = append(inputs, tensors.FromFlatDataAndDimensions(normals(random, n*d), n, d))
		}
	}
	backend := modelstest.GoBackend(t)
	of := func(name string, temperature float64) [][]float64 {
		c := DefaultConfig()
		c.Loss, c.Boosting, c.Constants = name, BoostingGradient, map[string]float64{"temperature": temperature}
		return modelstest.Evaluate(t, backend, inputs, func(in []*Node) []*Node {
			b := Boost(c, in[1:4], in[4:], in[0])
			return append(append(Gradient(b.Total, in[1:]...), b.Total), b.weights...)
		})
	}
	got, want := of("proxy_nca_plus_plus", 0.3), of("normalised_softmax", 0.15)
	for i := range want {
		if j, off := modelstest.Farthest(got[i], want[i]); off > 1e-12 {
			t.Errorf("output %d, number %d: got %g, want %g", i, j, got[i][j], want[i][j])
		}
	}
	if w := want[8]; slices.Max(w) < 0.1 || slices.Min(w) > 0.9 || slices.Max(w) > 1 {
		t.Errorf("weights of the second learner: %v", w)
	}
}

// No derivative is above the stated bound, and one comes near to it, so that
// weights fill [0, 1]. The last matrix is made for that: an image is as far as
// it can be from its own proxy, alone in its class, and close to another's; of
// its centres one has the share that centreSlope gives.
func TestProxyLossBound(t *testing.T) {
	const classes, n = 4, 6
	for _, loss := range proxyLosses(t) {
		t.Run(loss.Name, func(t *testing.T) {
			c := proxyConfig(loss.Name)
			loss := configured(c)
			columns := classes * configured(c).Proxies()
			random := rand.New(rand.NewPCG(2, 2))
			largest := 0.0
			for trial := range 30 {
				labels := make([]int32, n)
				for i := range labels {
					labels[i] = int32(random.IntN(classes))
				}
				s := make([]float64, n*columns)
				for i := range s {
					s[i] = 2*random.Float64() - 1
				}
				if trial == 29 {
					labels = []int32{0, 1, 1, 1, 1, 1}
					for i := range s {
						s[i] = -1
					}
					for k := range configured(c).Proxies() {
						s[2*configured(c).Proxies()+k] = 0.5 // share .87671 of three, from a scan of the slope in steps of 1e-5
					}
					s[2*configured(c).Proxies()] = min(1, 0.5+0.1*math.Log(2*.87671/(1-.87671)))
				}
				inputs := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, n), tensors.FromFlatDataAndDimensions(s, n, columns)}
				got := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
					p := newProxyPairs(in[0], classes, configured(c).Proxies(), in[1].DType())
					return []*Node{Abs(Gradient(loss.evaluate(in[1], p), in[1])[0]), loss.bound(p)}
				})
				for i, v := range got[0] {
					largest = max(largest, v/got[1][i])
				}
			}
			if !(largest <= 1+1e-9 && largest > 0.999) {
				t.Errorf("the largest derivative is %.6f of its bound, want almost 1", largest)
			}
		})
	}
}

// From a scan of q (1 + (1-q) ln((k-1) q/(1-q))) in steps of 1e-5.
func TestCentreSlope(t *testing.T) {
	for k, want := range map[int]float64{1: 1, 2: 1.0998393201, 3: 1.1636644930, 10: 1.3744121790, 100: 1.8441421143} {
		if got := centreSlope(k); math.Abs(got-want) > 1e-8 {
			t.Errorf("%d centres: %.10f, want %.10f", k, got, want)
		}
	}
}

// The mean distance of two centres, by hand: of two classes with three centres
// each, one has all in one place and the other at 0, 90 and 180 degrees.
func TestCentrePenalty(t *testing.T) {
	centres := []float64{1, 0, 1, 0, 1, 0, 1, 0, 0, 1, -1, 0}
	got := modelstest.Evaluate(t, modelstest.GoBackend(t), []*tensors.Tensor{tensors.FromFlatDataAndDimensions(centres, 6, 2)}, func(in []*Node) []*Node {
		return []*Node{centrePenalty(0.2, 3, in[0]), centrePenalty(0.2, 1, in[0])}
	})
	want := 0.2 * (3*math.Sqrt(1e-5) + 2*math.Sqrt(2+1e-5) + math.Sqrt(4+1e-5)) / (2 * 3 * 2)
	if math.Abs(got[0][0]-want) > 1e-12 || got[1][0] != 0 {
		t.Errorf("got %.15g and %g, want %.15g and 0", got[0][0], got[1][0], want)
	}
}

// A learner's gradient reaches its own proxies alone.
func TestProxiesBelongToLearners(t *testing.T) {
	const classes = 3
	labels := []int32{0, 1, 1, 2}
	for _, loss := range proxyLosses(t) {
		t.Run(loss.Name, func(t *testing.T) {
			c := proxyConfig(loss.Name)
			c.Boosting = BoostingGradient
			all := classes * configured(c).Proxies()
			random := rand.New(rand.NewPCG(6, 6))
			inputs := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, len(labels))}
			for _, n := range []int{len(labels), all} {
				for range 3 {
					inputs = append(inputs, tensors.FromFlatDataAndDimensions(normals(random, n*2), n, 2))
				}
			}
			got := modelstest.Evaluate(t, modelstest.GoBackend(t), inputs, func(in []*Node) []*Node {
				b := Boost(c, in[1:4], in[4:], in[0])
				var out []*Node
				for _, l := range b.Learner {
					out = append(out, Gradient(l, in[4:]...)...)
				}
				return out
			})
			for i, gradient := range got {
				learner, of := i/3, i%3
				if moved := slices.Max(gradient) > 0; moved != (learner == of) {
					t.Errorf("the loss of learner %d moves proxies of learner %d: %v", learner, of, moved)
				}
			}
		})
	}
}

func TestProxyConstants(t *testing.T) {
	for name, test := range map[string]struct {
		loss, constant string
		value          float64
		ok             bool
	}{
		"whole centres":         {"soft_triple", "centres", 2, true},
		"a fraction of centres": {"soft_triple", "centres", 2.5, false},
		"no centre":             {"soft_triple", "centres", 0, false},
		"no temperature":        {"normalised_softmax", "temperature", 0, false},
		"NaN":                   {"proxy_anchor", "alpha", math.NaN(), false},
		"of another loss":       {"proxy_nca_plus_plus", "alpha", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			c.Loss, c.Boosting, c.Constants = test.loss, BoostingGradient, map[string]float64{test.constant: test.value}
			if err := c.Validate(); (err == nil) != test.ok {
				t.Errorf("%s %s: %v: error %v", test.loss, test.constant, test.value, err)
			}
			if !test.ok {
				return
			}
			if got, want := fmt.Sprint(configured(c).Proxies()), fmt.Sprint(test.value); got != want {
				t.Errorf("%s proxies, want %s", got, want)
			}
		})
	}
}
