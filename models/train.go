package models

import (
	stdcontext "context"
	"errors"
	"fmt"
	"math"
	"time"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"golang.org/x/sync/errgroup"
)

// TrainData is the training part of a data set.
type TrainData struct {
	Classes  []int32   // class of every image
	Features []float32 // frozen: pooled features, row-major [images, width]
	// Pixels writes one augmented view of image i, [S, S, 3] uint8 RGB; it is
	// called from several goroutines.
	Pixels func(i int, random PixelRandom, dst []uint8) error
	// Workers decode images while the device computes.
	Workers int
}

// Step is what one optimizer step reports. Losses are before its update.
type Step struct {
	Number    int       // 1-based
	Loss      float64   // metric loss, mean over learners
	Total     float64   // what was minimised: with diversity and weight decay
	Diversity float64   // the diversity term, 0 without one
	Rate      float64   // of the embedding
	Learners  []float64 // loss of each learner
	Weights   []float64 // mean boosting weight of each learner over its pairs
	Wait      float64   // seconds the step waited for its images
	Seconds   float64   // since training began, all attempts added up
}

// TrainOptions are where Train saves and reports; they do not change its result.
type TrainOptions struct {
	Checkpoints string        // folder; "" saves nothing
	Every       time.Duration // between checkpoints
	OnStep      func(Step) error
}

// Train takes the model from its present step to Config.Steps. When ctx is
// cancelled it finishes the current step, saves, and returns ctx's error;
// training the loaded checkpoint then continues to the same bits.
func (m *Model) Train(ctx stdcontext.Context, data TrainData, o TrainOptions) error {
	c := m.Config
	if c.Mode == Frozen && len(data.Features) != len(data.Classes)*m.width {
		return fmt.Errorf("train: %d feature values for %d images of width %d", len(data.Features), len(data.Classes), m.width)
	}
	s, err := m.newSampler(data.Classes)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	run, err := m.newStepper(data)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer run.close()

	group, inner := errgroup.WithContext(ctx)
	batches := make(chan batch, 2) // the next batch is decoded while the device computes
	group.Go(func() error {
		defer close(batches)
		for step := m.Step; step < c.Steps; step++ {
			next, err := m.prepare(inner, data, s.batch(step), step)
			if inner.Err() != nil {
				return nil // the consumer says why
			}
			if err != nil {
				return err
			}
			select {
			case batches <- next:
			case <-inner.Done():
				return nil
			}
		}
		return nil
	})
	group.Go(func() error {
		saved := time.Now()
		for m.Step < c.Steps {
			began := time.Now()
			next, ok := <-batches
			if !ok { // interrupted, or the other goroutine's error says why
				return m.interrupted(ctx, o)
			}
			wait := time.Since(began).Seconds()
			report, err := run.step(next)
			if err != nil {
				return err
			}
			m.Step++
			m.Seconds += time.Since(began).Seconds()
			report.Wait, report.Seconds = wait, m.Seconds
			if math.IsNaN(report.Total) || math.IsInf(report.Total, 0) {
				return fmt.Errorf("step %d: the loss is %g: lower the learning rates", m.Step, report.Total)
			}
			if o.OnStep != nil {
				if err := o.OnStep(report); err != nil {
					return err
				}
			}
			if ctx.Err() != nil && m.Step < c.Steps {
				return m.interrupted(ctx, o)
			}
			if o.Checkpoints != "" && o.Every > 0 && time.Since(saved) > o.Every && m.Step < c.Steps {
				if err := m.Save(o.Checkpoints); err != nil {
					return err
				}
				saved = time.Now()
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if o.Checkpoints != "" {
		if err := m.Save(o.Checkpoints); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// interrupted saves the model when ctx was cancelled, and returns its error.
func (m *Model) interrupted(ctx stdcontext.Context, o TrainOptions) error {
	if ctx.Err() == nil {
		return nil
	}
	if o.Checkpoints != "" && m.Step > 0 {
		if err := m.Save(o.Checkpoints); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	return ctx.Err()
}

// batch is one step's input on the host: indices into the features, or pixels.
type batch struct {
	indices []int32
	pixels  []uint8
	labels  []int32
}

// prepare makes the batch of a step.
func (m *Model) prepare(ctx stdcontext.Context, data TrainData, images []int, step int) (batch, error) {
	b := batch{labels: make([]int32, len(images))}
	for i, image := range images {
		b.labels[i] = data.Classes[image]
	}
	if m.Config.Mode == Frozen {
		b.indices = make([]int32, len(images))
		for i, image := range images {
			b.indices[i] = int32(image)
		}
		return b, nil
	}
	size := m.Config.Input * m.Config.Input * 3
	b.pixels = make([]uint8, len(images)*size)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(max(1, data.Workers))
	for i, image := range images {
		group.Go(func() error {
			if inner.Err() != nil {
				return inner.Err()
			}
			random := stream(m.Config.Seed, streamAugment, step*len(images)+i)
			return data.Pixels(image, random, b.pixels[i*size:(i+1)*size])
		})
	}
	return b, group.Wait()
}

// rate returns the factor of the schedule at a step, counted from 1.
func (c Config) rate(step int) float64 {
	if c.DecayEvery == 0 {
		return 1
	}
	return math.Pow(c.DecayFactor, float64((step-1)/c.DecayEvery))
}

// stepper runs the compiled training step.
type stepper struct {
	model    *Model
	exec     *context.Exec
	features *tensors.Tensor // [images, width] on the device, frozen mode
}

func (m *Model) newStepper(data TrainData) (*stepper, error) {
	s := &stepper{model: m}
	trainable := m.trainable()
	if m.Config.Mode == Frozen {
		s.features = tensors.FromFlatDataAndDimensions(data.Features, len(data.Classes), m.width)
	}
	exec, err := context.NewExec(m.backend.Backend, m.ctx, func(ctx *context.Context, inputs []*Node) []*Node {
		labels, rates := inputs[0], inputs[1]
		input := inputs[len(inputs)-1]
		if m.Config.Mode == Frozen {
			input = Gather(inputs[3], Reshape(inputs[2], -1, 1))
		}
		return m.stepGraph(ctx, trainable, input, labels, rates)
	})
	if err != nil {
		return nil, err
	}
	s.exec = exec
	return s, nil
}

// trainable returns the variables that training changes, creating their
// moments where a fresh model has none.
func (m *Model) trainable() []*context.Variable {
	var out []*context.Variable
	complete := true
	for v := range m.ctx.IterVariables() {
		if v.Trainable {
			out = append(out, v)
			complete = complete && m.ctx.GetVariableByScopeAndName(firstMoment+v.Scope(), v.Name()) != nil
		}
	}
	if complete {
		return out
	}
	return addMoments(m.ctx)
}

// The order of the scalars that the host hands to a step.
const (
	rateBackbone = iota
	rateEmbedding
	rateRegressor
	correctFirst
	correctSecond
	scalars
)

// stepGraph is one optimizer step. input is [batch, width] features or
// [batch, S, S, 3] uint8 pixels; labels int32 [batch]; rates float32 [scalars].
// It returns the step's report: total, loss, diversity, then M learner losses
// and M mean weights, all float32 scalars.
func (m *Model) stepGraph(ctx *context.Context, trainable []*context.Variable, input, labels, rates *Node) []*Node {
	c := m.Config
	labels.AssertDims(c.Classes * c.Images)
	rates.AssertDims(scalars)
	g := input.Graph()
	x := m.pooled(ctx, input)
	embeddings, matrices := m.learners(ctx, x)
	metric := boostedLoss(c, embeddings, labels)
	total := metric.total
	diversity := ScalarZero(g, total.DType())
	if c.Diversity == DiversityAdversarial && len(c.Learners) > 1 {
		diversity = adversarialLoss(c, x, matrices, m.regressors(ctx, g)).total
		total = Add(total, diversity)
	}
	if c.WeightDecay > 0 {
		total = Add(total, MulScalar(m.kernelNorm(g, trainable), c.WeightDecay))
	}

	scalar := func(i int) *Node { return Reshape(Slice(rates, AxisElem(i))) }
	values := make([]*Node, len(trainable))
	for i, v := range trainable {
		values[i] = v.ValueGraph(g)
	}
	for i, gradient := range Gradient(total, values...) {
		v := trainable[i]
		rate := rateBackbone
		switch {
		case inScope(v, embeddingScope):
			rate = rateEmbedding
		case inScope(v, regressorScope):
			rate = rateRegressor
		}
		adam(ctx, v, gradient, scalar(rate), scalar(correctFirst), scalar(correctSecond))
	}
	report := []*Node{total, metric.total, diversity}
	report = append(report, metric.learner...)
	return append(report, metric.meanWeight...)
}

// kernelNorm is the sum of squares of backbone kernels and embedding matrices;
// biases and regressors are left out.
func (m *Model) kernelNorm(g *Graph, trainable []*context.Variable) *Node {
	var sum *Node
	for _, v := range trainable {
		if inScope(v, regressorScope) || v.Shape().Rank() < 2 {
			continue
		}
		square := ReduceAllSum(Square(v.ValueGraph(g)))
		if sum == nil {
			sum = square
		} else {
			sum = Add(sum, square)
		}
	}
	return sum
}

// step runs one optimizer step on the device and reports it.
func (s *stepper) step(b batch) (Step, error) {
	m := s.model
	c := m.Config
	number := m.Step + 1
	factor := c.rate(number)
	rates := make([]float32, scalars)
	rates[rateBackbone] = float32(c.BackboneRate * factor)
	rates[rateEmbedding] = float32(c.EmbeddingRate * factor)
	rates[rateRegressor] = float32(c.RegressorRate * factor)
	rates[correctFirst], rates[correctSecond] = corrections(number)

	inputs := []any{b.labels, rates}
	if c.Mode == Frozen {
		inputs = append(inputs, b.indices, s.features)
	} else {
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(b.pixels, len(b.labels), c.Input, c.Input, 3))
	}
	var out []float64
	err := catch(fmt.Sprintf("step %d", number), func() {
		for _, t := range s.exec.MustExec(inputs...) {
			out = append(out, float64(tensors.ToScalar[float32](t)))
			t.MustFinalizeAll()
		}
	})
	if err != nil {
		return Step{}, err
	}
	learners := len(c.Learners)
	return Step{
		Number: number, Total: out[0], Loss: out[1], Diversity: out[2], Rate: c.EmbeddingRate * factor,
		Learners: out[3 : 3+learners], Weights: out[3+learners:],
	}, nil
}

func (s *stepper) close() {
	s.exec.Finalize()
	if s.features != nil {
		s.features.MustFinalizeAll()
	}
}
