package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// A samplerPosition is where the sampler stands before a step: a function of the seed, the training
// classes and the step. A checkpoint holds it, so that training does not continue with other data
// than it began with.
type samplerPosition struct {
	Epoch int    `json:"epoch"`       // counted from 0
	First int    `json:"first_step"`  // the epoch's first step, counted from 0
	Next  string `json:"next_images"` // digest of the next step's images
}

// batchSampling is what a model knows about its batches.
type batchSampling struct {
	order  *sampler         // nil before Train; the one that Train draws from runs ahead of the step
	loaded *samplerPosition // in the checkpoint that was loaded; nil in a fresh model
}

// newSampler returns the sampler of training images with these classes. If the model is from a
// checkpoint, the sampler must stand where the checkpoint says, else the training data is other
// data and an error.
func (m *Model) newSampler(classes []int32) (*sampler, error) {
	s, err := newSampler(m.Config.Seed, classes, m.Config.Classes, m.Config.Images)
	if err != nil {
		return nil, err
	}
	own := *s
	m.sampling.order = &own
	if want := m.sampling.loaded; want != nil {
		if got := own.position(m.Step); got != *want {
			return nil, fmt.Errorf("step %d: the checkpoint's sampler is at %s, with this training data it is at %s: the "+
				"checkpoint belongs to other data", m.Step, want, got)
		}
	}
	return s, nil
}

// position returns where the sampler stands at the model's step.
func (m *Model) position() (samplerPosition, error) {
	switch s := m.sampling; {
	case s.order != nil:
		return s.order.position(m.Step), nil
	case s.loaded != nil: // no step was taken since
		return *s.loaded, nil
	}
	return samplerPosition{}, errors.New("the model has not been given its training data")
}

// position returns where s stands before a step, counted from 0.
func (s *sampler) position(step int) samplerPosition {
	hash := sha256.New()
	for _, image := range s.batch(step) {
		_, _ = fmt.Fprintln(hash, image) // a hash returns no error
	}
	return samplerPosition{Epoch: s.epoch, First: s.first, Next: hex.EncodeToString(hash.Sum(nil)[:8])}
}

func (p samplerPosition) String() string {
	return fmt.Sprintf("epoch %d from step %d, images %s", p.Epoch, p.First, p.Next)
}
