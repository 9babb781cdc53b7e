package models

import (
	"errors"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/backbones"
	"bierbench/models/xla"
)

// accumulatedScope holds the sum of the backbone's gradients; under it, a parameter keeps its own
// scope. It is not part of the model's state: every step begins a new sum.
const accumulatedScope = "/accumulated"

// isScratchVariable reports whether a variable lives no longer than a step: checkpoints
// leave it out.
func isScratchVariable(v *model.Variable) bool {
	return strings.HasPrefix(v.Scope(), accumulatedScope+"/")
}

// An accumulation takes a step in chunks of a batch (gradient caching: Gao et al. 2021,
// https://arxiv.org/abs/2101.06983, section 3.2). The loss of pairs needs all features of a batch
// at once, but no other layer's maps: a forward pass of every chunk keeps the features alone; the
// head then has its loss, its own gradients and those of the features; and a second pass of every
// chunk takes these back through the backbone.
type accumulation struct {
	model    *Model
	forward  *xla.Program // chunk -> pooled features
	head     *xla.Program // all features -> report and their gradient; updates the head
	backward *xla.Program // chunk, gradient of its features -> adds to the backbone's gradients
	last     *xla.Program // updates the backbone
}

// newAccumulation returns the programs of a step, which compile at their first run; trainable are
// all variables that training changes.
func (m *Model) newAccumulation(trainable []*model.Variable) (*accumulation, error) {
	var backbone, head []*model.Variable
	for _, v := range trainable {
		if inScope(v, backbones.Scope) {
			backbone = append(backbone, v)
		} else {
			head = append(head, v)
		}
	}
	sums := make([]*model.Variable, len(backbone))
	for i, v := range backbone {
		sums[i] = m.store.VariableWithValue(accumulatedScope+v.Path(), tensors.FromShape(v.Shape())).SetTrainable(false)
	}
	var errs []error
	compile := func(f func(scope *model.Scope, inputs []*Node) []*Node, output xla.Layout, inputs ...xla.Layout) *xla.Program {
		p, err := m.backend.Program(m.store, f, output, inputs...)
		errs = append(errs, err)
		return p
	}
	a := &accumulation{model: m}
	a.forward = compile(func(scope *model.Scope, inputs []*Node) []*Node {
		backbones.ForInference(scope.At(backbones.Scope), inputs[0].Graph())
		return []*Node{m.pooled(scope, inputs[0])}
	}, xla.Sharded, xla.Sharded)
	a.head = compile(func(scope *model.Scope, inputs []*Node) []*Node {
		labels, rates, x := inputs[0], inputs[1], inputs[2]
		total, report := m.objective(scope, trainable, x, labels)
		gradients := Gradient(total, append(variableValues(x.Graph(), head), x)...)
		m.update(m.store, head, gradients[:len(head)], rates)
		return []*Node{report, gradients[len(head)]}
	}, xla.Replicated, xla.Sharded, xla.Replicated, xla.Sharded)
	a.backward = compile(func(scope *model.Scope, inputs []*Node) []*Node {
		number, pull, images := inputs[0], inputs[1], inputs[2]
		g := images.Graph()
		first := Equal(number, ScalarZero(g, number.DType()))
		// The gradient of <x, dL/dx> with dL/dx held fixed is dL/dx times that of x.
		work := ReduceAllSum(Mul(m.pooled(scope, images), pull))
		for i, gradient := range Gradient(work, variableValues(g, backbone)...) {
			before := sums[i].NodeValue(g)
			sums[i].SetNodeValue(Add(Where(first, ZerosLike(before), before), gradient))
		}
		return []*Node{work}
	}, xla.Replicated, xla.Replicated, xla.Sharded, xla.Sharded)
	a.last = compile(func(scope *model.Scope, inputs []*Node) []*Node {
		g := inputs[0].Graph()
		gradients := variableValues(g, sums)
		for i, v := range backbone {
			if decays(v) && m.Config.WeightDecay > 0 {
				gradients[i] = Add(gradients[i], MulScalar(v.NodeValue(g), 2*m.Config.WeightDecay))
			}
		}
		m.update(m.store, backbone, gradients, inputs[0])
		return []*Node{ReduceAllSum(inputs[0])}
	}, xla.Replicated, xla.Replicated)
	return a, errors.Join(errs...)
}

// step takes the whole step and returns its report.
func (a *accumulation) step(b stepBatch, rates []float32) ([]float64, error) {
	m := a.model
	n, batch := m.Config.chunks(), len(b.labels)
	chunk := batch / n
	pixels := func(i int) *tensors.Tensor {
		size := len(b.pixels) / n
		return m.images(b.pixels[i*size : (i+1)*size])
	}
	features := make([]float32, 0, batch*m.width)
	for i := range n {
		images := pixels(i)
		found, err := a.forward.Run(images)
		if err != nil {
			return nil, err
		}
		x := tensors.MustCopyFlatData[float32](found[0])
		features = append(features, x...)
		if err := errors.Join(found[0].FinalizeAll(), images.FinalizeAll()); err != nil {
			return nil, err
		}
	}
	x := tensors.FromFlatDataAndDimensions(features, batch, m.width)
	found, err := a.head.Run(b.labels, rates, x)
	if err != nil {
		return nil, err
	}
	report, err := readVector(found[0])
	if err != nil {
		return nil, err
	}
	gradient := found[1]
	pull := tensors.MustCopyFlatData[float32](gradient)
	if err = errors.Join(gradient.FinalizeAll(), x.FinalizeAll()); err != nil {
		return nil, err
	}
	for i := range n {
		images := pixels(i)
		part := tensors.FromFlatDataAndDimensions(pull[i*chunk*m.width:(i+1)*chunk*m.width], chunk, m.width)
		if found, err = a.backward.Run(int32(i), part, images); err != nil {
			return nil, err
		}
		if err = waitAndFree(found[0], part, images); err != nil {
			return nil, err
		}
	}
	if found, err = a.last.Run(rates); err != nil {
		return nil, err
	}
	return report, waitAndFree(found[0])
}

// waitAndFree waits until a program has computed output, and frees the output and the program's
// inputs.
func waitAndFree(output *tensors.Tensor, inputs ...*tensors.Tensor) error {
	errs := []error{output.ConstBytes(func([]byte) {}), output.FinalizeAll()}
	for _, input := range inputs {
		errs = append(errs, input.FinalizeAll())
	}
	return errors.Join(errs...)
}

func (a *accumulation) free() {
	for _, p := range []*xla.Program{a.forward, a.head, a.backward, a.last} {
		if p != nil {
			p.Free()
		}
	}
	// The variables go with the programs that use them.
	if err := a.model.store.DeleteVariablesInScope(accumulatedScope); err != nil {
		panic(err) // a variable's memory cannot be freed twice
	}
}
