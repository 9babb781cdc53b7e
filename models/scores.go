package models

import (
	"context"
	"fmt"
	"runtime"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"golang.org/x/sync/errgroup"
)

const (
	// blockScores bounds the scores that are held at a time: 64 MiB of float32,
	// twice while the device computes the next block.
	blockScores = 16 << 20
	// blockRows is a multiple that keeps all rows and columns of a product in
	// the kernels' main loops, where equal vectors get equal scores: the
	// kernels for remainders may sum in another order.
	blockRows = 16
)

// scoreBlocks computes tables of scores between all queries [n, width] and a
// gallery, a block of queries at a time. row(i) is row i of the gallery. table
// builds the tables [block, gallery] from the block's queries and the gallery;
// it returns the given number of them. visit gets the rows of one query in all
// tables; it is called by several goroutines, worker is the caller's number
// below scoreWorkers.
func scoreBlocks(ctx context.Context, b *Backend, queries []float32, width, gallery int, row func(i int) []float32,
	tables int, table func(queries, gallery *Node) []*Node, visit func(worker, query int, rows [][]float32),
) error {
	n := len(queries) / width
	padded := roundUp(gallery, blockRows)
	block := min(roundUp(n, blockRows), max(blockScores/(padded*tables)/blockRows, 1)*blockRows)
	exec, err := NewExec(b.Backend, func(in []*Node) []*Node { return table(in[0], in[1]) })
	if err != nil {
		return err
	}
	defer exec.Finalize()
	shelved := rowsTensor(padded, width, gallery, row)
	defer shelved.FinalizeAll() //nolint:errcheck // a read-only tensor that is given up

	results := make(chan scored)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(results)
		for from := 0; from < n; from += block {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			count := min(block, n-from)
			input := rowsTensor(block, width, count, func(i int) []float32 { return queries[(from+i)*width:][:width] })
			out, err := exec.Exec(input, shelved)
			if err != nil {
				return err
			}
			if err := input.FinalizeAll(); err != nil {
				return err
			}
			select {
			case results <- scored{from: from, count: count, tables: out}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for r := range results {
			if err := r.visit(padded, gallery, visit); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// scored is one block of queries, scored.
type scored struct {
	from, count int // queries [from, from+count)
	tables      []*tensors.Tensor
}

// visit hands out the rows [stride] of the block, cut to width, and frees it.
func (s scored) visit(stride, width int, visit func(worker, query int, rows [][]float32)) error {
	flats := make([][]float32, len(s.tables))
	var read func(i int) error
	read = func(i int) error {
		if i < len(s.tables) {
			var inner error
			err := tensors.ConstFlatData(s.tables[i], func(flat []float32) {
				flats[i] = flat
				inner = read(i + 1)
			})
			if err != nil {
				return err
			}
			return inner
		}
		var group errgroup.Group
		workers := scoreWorkers()
		for worker := range workers {
			group.Go(func() error {
				rows := make([][]float32, len(flats))
				for q := worker; q < s.count; q += workers {
					for k, flat := range flats {
						rows[k] = flat[q*stride:][:width]
					}
					visit(worker, s.from+q, rows)
				}
				return nil
			})
		}
		return group.Wait()
	}
	if err := read(0); err != nil {
		return err
	}
	for _, t := range s.tables {
		if err := t.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
}

// scoreWorkers is how many goroutines rank rows.
func scoreWorkers() int { return runtime.GOMAXPROCS(0) }

// rowsTensor returns a float32 tensor [rows, width] of count rows and zeros.
func rowsTensor(rows, width, count int, row func(i int) []float32) *tensors.Tensor {
	flat := make([]float32, rows*width)
	for i := range count {
		copy(flat[i*width:(i+1)*width], row(i))
	}
	return tensors.FromFlatDataAndDimensions(flat, rows, width)
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// dot is the table of dot products of the rows of q and g.
func dot(q, g *Node) *Node {
	if q.Shape().Dim(1) != g.Shape().Dim(1) {
		panic(fmt.Errorf("scores: queries %s and gallery %s differ in width", q.Shape(), g.Shape()))
	}
	return DotGeneral(q, []int{1}, nil, g, []int{1}, nil)
}
