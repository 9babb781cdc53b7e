package models

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sync/errgroup"

	"bierbench/models/backbones"
	"bierbench/models/xla"
)

// PixelRandom is the randomness of one augmented view; nil asks for the
// central crop without a flip.
type PixelRandom = *rand.Rand

// embedBatch is how many images go through the network at a time at test time.
const embedBatch = 32

// EmbedData is the input of Embed: features in frozen mode, else images.
type EmbedData struct {
	Images   int
	Features []float32                      // [images, width]
	Pixels   func(i int, dst []uint8) error // central view of image i, [S, S, 3] uint8 RGB
	Progress func(done int)                 // may be nil
	Workers  int                            // goroutines that decode images
}

// Embed returns the test-time vectors, row-major [images, Config.Size]: the normalised slices of
// all learners, scaled, so that a plain dot product is the score. The diversity loss plays no part.
// The bits of the vectors do not depend on the number of devices.
func (m *Model) Embed(ctx context.Context, data EmbedData) ([]float32, error) {
	e, err := m.NewEmbedder()
	if err != nil {
		return nil, err
	}
	out, err := e.Embed(ctx, data)
	if err = errors.Join(err, e.Free()); err != nil {
		return nil, err
	}
	return out, nil
}

// An Embedder embeds images with a model that may change between two calls; its program is compiled
// once.
type Embedder struct {
	model   *Model
	program *xla.Forward
}

// NewEmbedder returns an Embedder of the model. The first call of Embed compiles its program.
func (m *Model) NewEmbedder() (*Embedder, error) {
	program, err := m.backend.Forward(m.store, func(scope *model.Scope, input *Node) *Node {
		backbones.ForInference(scope.At(backbones.Scope), input.Graph())
		embeddings, _ := m.learners(scope, m.pooled(scope, input))
		return testVector(m.Config, embeddings)
	})
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	return &Embedder{m, program}, nil
}

// Embed does the same as Model.Embed, with the model as it is now.
func (e *Embedder) Embed(ctx context.Context, data EmbedData) ([]float32, error) {
	out, err := e.model.embed(ctx, e.program, data)
	// The model may change before the next call.
	if err = errors.Join(err, e.program.Forget()); err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	return out, nil
}

// Free frees the compiled program. The model may be freed earlier.
func (e *Embedder) Free() error { return e.program.Free() }

// embed runs the program on all batches; every device of the backend takes one
// after the other.
func (m *Model) embed(ctx context.Context, program *xla.Forward, data EmbedData) ([]float32, error) {
	size := m.Config.Size
	rows := embedBatch
	if m.Config.Mode == Frozen {
		rows = 1024 // one small product each
	}
	what := fmt.Sprintf("a batch of %d features", rows)
	if m.Config.Mode == Finetune {
		what = fmt.Sprintf("a batch of %d images of %dx%d", rows, m.Config.Input, m.Config.Input)
	}
	out := make([]float32, data.Images*size)
	var next atomic.Int64 // the batch that is taken next
	var lock sync.Mutex
	done := 0
	report := func(n int) {
		lock.Lock()
		defer lock.Unlock()
		if done += n; data.Progress != nil {
			data.Progress(done)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for device := range program.Devices() {
		group.Go(func() error {
			for {
				lo := int(next.Add(1)-1) * rows
				if lo >= data.Images {
					return nil
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				n := min(rows, data.Images-lo)
				input, err := m.embedInput(ctx, data, lo, n, rows)
				if err != nil {
					return err
				}
				err = xla.Catch("run the model", func() {
					defer m.backend.Watch("embedding of " + what)()
					result, failure := program.Run(device, input)
					if failure != nil {
						panic(xla.ExplainForwardOutOfMemory(failure, what))
					}
					tensors.MustConstFlatData(result, func(flat []float32) { copy(out[lo*size:(lo+n)*size], flat) })
					result.MustFinalizeAll()
					input.MustFinalizeAll()
				})
				if err != nil {
					return err
				}
				report(n)
			}
		})
	}
	return out, group.Wait()
}

// embedInput returns the network's input of images [lo, lo+n), padded to rows so that one program
// serves every batch.
func (m *Model) embedInput(ctx context.Context, data EmbedData, lo, n, rows int) (*tensors.Tensor, error) {
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
