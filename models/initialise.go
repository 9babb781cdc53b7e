package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/xla"
)

const (
	// InitialImages is the largest number of images that an initialisation uses: more than a
	// feature has dimensions, or the matrices could look past all of their features.
	InitialImages = 2048
	// initialWindow is the number of steps over which the rule of convergence averages.
	initialWindow = 100
)

// The values of InitialConfig's Initial.
const (
	InitialXavier      = "xavier"      // uniform in +-sqrt(6/(in+out))
	InitialOrthogonal  = "orthogonal"  // columns of all learners together at right angles
	InitialActivation  = "activation"  // Xavier, then the activation loss on frozen features until it converges
	InitialAdversarial = "adversarial" // Xavier, then the adversarial loss
)

// InitialConfig says what the embedding matrices are before training.
type InitialConfig struct {
	Initial string `json:"initial"` // the embedding matrices before training: xavier, orthogonal, activation or adversarial
	// The optimisation before training where Initial is activation or
	// adversarial. It ends by the rule of Model.Initialise.
	InitialSteps     int     `json:"initial_steps,omitempty"`     // at most
	InitialRate      float64 `json:"initial_rate,omitempty"`      // Adam's, per step
	InitialTolerance float64 `json:"initial_tolerance,omitempty"` // it has converged when the loss improves by less, relative
	InitialLambdaW   float64 `json:"initial_lambda_w,omitempty"`  // weight of its unit-norm constraints
	InitialNormAxis  string  `json:"initial_norm_axis,omitempty"` // in or out; empty is the loss's own
}

// defaultInitial returns the settings of Xavier's initialisation, with those of the optimisation
// for a configuration that chooses one.
func defaultInitial() InitialConfig {
	return InitialConfig{Initial: InitialXavier, InitialSteps: 2000, InitialRate: 1e-3, InitialTolerance: 1e-3}
}

// validate returns an error that names every setting that cannot be used.
func (c InitialConfig) validate() error {
	var v validation
	v.oneOf("initial", c.Initial, InitialXavier, InitialOrthogonal, InitialActivation, InitialAdversarial)
	if c.optimises() {
		v.within("initial_steps", c.InitialSteps, 1, MaxSteps)
		v.check(c.InitialRate > 0 && !math.IsInf(c.InitialRate, 1), "initial_rate: %g; want a finite number above 0", c.InitialRate)
		v.check(c.InitialTolerance >= 0, "initial_tolerance: %g; want at least 0", c.InitialTolerance)
		v.check(c.InitialLambdaW >= 0 && !math.IsInf(c.InitialLambdaW, 1), "initial_lambda_w: %g; want a finite number of at least 0",
			c.InitialLambdaW)
		v.oneOf("initial_norm_axis", c.InitialNormAxis, "", AxisIn, AxisOut)
	}
	return v.err()
}

// optimises reports whether the embedding matrices are optimised before
// training.
func (c InitialConfig) optimises() bool {
	return c.Initial == InitialActivation || c.Initial == InitialAdversarial
}

// An Initialisation says how an optimisation of the embedding matrices ended.
type Initialisation struct {
	Images      int // images that it used
	Converged   bool
	First, Last InitialStep // before the first step, and after the last
}

// An InitialStep is the loss after Number steps of an initialisation.
type InitialStep struct {
	Number     int
	Loss       float64   // sum of pairs + initial_lambda_w (sum of norms + regressors)
	Pairs      []float64 // terms of the pairs of learners 01, 02, ..., 12, ...
	Norms      []float64 // unit-norm constraint of each learner's matrix
	Regressors float64   // sum of the constraints of regressors; 0 for the activation loss
	Seconds    float64   // since the initialisation began
}

// Initialises reports whether an optimisation of the embedding matrices comes
// before training. One learner has nothing to be kept apart from.
func (c Config) Initialises() bool {
	return (c.Initial == InitialActivation || c.Initial == InitialAdversarial) && len(c.Learners) > 1
}

// initialisation returns the configuration of the loss that is minimised before training. LambdaDiv
// is 1, for Adam's steps do not depend on a factor of the whole loss.
func (c Config) initialisation() Config {
	c.Diversity = map[string]string{InitialActivation: DiversityActivation, InitialAdversarial: DiversityAdversarial}[c.Initial]
	c.LambdaDiv, c.LambdaW, c.NormAxis = 1, c.initialLambdaW(), normAxis(c.InitialNormAxis, c.Diversity)
	return c
}

// initialLambdaW returns Config.InitialLambdaW or, if that is 0, the loss's own: 100, the default
// of the authors' code, for the activation loss; 1e5, that of its script for Stanford Online
// Products, for the adversarial one, whose regressors grew without end under 100 on features of
// length 40.
func (c Config) initialLambdaW() float64 {
	switch {
	case c.InitialLambdaW > 0:
		return c.InitialLambdaW
	case c.Initial == InitialAdversarial:
		return 1e5
	default:
		return 100
	}
}

// Initialise minimises the diversity loss that Config.Initial names over the embedding matrices
// alone, with biases of 0, on the pooled features of the training images, row-major [n, width]. The
// model must not have taken a step. It does nothing if Config.Initialises is false.
//
// Every step of Adam is on the same images, all of them or a random subset of 2,048, so the result
// has the same bits every time and on any number of devices, of which one does the work. The
// moments are thrown away afterwards. Regressors of the adversarial loss are trained with the
// matrices; a model that has this loss in training too goes on with them; in another model they
// have no part.
//
// It has converged when the mean loss of the last 100 steps is no more than
// Config.InitialTolerance below that of the 100 before, in units of what the
// terms of the pairs summed up to before the first step. (The activation loss
// has its minimum near 0, where the matrices look past the features, and falls
// towards it like a power of the number of steps: in units of the loss itself
// no step would be the last.) The adversarial loss is a saddle point, which
// both sides move: there the two means differ by no more than that. It ends
// after Config.InitialSteps in any case.
//
// onStep, which may be nil, is called with the loss before the first step and after every step.
// When ctx is cancelled, Initialise finishes the step and returns ctx's error; the model is then as
// it was before.
func (m *Model) Initialise(ctx context.Context, features []float32, onStep func(InitialStep) error) (Initialisation, error) {
	if !m.Config.Initialises() {
		return Initialisation{}, nil
	}
	if m.Step > 0 {
		return Initialisation{}, fmt.Errorf("initialise: the model has taken %d steps, want a fresh one", m.Step)
	}
	if len(features) == 0 || len(features)%m.width != 0 {
		return Initialisation{}, fmt.Errorf("initialise: %d feature values; want rows of width %d", len(features), m.width)
	}
	found, err := m.initialise(ctx, m.initialRows(features), onStep)
	if err != nil {
		return found, fmt.Errorf("initialise: %w", err)
	}
	return found, nil
}

// initialRows returns the features of the images that an initialisation uses, in the order of the
// images.
func (m *Model) initialRows(features []float32) []float32 {
	n := len(features) / m.width
	if n <= InitialImages {
		return features
	}
	chosen := stream(m.Config.Seed, "initialisation", 0).Perm(n)[:InitialImages]
	slices.Sort(chosen)
	out := make([]float32, 0, InitialImages*m.width)
	for _, i := range chosen {
		out = append(out, features[i*m.width:][:m.width]...)
	}
	return out
}

// initialise optimises copies of the variables and puts them back at the end.
func (m *Model) initialise(ctx context.Context, features []float32, onStep func(InitialStep) error) (found Initialisation, err error) {
	began := time.Now()
	c := m.Config.initialisation()
	found.Images = len(features) / m.width
	own, err := m.initialVariables(c)
	if err != nil {
		return found, err
	}
	defer own.Finalize()
	step, err := m.initialProgram(own, c)
	if err != nil {
		return found, err
	}
	defer step.Finalize()
	x := tensors.FromFlatDataAndDimensions(features, found.Images, m.width)
	defer x.MustFinalizeAll()

	// A run of the program reports the loss before its update, so the last run,
	// with rates of 0, changes nothing.
	var history []float64
	for last := false; !last; {
		number := len(history)
		found.Converged = converged(history, m.Config.InitialTolerance*found.First.lossUnit(), c.Diversity)
		last = found.Converged || number == m.Config.InitialSteps
		rates := make([]float32, scalarCount)
		if !last {
			rates[rateEmbedding], rates[rateRegressor] = float32(m.Config.InitialRate), float32(m.Config.InitialRate)
		}
		rates[correctFirst], rates[correctSecond] = momentCorrections(number + 1)
		var report []float64
		what := fmt.Sprintf("step %d", number)
		err = xla.Catch(what, func() {
			defer m.backend.Watch("initialisation, " + what)()
			out, failure := step.Call(rates, x)
			if failure == nil {
				failure = m.backend.CheckPlugin()
			}
			if failure == nil {
				report, failure = readVector(out[0])
			}
			if failure != nil {
				panic(xla.ExplainForwardOutOfMemory(failure, fmt.Sprintf("an initialisation on %d images", found.Images)))
			}
		})
		if err != nil {
			return found, err
		}
		at := c.initialStep(number, report)
		at.Seconds = time.Since(began).Seconds()
		if math.IsNaN(at.Loss) || math.IsInf(at.Loss, 0) {
			return found, fmt.Errorf("step %d: the loss is %g: lower initial_rate", number, at.Loss)
		}
		if number == 0 {
			found.First = at
		}
		found.Last = at
		history = append(history, at.Loss)
		if onStep != nil {
			if err = onStep(at); err != nil {
				return found, err
			}
		}
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
	}
	return found, m.takeInitial(own)
}

// initialVariables returns a store with copies of the embedding matrices, the
// regressors of the adversarial loss, and Adam's moments.
func (m *Model) initialVariables(c Config) (*model.Store, error) {
	own := model.NewStore()
	for i := range c.Learners {
		w := xla.Below(m.store.RootScope(), embeddingScope, learnerName(i)).GetVariable("weights")
		value, err := w.Value()
		if err == nil {
			value, err = copyTensor(value)
		}
		if err != nil {
			return nil, err
		}
		xla.Below(own.RootScope(), embeddingScope, learnerName(i)).VariableWithValue("weights", value)
	}
	if c.Diversity == DiversityAdversarial {
		addRegressors(own.RootScope(), c)
	}
	addMoments(own)
	return own, nil
}

// copyTensor returns a new tensor with the float32 values of t.
func copyTensor(t *tensors.Tensor) (*tensors.Tensor, error) {
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(values, t.Shape().Dimensions...), nil
}

// initialProgram maps rates [scalarCount] and features [n, width] to the report of a step: the
// loss, the terms of pairs, those of the matrices' norms, and the sum of the regressors'
// constraints.
func (m *Model) initialProgram(own *model.Store, c Config) (*model.Exec, error) {
	var trained []*model.Variable
	for v := range own.IterVariables() {
		if v.Trainable {
			trained = append(trained, v)
		}
	}
	return model.NewExec(m.backend.Backend, own, func(scope *model.Scope, inputs []*Node) []*Node {
		rates, x := inputs[0], inputs[1]
		g := x.Graph()
		var matrices []*Node
		for i, d := range c.Learners {
			matrices = append(matrices, xla.Variable(xla.Below(scope, embeddingScope, learnerName(i)), g, "weights", m.width, d))
		}
		d := diversityLoss(scope, c, x, matrices)
		constraints := ScalarZero(g, x.DType())
		if len(d.regressorNorms) > 0 {
			constraints = Add(sumNodes(d.regressorNorms), sumNodes(d.regressorBiases))
		}
		m.update(own, trained, Gradient(d.total, variableValues(g, trained)...), rates)
		parts := slices.Concat([]*Node{d.total}, d.terms, d.embeddingNorms, []*Node{constraints})
		for i, part := range parts {
			parts[i] = Reshape(part, -1)
		}
		return []*Node{Concatenate(parts, 0)}
	})
}

// initialStep reads the program's report.
func (c Config) initialStep(number int, report []float64) InitialStep {
	learners := len(c.Learners)
	pairs := learners * (learners - 1) / 2
	return InitialStep{
		Number: number, Loss: report[0], Pairs: report[1 : 1+pairs],
		Norms: report[1+pairs : 1+pairs+learners], Regressors: report[1+pairs+learners],
	}
}

// lossUnit is the unit of the rule of convergence.
func (s InitialStep) lossUnit() float64 {
	sum := 0.0
	for _, term := range s.Pairs {
		sum += math.Abs(term)
	}
	return sum
}

// converged applies the rule of Initialise to the losses so far; a gain of at most least has
// converged.
func converged(history []float64, least float64, diversity string) bool {
	n := len(history)
	if n < 2*initialWindow {
		return false
	}
	gain := 0.0
	for i := range initialWindow {
		gain += (history[n-2*initialWindow+i] - history[n-initialWindow+i]) / initialWindow
	}
	if diversity == DiversityAdversarial {
		gain = math.Abs(gain)
	}
	return gain <= least
}

// takeInitial copies the optimised values to the model's variables of the same paths.
func (m *Model) takeInitial(own *model.Store) error {
	var errs []error
	for v := range own.IterVariables() {
		mine := m.store.GetVariable(v.Path())
		if isMoment(v) || mine == nil {
			continue
		}
		value, err := v.Value()
		if err == nil {
			value, err = copyTensor(value)
		}
		if err == nil {
			err = mine.SetValue(value)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
