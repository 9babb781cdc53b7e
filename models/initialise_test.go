package models

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
	"bierbench/models/xla"
)

// initialConfig is an ensemble on features of width 128 that is initialised by
// a loss and has one in training.
func initialConfig(initial, diversity string) Config {
	c := spreadConfig(Frozen, diversity)
	c.Initial, c.InitialSteps, c.InitialRate = initial, 400, 1e-2
	return c
}

// initialised returns a fresh model after its initialisation, and the steps.
func initialised(t *testing.T, b *xla.Backend, c Config, features []float32) (*Model, Initialisation, []InitialStep) {
	t.Helper()
	m, err := New(b, c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Finalize)
	var steps []InitialStep
	found, err := m.Initialise(t.Context(), features, func(s InitialStep) error {
		steps = append(steps, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, found, steps
}

// matricesOf returns a model's embedding matrices.
func matricesOf(t *testing.T, m *Model) []*tensors.Tensor {
	t.Helper()
	var out []*tensors.Tensor
	for i := range m.Config.Learners {
		w, err := xla.Below(m.store.RootScope(), embeddingScope, learnerName(i)).GetVariable("weights").Value()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

func modelDigest(t *testing.T, m *Model) string {
	t.Helper()
	sum, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// The activation loss: pair terms fall, norms come near 1 on the axis asked
// for, it converges, and what is reported last is the loss of the matrices that
// the model has then.
func TestInitialiseActivation(t *testing.T) {
	features, _ := separable(10, 8, 128)
	for _, axis := range []string{AxisOut, AxisIn} {
		t.Run(axis, func(t *testing.T) {
			c := initialConfig(InitialActivation, DiversityNone)
			c.InitialNormAxis, c.InitialTolerance = axis, 1e-2
			m, found, steps := initialised(t, modelstest.LogicBackend(t), c, features)
			if !found.Converged || found.Images != 80 || len(steps) != found.Last.Number+1 || len(steps) < 2*initialWindow {
				t.Errorf("%d reports, %+v; want it to converge on 80 images", len(steps), found)
			}
			first, last := steps[0], steps[len(steps)-1]
			if last.Pairs[0] > first.Pairs[0]/10 {
				t.Errorf("pair term %g at first, %g at last; want a tenth or less", first.Pairs[0], last.Pairs[0])
			}
			for i, s := range steps {
				if sum := s.Pairs[0] + 100*(s.Norms[0]+s.Norms[1]); s.Number != i || math.Abs(s.Loss-sum) > 1e-4*sum {
					t.Fatalf("report %d: step %d, loss %g, want the sum of its parts %g", i, s.Number, s.Loss, sum)
				}
			}
			lengths := make([]float64, 0, 24)
			pair := make([]float64, 80)
			for l, w := range matricesOf(t, m) {
				values, d := tensors.MustCopyFlatData[float32](w), w.Shape().Dim(1)
				sums := map[string][]float64{AxisOut: make([]float64, d), AxisIn: make([]float64, 128)}
				for i, v := range values {
					sums[AxisOut][i%d] += float64(v) * float64(v)
					sums[AxisIn][i/d] += float64(v) * float64(v)
				}
				lengths = append(lengths, sums[axis]...)
				for n := range pair {
					length := 0.0
					for j := range d {
						r := 0.0
						for k := range 128 {
							r += float64(features[n*128+k]) * float64(values[k*d+j])
						}
						length += r * r / float64(d)
					}
					if l == 0 {
						pair[n] = length
					} else {
						pair[n] *= length / 80
					}
				}
			}
			for i, sum := range lengths {
				if math.Abs(sum-1) > 0.02 {
					t.Errorf("unit %d: squared norm %g, want 1", i, sum)
				}
			}
			term := 0.0
			for _, v := range pair {
				term += v
			}
			if math.Abs(term-last.Pairs[0]) > 1e-4*term {
				t.Errorf("the model's pair term is %g, the last report says %g", term, last.Pairs[0])
			}
			for v := range m.store.IterVariables() {
				if isMoment(v) || inScope(v, regressorScope) {
					t.Errorf("the initialisation left %s", v.Path())
				}
			}
		})
	}
}

// The same bits every time and on several devices, other bits by another seed;
// training goes on from them, the loss in training beside it or not.
func TestInitialiseDeterministic(t *testing.T) {
	checkInitialiseDeterministic(t, initialConfig(InitialAdversarial, DiversityAdversarial))
}

// checkInitialiseDeterministic initialises each configuration several times.
func checkInitialiseDeterministic(t *testing.T, configs ...Config) {
	t.Helper()
	features, _ := separable(10, 8, 128)
	for _, c := range configs {
		t.Run(c.Initial+" "+c.Diversity, func(t *testing.T) {
			c.InitialSteps, c.InitialRate = 20, 1e-3
			m, found, steps := initialised(t, modelstest.Backend(t), c, features)
			if found.Converged || found.Last.Number != 20 || len(steps) != 21 {
				t.Errorf("%d reports, %+v; want all 20 steps", len(steps), found)
			}
			want := modelDigest(t, m)
			logic := modelstest.LogicBackend(t)
			first, _, _ := initialised(t, logic, c, features)
			again, _, _ := initialised(t, logic, c, features)
			if modelDigest(t, again) != modelDigest(t, first) {
				t.Error("the same seed gave other bits")
			}
			spread, _, _ := initialised(t, modelstest.OnDevices(t, 2), c, features)
			if modelDigest(t, spread) != want {
				t.Error("two devices gave other bits")
			}
			other := c
			other.Seed++
			if by, _, _ := initialised(t, logic, other, features); modelDigest(t, by) == modelDigest(t, first) {
				t.Error("another seed gave the same bits")
			}
			drawn, err := New(modelstest.Backend(t), c, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer drawn.Finalize()
			for v := range drawn.store.IterVariables() {
				before := tensors.MustCopyFlatData[float32](v.MustValue())
				after := tensors.MustCopyFlatData[float32](m.store.GetVariable(v.Path()).MustValue())
				// Of the regressors those of the initialisation stay, where training goes on with them.
				changes := inScope(v, regressorScope) && c.Initial == InitialAdversarial || v.Name() == "weights"
				if slices.Equal(before, after) == changes {
					t.Errorf("%s: changed %t, want %t", v.Path(), !changes, changes)
				}
			}
			for _, on := range []*Model{first, spread} {
				if got := trainTo(t, on, "", 0); len(got) != c.Steps || (got[0].Diversity != 0) != (c.Diversity != DiversityNone) {
					t.Errorf("training after it: %d steps, diversity %g", len(got), got[0].Diversity)
				}
			}
		})
	}
}

// The rule of convergence: windows of 100 losses, whose means are compared.
func TestConverged(t *testing.T) {
	run := func(n int, loss func(i int) float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = loss(i)
		}
		return out
	}
	falling := func(i int) float64 { return -float64(i) } // a window's mean is 100 below the one before
	rising := func(i int) float64 { return float64(i) }
	for name, c := range map[string]struct {
		losses    []float64
		least     float64
		diversity string
		want      bool
	}{
		"too few":                    {run(199, func(int) float64 { return 1 }), 1, DiversityActivation, false},
		"level":                      {run(200, func(int) float64 { return 1 }), 0, DiversityActivation, true},
		"falls by more":              {run(200, falling), 99.9, DiversityActivation, false},
		"falls by less":              {run(200, falling), 100.1, DiversityActivation, true},
		"rises":                      {run(200, rising), 0, DiversityActivation, true},
		"a saddle point's rise":      {run(200, rising), 99.9, DiversityAdversarial, false},
		"a saddle point's slow rise": {run(200, rising), 100.1, DiversityAdversarial, true},
		"only the last 200 count":    {run(400, func(i int) float64 { return float64(max(0, 200-i)) }), 0, DiversityActivation, true},
	} {
		if got := converged(c.losses, c.least, c.diversity); got != c.want {
			t.Errorf("%s: converged %t, want %t", name, got, c.want)
		}
	}
}

// More than 2,048 images: a subset of them in their order, by the seed.
func TestInitialRows(t *testing.T) {
	const n = 5000
	features := make([]float32, n*128)
	for i := range n {
		features[i*128] = float32(i)
	}
	c := initialConfig(InitialActivation, DiversityNone)
	rows := func(seed uint64, features []float32) []float32 {
		c.Seed = seed
		m, err := New(modelstest.LogicBackend(t), c, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Finalize()
		var out []float32
		for row := range slices.Chunk(m.initialRows(features), 128) {
			out = append(out, row[0])
		}
		return out
	}
	chosen := rows(1, features)
	if len(chosen) != InitialImages || !slices.IsSorted(chosen) || len(slices.Compact(slices.Clone(chosen))) != InitialImages {
		t.Errorf("%d rows; want %d different ones in order", len(chosen), InitialImages)
	}
	if chosen[0] > 50 || chosen[len(chosen)-1] < n-50 {
		t.Errorf("rows from %g to %g; want them from everywhere", chosen[0], chosen[len(chosen)-1])
	}
	if !slices.Equal(chosen, rows(1, features)) || slices.Equal(chosen, rows(2, features)) {
		t.Error("the choice does not depend on the seed alone")
	}
	if all := rows(1, features[:InitialImages*128]); len(all) != InitialImages || all[100] != 100 {
		t.Errorf("%d rows of %d; want all", len(all), InitialImages)
	}
}

// An interrupt and a failure leave the model as it was; what cannot be done is
// refused.
func TestInitialiseRefuses(t *testing.T) {
	features, _ := separable(10, 8, 128)
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		change func(*Config)
		before func(*Model)
		input  []float32
		cancel bool
		onStep error
		want   string
	}{
		"interrupted":           {cancel: true, input: features, want: context.Canceled.Error()},
		"the caller's error":    {onStep: stop, input: features, want: "stop"},
		"diverges":              {change: func(c *Config) { c.InitialRate = 1e30 }, input: features, want: "lower initial_rate"},
		"no features":           {want: "0 feature values"},
		"features of a width":   {input: features[:200], want: "rows of width 128"},
		"after a training step": {before: func(m *Model) { m.Step = 1 }, input: features, want: "taken 1 steps"},
	} {
		t.Run(name, func(t *testing.T) {
			config := initialConfig(InitialActivation, DiversityNone)
			if c.change != nil {
				c.change(&config)
			}
			m, err := New(modelstest.LogicBackend(t), config, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Finalize()
			want := modelDigest(t, m)
			if c.before != nil {
				c.before(m)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			steps := 0
			_, err = m.Initialise(ctx, c.input, func(s InitialStep) error {
				steps++
				if s.Number == 3 && c.cancel {
					cancel()
				}
				if s.Number == 3 {
					return c.onStep
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || c.cancel && !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if steps > 4 {
				t.Errorf("%d steps; want the end after the third", steps)
			}
			if modelDigest(t, m) != want {
				t.Error("the model was changed")
			}
		})
	}
}

// What is not initialised by a loss is drawn: nothing is done, one learner
// included.
func TestInitialiseNothing(t *testing.T) {
	features, _ := separable(10, 8, 128)
	for name, change := range map[string]func(*Config){
		"xavier":      func(c *Config) { c.Initial = InitialXavier },
		"orthogonal":  func(c *Config) { c.Initial = InitialOrthogonal },
		"one learner": func(c *Config) { c.Learners = []int{24} },
	} {
		c := initialConfig(InitialActivation, DiversityNone)
		change(&c)
		m, found, steps := initialised(t, modelstest.LogicBackend(t), c, features)
		fresh, err := New(modelstest.LogicBackend(t), c, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fresh.Finalize)
		if len(steps) != 0 || found.Images != 0 || modelDigest(t, m) != modelDigest(t, fresh) {
			t.Errorf("%s: %d steps; want none and the model unchanged", name, len(steps))
		}
	}
}

// A record holds the loss's own weight of the constraints, and a backbone from
// scratch has no features to learn from in advance.
func TestInitialConfig(t *testing.T) {
	for initial, want := range map[string]string{InitialActivation: `"initial_lambda_w":100,`, InitialAdversarial: `"initial_lambda_w":100000,`} {
		text, err := initialConfig(initial, DiversityNone).MarshalJSON()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v; want %s", initial, text, err, want)
		}
	}
	c := spreadConfig(Finetune, DiversityNone)
	for _, initial := range []string{InitialXavier, InitialOrthogonal, InitialActivation, InitialAdversarial} {
		c.Initial = initial
		refused := initial == InitialActivation || initial == InitialAdversarial
		if err := c.Validate(); (err != nil) != refused || refused && !strings.Contains(err.Error(), "pretrained") {
			t.Errorf("%s: %v", initial, err)
		}
	}
}
