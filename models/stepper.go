package models

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/losses"
	"bierbench/models/xla"
)

// A stepper runs the compiled training step.
type stepper struct {
	model    *Model
	whole    *xla.Program    // the step as one program; nil if chunks is set
	chunks   *accumulation   // the step in chunks of a batch
	features *tensors.Tensor // [images, width] on the device; frozen mode on one device
	table    []float32       // the same on the host; frozen mode on several
}

func (m *Model) newStepper(data TrainData) (*stepper, error) {
	s := &stepper{model: m}
	trainable := m.trainable()
	var err error
	if m.Config.chunks() > 1 {
		s.chunks, err = m.newAccumulation(trainable)
		return s, err
	}
	// One device picks a batch from the table of features itself. For several devices the host does
	// it, for each would need a table.
	picks := m.Config.Mode == Frozen && m.backend.Devices < 2
	if picks {
		s.features = tensors.FromFlatDataAndDimensions(data.Features, len(data.Classes), m.width)
	} else {
		s.table = data.Features
	}
	s.whole, err = m.backend.Program(m.store, func(scope *model.Scope, inputs []*Node) []*Node {
		labels, rates, input := inputs[0], inputs[1], inputs[2]
		if picks {
			input = Gather(inputs[3], Reshape(inputs[2], -1, 1))
		}
		total, report := m.objective(scope, trainable, m.pooled(scope, input), labels)
		m.update(m.store, trainable, Gradient(total, variableValues(input.Graph(), trainable)...), rates)
		return []*Node{report}
	}, xla.Replicated, xla.Sharded, xla.Replicated, xla.Sharded)
	return s, err
}

// trainable returns the variables that training changes, creating their
// moments where a fresh model has none.
func (m *Model) trainable() []*model.Variable {
	var out []*model.Variable
	complete := true
	for v := range m.store.IterVariables() {
		if v.Trainable {
			out = append(out, v)
			complete = complete && m.store.GetVariable(firstMoment+v.Path()) != nil
		}
	}
	if complete {
		return out
	}
	return addMoments(m.store)
}

// The order of the scalars that the host passes to a step.
const (
	rateBackbone = iota
	rateEmbedding
	rateRegressor
	rateProxy
	correctFirst
	correctSecond
	scalarCount
)

// objective returns what a step minimises, a scalar, and the step's report, a float32 vector:
// total, loss, diversity, M learner losses, M mean weights and the M x 2 x losses.WeightBins shares
// of weights. x is the pooled feature [batch, width]; labels int32 [batch].
func (m *Model) objective(scope *model.Scope, trainable []*model.Variable, x, labels *Node) (total, report *Node) {
	c := m.Config
	labels.AssertDims(c.Classes * c.Images)
	g := x.Graph()
	embeddings, matrices := m.learners(scope, x)
	metric := losses.Boost(c.Config, embeddings, m.proxies(scope, g), labels)
	total = metric.Total
	diversityTerm := ScalarZero(g, total.DType())
	if c.keepsApart() {
		diversityTerm = diversityLoss(scope, c, x, matrices).total
		total = Add(total, diversityTerm)
	}
	if c.WeightDecay > 0 {
		total = Add(total, MulScalar(kernelNorm(g, trainable), c.WeightDecay))
	}
	parts := append([]*Node{total, metric.Total, diversityTerm}, metric.Learner...)
	parts = append(append(parts, metric.MeanWeight...), metric.Bins)
	for i, part := range parts {
		parts[i] = Reshape(part, -1)
	}
	return total, Concatenate(parts, 0)
}

// update takes a step of Adam on variables; gradients has one for each of them, and rates is
// float32 [scalarCount].
func (m *Model) update(store *model.Store, variables []*model.Variable, gradients []*Node, rates *Node) {
	rates.AssertDims(scalarCount)
	scalar := func(i int) *Node { return Reshape(Slice(rates, AxisElem(i))) }
	for i, v := range variables {
		rate := rateBackbone
		switch {
		case inScope(v, embeddingScope):
			rate = rateEmbedding
		case inScope(v, regressorScope):
			rate = rateRegressor
		case inScope(v, proxyScope):
			rate = rateProxy
		}
		adam(store, v, gradients[i], scalar(rate), scalar(correctFirst), scalar(correctSecond))
	}
}

// variableValues returns the values of variables as nodes of a graph.
func variableValues(g *Graph, variables []*model.Variable) []*Node {
	out := make([]*Node, len(variables))
	for i, v := range variables {
		out[i] = v.NodeValue(g)
	}
	return out
}

// decays reports whether weight decay applies to a variable: to kernels of the
// backbone and embedding matrices, not to biases, regressors and proxies.
func decays(v *model.Variable) bool {
	return !inScope(v, regressorScope) && !inScope(v, proxyScope) && v.Shape().Rank() >= 2
}

// kernelNorm is the sum of squares of all variables that decay.
func kernelNorm(g *Graph, trainable []*model.Variable) *Node {
	var squares []*Node
	for _, v := range trainable {
		if decays(v) {
			squares = append(squares, ReduceAllSum(Square(v.NodeValue(g))))
		}
	}
	return sumNodes(squares)
}

// step runs one optimizer step on the device and reports it.
func (s *stepper) step(b stepBatch) (Step, error) {
	m := s.model
	c := m.Config
	number := m.Step + 1
	factor := c.rate(number)
	rates := make([]float32, scalarCount)
	rates[rateBackbone] = float32(c.BackboneRate * factor)
	rates[rateEmbedding] = float32(c.EmbeddingRate * factor)
	rates[rateRegressor] = float32(c.RegressorRate * factor)
	rates[rateProxy] = float32(c.ProxyRate * factor)
	rates[correctFirst], rates[correctSecond] = momentCorrections(number)

	var out []float64
	what := fmt.Sprintf("step %d", number)
	defer m.backend.Watch("training " + what)()
	err := xla.Catch(what, func() {
		var failure error
		if s.chunks != nil {
			out, failure = s.chunks.step(b, rates)
		} else {
			out, failure = s.stepWhole(b, rates)
		}
		if failure != nil {
			panic(c.explainMemory(failure, m.backend.Devices))
		}
	})
	if err != nil {
		return Step{}, err
	}
	learners := len(c.Learners)
	report := Step{
		Number: number, Total: out[0], Loss: out[1], Diversity: out[2], Rate: c.EmbeddingRate * factor,
		Learners: out[3 : 3+learners], Weights: out[3+learners : 3+2*learners],
	}
	bins := out[3+2*learners:]
	for range learners {
		report.Bins = append(report.Bins, [2][]float64{bins[:losses.WeightBins], bins[losses.WeightBins : 2*losses.WeightBins]})
		bins = bins[2*losses.WeightBins:]
	}
	return report, nil
}

// stepWhole runs the step as one program and returns its report.
func (s *stepper) stepWhole(b stepBatch, rates []float32) ([]float64, error) {
	m := s.model
	inputs := []any{b.labels, rates}
	switch {
	case s.features != nil:
		inputs = append(inputs, b.indices, s.features)
	case m.Config.Mode == Frozen:
		picked := make([]float32, 0, len(b.indices)*m.width)
		for _, i := range b.indices {
			picked = append(picked, s.table[int(i)*m.width:][:m.width]...)
		}
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(picked, len(b.indices), m.width))
	default:
		inputs = append(inputs, m.images(b.pixels))
	}
	found, err := s.whole.Run(inputs...)
	if err != nil {
		return nil, err
	}
	return readVector(found[0])
}

// images returns the network's input of pixels, [N, S, S, 3].
func (m *Model) images(pixels []uint8) *tensors.Tensor {
	side := m.Config.Input
	return tensors.FromFlatDataAndDimensions(pixels, len(pixels)/(side*side*3), side, side, 3)
}

// readVector reads a float32 vector and frees it.
func readVector(t *tensors.Tensor) ([]float64, error) {
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out, t.FinalizeAll()
}

func (s *stepper) close() {
	if s.chunks != nil {
		s.chunks.free()
	}
	if s.whole != nil {
		s.whole.Free()
	}
	if s.features != nil {
		s.features.MustFinalizeAll()
	}
}
