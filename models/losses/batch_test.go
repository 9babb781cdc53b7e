package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// lossCase is a loss with constants to be tested, on labels that suit it.
type lossCase struct {
	name   string
	config Config
	loss   Loss
	labels []int32
}

// lossCases are all losses with their default constants, and more of the
// constants that change a formula. Labels are below lossClasses.
func lossCases() []lossCase {
	squared := map[string]float64{"power": 2}
	var out []lossCase
	add := func(name string, l Loss, constants map[string]float64) {
		c := DefaultConfig()
		c.Loss, c.Constants = l.Name, constants
		if l.terms != nil && l.terms.hinge {
			c.BoostingStart = 0 // a hinge has no slope above
		}
		labels := []int32{2, 0, 2, 3, 0, 0, 1}
		if l.Name == "margin" {
			// The probabilities of its draws are constants for the gradient, so
			// differences would see them change. Here all anchors of a positive
			// have one and the same negative, with probability 1.
			labels = []int32{2, 2, 2, 1, 2, 2, 2}
		}
		out = append(out, lossCase{name, c, configured(c), labels})
	}
	for _, l := range All() {
		add(l.Name, l, nil)
		if l.Name == "contrastive" || l.Name == "triplet" {
			add(l.Name+" squared", l, squared)
		}
	}
	return out
}

// configured returns a configuration's loss, which must be there.
func configured(c Config) Loss {
	l, err := For(c)
	if err != nil {
		panic(err)
	}
	return l
}

const lossClasses = 4

// lossBatch is what a loss is computed of: the learners' raw outputs [N, d_m]
// and, for a loss that has them, proxies [classes*each, d_m], row-major.
type lossBatch struct {
	labels     []int32
	sizes      []int
	embeddings [][]float64
	proxies    [][]float64
}

// normalBatch has normal embeddings and proxies.
func (c lossCase) normalBatch(seed uint64, sizes ...int) lossBatch {
	random := rand.New(rand.NewPCG(seed, 17))
	b := lossBatch{labels: c.labels, sizes: sizes}
	normal := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = random.NormFloat64()
		}
		return out
	}
	for _, d := range sizes {
		b.embeddings = append(b.embeddings, normal(len(c.labels)*d))
		if c.loss.Proxies() > 0 {
			b.proxies = append(b.proxies, normal(lossClasses*c.loss.Proxies()*d))
		}
	}
	return b
}

// values are all numbers that a gradient is taken by.
func (b lossBatch) values() [][]float64 {
	return append(append([][]float64{}, b.embeddings...), b.proxies...)
}

// tensors are labels and values, in float64 or float32.
func (b lossBatch) tensors(single bool) []*tensors.Tensor {
	out := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(b.labels, len(b.labels))}
	for i, values := range b.values() {
		d := b.sizes[i%len(b.sizes)]
		if !single {
			out = append(out, tensors.FromFlatDataAndDimensions(values, len(values)/d, d))
			continue
		}
		small := make([]float32, len(values))
		for j, v := range values {
			small[j] = float32(v)
		}
		out = append(out, tensors.FromFlatDataAndDimensions(small, len(values)/d, d))
	}
	return out
}

// boosted builds the loss of a batch's tensors.
func (c lossCase) boosted(in []*Node) Boosted {
	if c.loss.Proxies() == 0 {
		return Boost(c.config, in[1:], nil, in[0])
	}
	m := (len(in) - 1) / 2
	return Boost(c.config, in[1:1+m], in[1+m:], in[0])
}

// pairs are those of a batch's labels, for a learner of that width.
func (c lossCase) pairs(labels, like *Node, width int) pairs {
	p := newPairs(c.config, labels, like.DType())
	if c.loss.Proxies() > 0 {
		p = newProxyPairs(labels, lossClasses, c.loss.Proxies(), like.DType())
	}
	p.width = width
	return p
}

// columns is how many columns the loss's matrix of similarities has.
func (c lossCase) columns() int {
	if c.loss.Proxies() > 0 {
		return lossClasses * c.loss.Proxies()
	}
	return len(c.labels)
}

// scalarExec compiles a scalar graph; the function that is returned runs it.
func scalarExec(t *testing.T, graph func(in []*Node) *Node) func(inputs []*tensors.Tensor) float64 {
	t.Helper()
	exec, err := NewExec(modelstest.GoBackend(t).Backend, func(in []*Node) []*Node { return []*Node{graph(in)} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return func(inputs []*tensors.Tensor) float64 {
		t.Helper()
		return modelstest.Execute(t, exec, inputs)[0][0]
	}
}

// unitRows are the rows of x, d long each, at unit length, and their lengths.
func unitRows(x []float64, d int) (unit [][]float64, lengths []float64) {
	for at := 0; at < len(x); at += d {
		square := 0.0
		for _, v := range x[at : at+d] {
			square += v * v
		}
		length, row := math.Sqrt(square), make([]float64, d)
		for i, v := range x[at : at+d] {
			row[i] = v / length
		}
		unit, lengths = append(unit, row), append(lengths, length)
	}
	return unit, lengths
}

// products are the dot products of all rows of a with all of b, row-major.
func products(a, b [][]float64) []float64 {
	var out []float64
	for _, x := range a {
		for _, y := range b {
			sum := 0.0
			for i := range x {
				sum += x[i] * y[i]
			}
			out = append(out, sum)
		}
	}
	return out
}

// cosineGradient adds to into, the gradient by the rows a of which unit and
// lengths are known, what flows back from s = unit . other: slopes is [a,
// other], or its transpose. The derivative of s_ij by a_i is
// (b_j - s_ij a_i)/|a_i| with unit rows a, b.
func cosineGradient(into []float64, slopes []float64, transposed bool, unit [][]float64, lengths []float64, other [][]float64) {
	s := products(unit, other)
	for i, a := range unit {
		for j, b := range other {
			slope := slopes[i*len(other)+j]
			if transposed {
				slope = slopes[j*len(unit)+i]
			}
			for k := range a {
				into[i*len(a)+k] += slope * (b[k] - s[i*len(other)+j]*a[k]) / lengths[i]
			}
		}
	}
}
