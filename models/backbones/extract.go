package backbones

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sync/errgroup"

	"bierbench/models/xla"
)

// Extract returns the pooled features of n images, row-major [n, net.Features]. weights is the file
// of pretrained weights; a network without such weights gets the same random values every time.
// Images go through the network in batches of the given size; the last one is filled with black
// images, so that one program serves all. Every device of the backend takes one batch after the
// other, and the bits of the features do not depend on their number.
//
// pixels writes image i, [input, input, 3] uint8 RGB, to dst. It is called
// from several goroutines, a batch ahead of the device. progress, which may be
// nil, is called in order with the number of images that are done.
func Extract(ctx context.Context, b *xla.Backend, net Backbone, weights string, n, input, batch int,
	pixels func(i int, dst []uint8) error, progress func(done int),
) ([]float32, error) {
	if err := net.CheckInput(input); err != nil {
		return nil, fmt.Errorf("extract features: %w", err)
	}
	if batch < 1 || n < 0 {
		return nil, fmt.Errorf("extract features: %d images in batches of %d; want at least 0 in batches of at least 1", n, batch)
	}
	program, err := keptExtractor(b, net, weights, input, batch)
	if err != nil {
		return nil, fmt.Errorf("extract features: %w", err)
	}

	out := make([]float32, n*net.Features)
	group, ctx := errgroup.WithContext(ctx)
	type filled struct {
		lo  int // its first image
		rgb []uint8
	}
	batches := make(chan filled) // some are being computed, the next is being filled
	group.Go(func() error {
		defer close(batches)
		for lo := 0; lo < n; lo += batch {
			rgb, err := readPixels(ctx, lo, min(batch, n-lo), batch, input*input*3, pixels)
			if err != nil {
				return err
			}
			select {
			case batches <- filled{lo, rgb}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	what := fmt.Sprintf("a batch of %d images of %dx%d", batch, input, input)
	var lock sync.Mutex
	done := 0
	report := func(rows int) {
		lock.Lock()
		defer lock.Unlock()
		if done += rows; progress != nil {
			progress(done)
		}
	}
	for device := range program.Devices() {
		group.Go(func() error {
			for next := range batches {
				rows := min(batch, n-next.lo)
				err := xla.Catch("run "+net.Name, func() {
					defer b.Watch("features of " + what)()
					images := tensors.FromFlatDataAndDimensions(next.rgb, batch, input, input, 3)
					features, failure := program.Run(device, images)
					if failure != nil {
						panic(xla.ExplainForwardOutOfMemory(failure, what))
					}
					tensors.MustConstFlatData(features, func(flat []float32) {
						copy(out[next.lo*net.Features:(next.lo+rows)*net.Features], flat)
					})
					features.MustFinalizeAll()
					images.MustFinalizeAll()
				})
				if err != nil {
					return err
				}
				report(rows)
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("extract features: %w", err)
	}
	return out, nil
}

// An extractor is a backbone with its weights on the device, compiled for one shape of input.
type extractor struct {
	variables *model.Store
	program   *xla.Forward
}

// keptExtractor returns the program from [batch, input, input, 3] uint8 RGB to pooled features. The
// backend keeps the last one: a suite uses the same backbone for several data sets in a row.
func keptExtractor(b *xla.Backend, net Backbone, weights string, input, batch int) (*xla.Forward, error) {
	key := fmt.Sprintf("%s %s %d %d", net.Name, weights, input, batch)
	e, err := b.Keep("features", key, func() (io.Closer, error) { return newExtractor(b, net, weights) })
	if err != nil {
		return nil, err
	}
	return e.(*extractor).program, nil
}

func newExtractor(b *xla.Backend, net Backbone, weights string) (*extractor, error) {
	variables := model.NewStore()
	err := net.AddVariables(variables.Scope(Scope), weights, frozenRandom())
	var p *xla.Forward
	if err == nil {
		p, err = b.Forward(variables, func(scope *model.Scope, rgb *Node) *Node {
			scope = scope.At(Scope)
			ForInference(scope, rgb.Graph())
			return net.Forward(scope, net.Normalize(rgb))
		})
	}
	if err != nil {
		variables.Finalize()
		return nil, err
	}
	return &extractor{variables, p}, nil
}

// Close frees the program and the variables.
func (e *extractor) Close() error {
	err := e.program.Free()
	e.variables.Finalize()
	return err
}

// readPixels returns the pixels of images lo to lo+count, size bytes each, followed
// by zeros up to batch images.
func readPixels(ctx context.Context, lo, count, batch, size int, pixels func(i int, dst []uint8) error) ([]uint8, error) {
	rgb := make([]uint8, batch*size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range count {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return pixels(lo+i, rgb[i*size:(i+1)*size:(i+1)*size])
		})
	}
	return rgb, group.Wait()
}
