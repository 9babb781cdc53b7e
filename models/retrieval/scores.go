package retrieval

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"bierbench/models/xla"
)

const (
	// blockScores bounds the scores that are held at a time: 64 MiB of float32,
	// and as much again for each device that computes the next block.
	blockScores = 16 << 20
	// blockRows is a multiple that keeps all rows and columns of a product in
	// the kernels' main loops, where equal vectors get equal scores: the
	// kernels for remainders may sum in another order.
	blockRows = 16
)

// vectorRows is a matrix that is read row by row.
type vectorRows struct {
	count, width int
	at           func(i int) []float32 // row i
}

// tensor returns the rows [from, from+count) as a float32 tensor
// [padded, width] that ends in zeros.
func (r vectorRows) tensor(from, count, padded int) *tensors.Tensor {
	flat := make([]float32, padded*r.width)
	for i := range count {
		copy(flat[i*r.width:], r.at(from+i))
	}
	return tensors.FromFlatDataAndDimensions(flat, padded, r.width)
}

// centred returns the rows [from, from+count) less a vector, as a float64 tensor [padded, width] that
// ends in zeros.
func (r vectorRows) centred(centre []float64, from, count, padded int) *tensors.Tensor {
	flat := make([]float64, padded*r.width)
	for i := range count {
		for j, v := range r.at(from + i) {
			flat[i*r.width+j] = float64(v) - centre[j]
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, padded, r.width)
}

// mean returns the mean of all rows.
func (r vectorRows) mean() []float64 {
	sum := make([]float64, r.width)
	for i := range r.count {
		for j, v := range r.at(i) {
			sum[j] += float64(v) / float64(r.count)
		}
	}
	return sum
}

// A scoredBlock is a block of queries and its product with the gallery.
type scoredBlock struct {
	from, count   int // queries [from, from+count)
	input, scores *tensors.Tensor
}

// free waits until the scores are complete, for the device reads the input and the gallery until
// then.
func (s scoredBlock) free() error {
	return errors.Join(s.scores.ConstBytes(func([]byte) {}), s.scores.FinalizeAll(), s.input.FinalizeAll())
}

// visitScores gets the scores of one query against the whole gallery. Several goroutines call it:
// worker, below scoreWorkers, is the number of the caller. The row is only valid during the call.
type visitScores func(worker, query int, row []float32)

// scoreBlocks computes the dot products of all queries with all of a gallery, a block of queries at
// a time, or with distance the squares of their Euclidean distances with a minus before them.
//
// Every device of the backend has the gallery and takes one block after the other, all with the
// program and the shape of a single device: a score's bits do not depend on the number of devices.
//
// Distances are computed in float64 from vectors about the gallery's mean, and rounded once: their
// error is that of the rounding, also where vectors are near one another and far from the origin.
func scoreBlocks(ctx context.Context, b *xla.Backend, distance bool, queries, gallery vectorRows, visit visitScores) error {
	padded := roundUp(gallery.count, blockRows)
	block := min(roundUp(queries.count, blockRows), max(blockScores/padded/blockRows, 1)*blockRows)
	exec, err := keptScores(b, distance)
	if err != nil {
		return err
	}
	tensor := vectorRows.tensor
	if distance {
		centre := gallery.mean()
		tensor = func(r vectorRows, from, count, padded int) *tensors.Tensor {
			return r.centred(centre, from, count, padded)
		}
	}
	blocks := (queries.count + block - 1) / block
	var next atomic.Int64 // the block that is taken next
	results := make(chan scoredBlock)
	group, ctx := errgroup.WithContext(ctx)
	var devices sync.WaitGroup
	for device := range min(max(b.Devices, 1), blocks) {
		galleryTensor := tensor(gallery, 0, gallery.count, padded)
		defer galleryTensor.MustFinalizeAll()
		devices.Add(1)
		group.Go(func() error {
			defer devices.Done()
			for {
				from := int(next.Add(1)-1) * block
				if from >= queries.count {
					return nil
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				count := min(block, queries.count-from)
				input := tensor(queries, from, count, block)
				out, _, err := exec.CallWithGraphOnDevice(compute.DeviceNum(device), input, galleryTensor)
				if err == nil {
					err = b.CheckPlugin()
				}
				if err != nil {
					return errors.Join(err, input.FinalizeAll())
				}
				done := scoredBlock{from, count, input, out[0]}
				select {
				case results <- done:
				case <-ctx.Done():
					return errors.Join(ctx.Err(), done.free())
				}
			}
		})
	}
	group.Go(func() error {
		devices.Wait()
		close(results)
		return nil
	})
	group.Go(func() error {
		for r := range results {
			stop := b.Watch("similarities of a block of queries")
			failure := r.scores.ConstBytes(func([]byte) {}) // waits until they are there
			stop()
			if failure == nil {
				failure = tensors.ConstFlatData(r.scores, func(flat []float32) {
					visitRows(r.count, func(worker, q int) {
						visit(worker, r.from+q, flat[q*padded:][:gallery.count])
					})
				})
			}
			if failure = errors.Join(failure, r.free()); failure != nil {
				return failure
			}
		}
		return nil
	})
	return group.Wait()
}

// scoreProgram is the program of q [n, d] times the transpose of g [m, d].
type scoreProgram struct{ *Exec }

// Close frees the program.
func (p scoreProgram) Close() error {
	p.Finalize()
	return nil
}

// keptScores returns the backend's program of scores. It is compiled once for every shape, because
// a protocol with draws and the cells of one data set search with the same shapes again and again.
func keptScores(b *xla.Backend, distance bool) (*Exec, error) {
	graph, name := products, "products"
	if distance {
		graph, name = minusDistances, "distances"
	}
	program, err := b.Keep("scores", name, func() (io.Closer, error) {
		exec, err := NewExec(b.Backend, graph)
		if err != nil {
			return nil, err
		}
		return scoreProgram{exec.SetMaxCache(-1)}, nil
	})
	if err != nil {
		return nil, err
	}
	return program.(scoreProgram).Exec, nil
}

// products returns the dot products of q [n, d] with g [m, d], [n, m].
func products(q, g *Node) *Node { return DotGeneral(q, []int{1}, nil, g, []int{1}, nil) }

// minusDistances returns -|q-g|^2, [n, m] float32 of at most 0, for q [n, d] and g [m, d] float64.
func minusDistances(q, g *Node) *Node {
	squares := func(x *Node) *Node { return ReduceSum(Square(x), -1) }
	twice := MulScalar(products(q, g), 2)
	minus := Sub(Sub(twice, InsertAxes(squares(q), -1)), InsertAxes(squares(g), 0))
	return ConvertDType(MinScalar(minus, 0), dtypes.Float32)
}

// visitRows calls visit for rows 0 to n-1 from several goroutines.
func visitRows(n int, visit func(worker, row int)) {
	workers := scoreWorkers()
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for row := worker; row < n; row += workers {
				visit(worker, row)
			}
		})
	}
	group.Wait()
}

// scoreWorkers is how many goroutines rank rows.
func scoreWorkers() int { return runtime.GOMAXPROCS(0) }

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
