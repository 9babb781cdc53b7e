package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// Worth measures how well the stored embeddings of a run's cells retrieve when fewer dimensions are
// kept of them, as float32, as int8 and as bits, and returns the tables. cell is a path, or a glob
// for paths or one of their folder names; empty stands for all cells. Each result is written beside
// the record of its cell, so that reports have it, and what is there already is not computed again. A
// cell without embeddings is left out with a warning. Where no cell has any, the reason is the error.
func Worth(ctx context.Context, w *workspace.Workspace, run, cell string) (*reports.WorthReport, error) {
	r, err := w.Runs().Open(run)
	if err != nil {
		return nil, err
	}
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	if cells, err = chooseCells(w, r, cells, cell); err != nil {
		return nil, fmt.Errorf("worth of run %s: %w", run, err)
	}
	w.Progress.Start("worth", len(cells))
	defer w.Progress.Finish()
	var known []reports.CellWorth
	var failures []error
	for i, c := range cells {
		worth, err := cellWorth(ctx, w, r, c)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			failures = append(failures, err)
			w.Log.Warn("left out", "reason", err)
		default:
			known = append(known, reports.CellWorth{Cell: c, Worth: *worth})
		}
		w.Progress.Advance(i+1, c.Path())
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("worth of run %s: %w", run, failures[0])
	}
	return reports.NewWorthReport(r.Record, known), nil
}

// cellWorth returns the worth of a cell, and computes it where it is not there.
func cellWorth(ctx context.Context, w *workspace.Workspace, r *runs.Run, c runs.Cell) (*runs.Worth, error) {
	if err := exportable(w, r, c); err != nil {
		return nil, err
	}
	switch there, err := r.Worth(c); {
	case err == nil && there != nil && sameEvaluations(*there, c):
		return there, nil
	case err != nil && !runs.IsBroken(err):
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	case err != nil:
		w.Log.Warn("computed again", "cell", c.Path(), "reason", err)
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return nil, err
	}
	evaluations, err := worthOf(ctx, w, b, r, c)
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	if err = r.WriteWorth(c, evaluations); err != nil {
		return nil, err
	}
	return r.Worth(c)
}

// sameEvaluations reports whether the worth of a cell is by the protocols of its record.
func sameEvaluations(w runs.Worth, c runs.Cell) bool {
	return slices.EqualFunc(w.Evaluations, c.Evaluations, func(a runs.WorthEvaluation, b runs.Evaluation) bool {
		return a.Protocol == b.Protocol && a.At == b.At
	})
}

// worthOf computes the worth of a cell by every protocol that it was evaluated by.
func worthOf(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, c runs.Cell) ([]runs.WorthEvaluation, error) {
	var config models.Config
	if err := json.Unmarshal(c.Config, &config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	e, err := r.Embeddings(c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its embeddings are not stored: remove %s and %s", r.CellDir(c.Key), doCells(w, r, c))
	}
	if err != nil {
		return nil, err
	}
	v, all, err := storedJudged(r, c, e)
	if err != nil {
		return nil, err
	}
	if v.distance {
		return nil, errors.New("its vectors are searched by Euclidean distance; parts of them are measured where a dot product is the score")
	}
	var out []runs.WorthEvaluation
	for _, evaluation := range c.Evaluations {
		base, _, _ := strings.Cut(evaluation.Protocol, "+")
		i := slices.IndexFunc(all, func(p datasets.Protocol) bool { return p.ID == base })
		if i < 0 {
			return nil, fmt.Errorf("the data set has no protocol %q", base)
		}
		splits, err := storedSearches(w, c, config, all[i], e)
		if err != nil {
			return nil, err
		}
		points, err := worthPoints(ctx, b, all[i], learnerSizes(config), v, splits)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", evaluation.Protocol, err)
		}
		out = append(out, runs.WorthEvaluation{Protocol: evaluation.Protocol, At: evaluation.At, Points: points})
	}
	if len(out) == 0 {
		return nil, errors.New("it was not evaluated")
	}
	return out, nil
}

// worthPoints evaluates the searches of one protocol with every part of the vectors in every form.
// Metrics are means over the draws, as in evaluateProtocol.
func worthPoints(ctx context.Context, b *xla.Backend, p datasets.Protocol, learners []int, v judged,
	splits []searchRows,
) ([]runs.WorthPoint, error) {
	var points []runs.WorthPoint
	for _, part := range vectorParts(v.Width, learners, !v.lengths) {
		for _, form := range retrieval.Forms() {
			part.Form = form
			points = append(points, runs.WorthPoint{
				Dimensions: part.Dimensions, Learners: part.learners, Form: form, Bytes: part.Bytes(),
				Metrics: map[string]float64{}, Bounds: map[string][2]float64{},
			})
		}
	}
	for _, s := range splits {
		search := searchOf(p, v, s)
		i := 0
		for _, part := range vectorParts(v.Width, learners, !v.lengths) {
			for _, form := range retrieval.Forms() {
				part.Form = form
				found, err := retrieval.RetrieveCompressed(ctx, b, search, part.Compression)
				if err != nil {
					return nil, err
				}
				point := &points[i]
				i++
				for name, value := range found.Metrics {
					point.Metrics[name] += value / float64(len(splits))
					bounds := point.Bounds[name]
					bounds[0] += found.Bounds[name][0] / float64(len(splits))
					bounds[1] += found.Bounds[name][1] / float64(len(splits))
					point.Bounds[name] = bounds
				}
			}
		}
	}
	return points, nil
}

// A vectorPart is the first dimensions of a vector.
type vectorPart struct {
	retrieval.Compression
	learners int // whole ones of an ensemble; 0 where the part ends inside one, or there is one learner
}

// smallestPart is the number of dimensions of the smallest part: few would keep less.
const smallestPart = 64

// vectorParts returns the parts of a vector that are measured, ascending: 64, 128, 256, ...
// dimensions, the first learners of an ensemble, and the whole. A part that ends inside a learner
// gets unit length, unless the lengths of the vectors count (unit is false). The slices of whole learners keep the lengths that they have at test time, and
// so does the whole, whose float32 numbers are those of the record.
func vectorParts(width int, learners []int, unit bool) []vectorPart {
	parts := map[int]vectorPart{}
	for d := smallestPart; d < width; d *= 2 {
		parts[d] = vectorPart{Compression: retrieval.Compression{Dimensions: d, Unit: unit}}
	}
	parts[width] = vectorPart{Compression: retrieval.Compression{Dimensions: width}}
	if len(learners) > 1 {
		end := 0
		for m, d := range learners {
			end += d
			parts[end] = vectorPart{retrieval.Compression{Dimensions: end}, m + 1}
		}
	}
	out := make([]vectorPart, 0, len(parts))
	for _, d := range slices.Sorted(maps.Keys(parts)) {
		out = append(out, parts[d])
	}
	return out
}
