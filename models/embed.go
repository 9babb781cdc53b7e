package models

import (
	stdcontext "context"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"golang.org/x/sync/errgroup"
)

// PixelRandom is the randomness of one augmented view; nil asks for the
// central crop without a flip.
type PixelRandom = *rand.Rand

// embedBatch is how many images go through the network at a time at test time.
const embedBatch = 32

// EmbedData is what Embed reads: features in frozen mode, else images.
type EmbedData struct {
	Images   int
	Features []float32                      // [images, width]
	Pixels   func(i int, dst []uint8) error // central view of image i, [S, S, 3] uint8 RGB
	Progress func(done int)                 // may be nil
	Workers  int
}

// Embed returns the test-time vectors, row-major [images, Config.Size]: the
// normalised slices of all learners, scaled, so that a plain dot product is
// the score. No part of the diversity loss takes part.
func (m *Model) Embed(ctx stdcontext.Context, data EmbedData) ([]float32, error) {
	out, err := m.embed(ctx, data)
	if gathered := m.gather(); err == nil {
		err = gathered
	}
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	return out, nil
}

func (m *Model) embed(ctx stdcontext.Context, data EmbedData) ([]float32, error) {
	program, err := m.backend.program(m.ctx, func(ctx *context.Context, inputs []*Node) []*Node {
		input := inputs[0]
		forInference(ctx.In(backboneScope), input.Graph())
		embeddings, _ := m.learners(ctx, m.pooled(ctx, input))
		return []*Node{testVector(m.Config, embeddings)}
	}, sharded, sharded)
	if err != nil {
		return nil, err
	}
	defer program.free()
	size := m.Config.Size
	rows := embedBatch
	if m.Config.Mode == Frozen {
		rows = 1024 // one small product each
	}
	rows = roundUp(rows, max(m.backend.Devices, 1))
	what := fmt.Sprintf("a batch of %d features", rows)
	if m.Config.Mode == Finetune {
		what = fmt.Sprintf("a batch of %d images of %dx%d", rows, m.Config.Input, m.Config.Input)
	}
	out := make([]float32, data.Images*size)
	for lo := 0; lo < data.Images; lo += rows {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := min(rows, data.Images-lo)
		input, err := m.embedInput(ctx, data, lo, n, rows)
		if err != nil {
			return nil, err
		}
		err = catch("run", func() {
			found, failure := program.run(input)
			if failure != nil {
				panic(explainForwardMemory(failure, what))
			}
			result := found[0]
			tensors.MustConstFlatData(result, func(flat []float32) { copy(out[lo*size:(lo+n)*size], flat) })
			result.MustFinalizeAll()
			input.MustFinalizeAll()
		})
		if err != nil {
			return nil, err
		}
		if data.Progress != nil {
			data.Progress(lo + n)
		}
	}
	return out, nil
}

// embedInput is the input of images lo..lo+n, padded to rows so that one
// program serves every batch.
func (m *Model) embedInput(ctx stdcontext.Context, data EmbedData, lo, n, rows int) (*tensors.Tensor, error) {
	if m.Config.Mode == Frozen {
		values := make([]float32, rows*m.width)
		copy(values, data.Features[lo*m.width:(lo+n)*m.width])
		return tensors.FromFlatDataAndDimensions(values, rows, m.width), nil
	}
	side := m.Config.Input
	pixels := make([]uint8, rows*side*side*3)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(max(1, data.Workers))
	for i := range n {
		group.Go(func() error {
			if inner.Err() != nil {
				return inner.Err()
			}
			return data.Pixels(lo+i, pixels[i*side*side*3:(i+1)*side*side*3])
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(pixels, rows, side, side, 3), nil
}
