package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sync/errgroup"
)

// TrainData is the training part of a data set.
type TrainData struct {
	Classes  []int32   // class of every image
	Features []float32 // frozen: pooled features, row-major [images, width]
	// Pixels writes one augmented view of image i, [S, S, 3] uint8 RGB; it is
	// called from several goroutines.
	Pixels func(i int, random PixelRandom, dst []uint8) error
	// Workers is how many goroutines decode images while the device computes.
	Workers int
}

// A Step is the report of one optimizer step. Losses are those before its update.
type Step struct {
	Number    int       // 1-based
	Loss      float64   // metric loss, mean over learners
	Total     float64   // what was minimised: with diversity and weight decay
	Diversity float64   // the diversity term, 0 without one
	Rate      float64   // of the embedding
	Learners  []float64 // loss of each learner
	Weights   []float64 // mean boosting weight of each learner over its pairs
	// Bins are, of each learner, the shares of the positive and of the negative pairs with a weight in
	// each tenth of the range of weights: see losses.WeightBins.
	Bins    [][2][]float64
	Wait    float64 // seconds the step waited for its images
	Seconds float64 // since training began, all attempts added up
}

// TrainOptions say where Train saves and reports; they do not change its result.
type TrainOptions struct {
	Checkpoints string           // folder; "" saves nothing
	Every       time.Duration    // between checkpoints
	OnStep      func(Step) error // is called after every step; may be nil
	// OnCheck is called after every CheckEvery steps and after the last one. It may embed the model
	// or save it as a chosen one, and then a checkpoint is saved. A training that goes on from such
	// a step begins with its check, which may not have finished before.
	CheckEvery int
	OnCheck    func(ctx context.Context, step int) error
}

// checks reports whether a step ends with a check.
func (o TrainOptions) checks(step, last int) bool {
	return o.OnCheck != nil && step > 0 && (step == last || step%o.CheckEvery == 0)
}

// Train takes the model from its present step to Config.Steps. When ctx is
// cancelled it finishes the current step, saves, and returns ctx's error;
// training the loaded checkpoint then continues to the same bits.
func (m *Model) Train(ctx context.Context, data TrainData, o TrainOptions) (err error) {
	c := m.Config
	if err = c.CheckDevices(m.backend.Devices); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if c.Mode == Frozen && len(data.Features) != len(data.Classes)*m.width {
		return fmt.Errorf("train: %d feature values for %d images of width %d", len(data.Features), len(data.Classes), m.width)
	}
	if data.Classes, err = m.classIndices(data.Classes); err != nil {
		return fmt.Errorf("train: %w", err)
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
	batches := make(chan stepBatch, 2) // the next batch is decoded while the device computes
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
		if o.checks(m.Step, c.Steps) {
			if err := m.check(ctx, o); err != nil {
				return err
			}
		}
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
			due := o.Every > 0 && time.Since(saved) > o.Every
			if o.checks(m.Step, c.Steps) {
				if err := m.check(ctx, o); err != nil {
					return err
				}
				due = true
			}
			if o.Checkpoints != "" && due && m.Step < c.Steps {
				if err := m.Save(o.Checkpoints); err != nil {
					return err
				}
				saved = time.Now()
			}
		}
		return nil
	})
	failure := group.Wait()
	gathered := m.gatherVariables() // also of an interrupted model, which the caller may save
	if failure == nil {
		failure = gathered
	}
	if failure != nil {
		return fmt.Errorf("train: %w", failure)
	}
	if o.Checkpoints != "" {
		if err := m.Save(o.Checkpoints); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// check lets the caller look at the model between two steps.
func (m *Model) check(ctx context.Context, o TrainOptions) error {
	if err := m.gatherVariables(); err != nil {
		return err
	}
	err := o.OnCheck(ctx, m.Step)
	if err != nil && ctx.Err() != nil {
		return m.interrupted(ctx, o)
	}
	return err
}

// classIndices returns the classes renumbered from 0, in ascending order.
func (m *Model) classIndices(classes []int32) ([]int32, error) {
	distinct := slices.Compact(slices.Sorted(slices.Values(classes)))
	if m.Config.proxies() > 0 && len(distinct) != m.classes {
		return nil, fmt.Errorf("%d training classes; the model has proxies of %d", len(distinct), m.classes)
	}
	out := make([]int32, len(classes))
	for i, c := range classes {
		at, _ := slices.BinarySearch(distinct, c)
		out[i] = int32(at)
	}
	return out, nil
}

// interrupted saves the model if ctx was cancelled, and returns ctx's error.
func (m *Model) interrupted(ctx context.Context, o TrainOptions) error {
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

// A stepBatch is one step's input on the host: indices into the features, or pixels.
type stepBatch struct {
	indices []int32
	pixels  []uint8
	labels  []int32
}

// prepare returns the batch of a step, counted from 0.
func (m *Model) prepare(ctx context.Context, data TrainData, images []int, step int) (stepBatch, error) {
	b := stepBatch{labels: make([]int32, len(images))}
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

// gatherVariables makes the model's variables ordinary tensors again after a program
// has spread them over several devices.
func (m *Model) gatherVariables() error {
	var errs []error
	for v := range m.store.IterVariables() {
		if v.ShardingSpec() == nil {
			continue
		}
		if err := gatherVariable(v); err != nil {
			errs = append(errs, fmt.Errorf("gather %s: %w", v.Path(), err))
		}
	}
	return errors.Join(errs...)
}

func gatherVariable(v *model.Variable) error {
	value, err := v.Value() // merges the shards
	if err != nil {
		return err
	}
	spread, err := v.DistributedValue()
	if err != nil {
		return err
	}
	if err := v.SetValuePreservingOld(value); err != nil {
		return err
	}
	return errors.Join(spread.Finalize(), v.SetShardingSpec(nil))
}
