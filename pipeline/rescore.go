package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// RescoreOptions choose the cells that are scored again, and the dialects: the rules of evaluation
// programs.
type RescoreOptions struct {
	// Cell is the path of one cell, or a glob for paths or one of their folder names. Empty stands
	// for all cells.
	Cell     string
	Dialects []retrieval.Dialect // none stands for all; ours is always among them
}

// Rescore scores the stored embeddings of a run's cells by the rules of several evaluation
// programs. It writes nothing. A cell that cannot be scored is a row with the reason. Where no cell
// can be scored, the reason is the error.
func Rescore(ctx context.Context, w *workspace.Workspace, run string, o RescoreOptions) (*reports.Rescoring, error) {
	r, err := w.Runs().Open(run)
	if err != nil {
		return nil, err
	}
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	if cells, err = chooseCells(w, r, cells, o.Cell); err != nil {
		return nil, fmt.Errorf("rescore run %s: %w", run, err)
	}
	ours := retrieval.Dialects()[0]
	if len(o.Dialects) == 0 {
		o.Dialects = retrieval.Dialects()
	} else if !slices.ContainsFunc(o.Dialects, func(d retrieval.Dialect) bool { return d.Name == ours.Name }) {
		o.Dialects = append([]retrieval.Dialect{ours}, o.Dialects...)
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return nil, err
	}
	w.Progress.Start("rescore", len(cells))
	defer w.Progress.Finish()
	var rows []reports.Rescored
	var failures []error
	for i, c := range cells {
		scored, err := rescoreCell(ctx, w, b, r, c, o.Dialects)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			failures = append(failures, err)
			// The row names its cell.
			reason := strings.TrimLeft(strings.TrimPrefix(err.Error(), "cell "+c.Path()), ": ")
			scored = []reports.Rescored{{Key: c.Key, Reason: reason}}
		}
		rows = append(rows, scored...)
		w.Progress.Advance(i+1, c.Path())
	}
	if len(failures) == len(cells) {
		if len(cells) == 1 {
			return nil, fmt.Errorf("rescore run %s: %w", run, failures[0])
		}
		return nil, fmt.Errorf("rescore run %s: none of %d cells could be scored: %w", run, len(cells), failures[0])
	}
	return reports.NewRescoring(run, ours.Name, rows), nil
}

// chooseCells returns the cells that a path or a glob stands for.
func chooseCells(w *workspace.Workspace, r *runs.Run, cells []runs.Cell, name string) ([]runs.Cell, error) {
	if name != "" && !strings.ContainsAny(name, "*?[") {
		c, err := cellNamed(w, r, cells, name)
		return []runs.Cell{c}, err
	}
	var chosen []runs.Cell
	for _, c := range cells {
		if name == "" || plan.MatchPath(name, c.Path()) {
			chosen = append(chosen, c)
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, nil
	case name == "":
		return nil, errors.New("no cell of it has begun")
	}
	return nil, fmt.Errorf("no cell matches %q; %s", name, listsCells(w, r))
}

// rescoreCell scores a cell by every protocol that it was evaluated by.
func rescoreCell(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, c runs.Cell,
	dialects []retrieval.Dialect,
) ([]reports.Rescored, error) {
	if err := exportable(w, r, c); err != nil {
		return nil, err
	}
	var config models.Config
	if err := json.Unmarshal(c.Config, &config); err != nil {
		return nil, fmt.Errorf("cell %s: config: %w", c.Path(), err)
	}
	e, err := r.Embeddings(c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cell %s: its embeddings are not stored: remove %s and %s", c.Path(), r.CellDir(c.Key), doCells(w, r, c))
	}
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	v, all, err := storedJudged(r, c, e)
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	var rows []reports.Rescored
	for _, evaluation := range c.Evaluations {
		base, _, _ := strings.Cut(evaluation.Protocol, "+")
		i := slices.IndexFunc(all, func(p datasets.Protocol) bool { return p.ID == base })
		if i < 0 {
			return nil, fmt.Errorf("cell %s: the data set has no protocol %q", c.Path(), base)
		}
		splits, failed := storedSearches(w, c, config, all[i], e)
		if failed != nil {
			return nil, fmt.Errorf("cell %s: %w", c.Path(), failed)
		}
		scored, failed := rescoreProtocol(ctx, b, all[i], config, v, splits, dialects)
		if failed != nil {
			return nil, fmt.Errorf("cell %s: %s: %w", c.Path(), evaluation.Protocol, failed)
		}
		for _, row := range scored {
			row.Key, row.Protocol, row.At = c.Key, evaluation.Protocol, evaluation.At
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("cell %s: it was not evaluated", c.Path())
	}
	return rows, nil
}

// storedJudged returns stored vectors with what is stored of their images, and the protocols that they
// can be evaluated by. No data set is opened.
func storedJudged(r *runs.Run, c runs.Cell, e runs.Embeddings) (judged, []datasets.Protocol, error) {
	if c.Dataset == runs.LabelSet {
		v, p, err := labelledImages(r, c, e)
		return v, []datasets.Protocol{p}, err
	}
	set, err := datasets.Lookup(c.Dataset)
	if err != nil {
		return judged{}, nil, err
	}
	v := judged{Embeddings: e}
	if x := c.External; x != nil {
		v.distance, v.lengths = x.Similarity == runs.Euclidean, x.Similarity == runs.Dot
	}
	return v, recordedProtocols(set), nil
}

// storedSearches returns the searches of a protocol among stored embeddings. Only KindOneGallery
// needs the data set, for the names by which gallery images are drawn.
func storedSearches(w *workspace.Workspace, c runs.Cell, config models.Config, p datasets.Protocol,
	e runs.Embeddings,
) ([]searchRows, error) {
	rows := protocolRows(p, e)
	if p.Kind != datasets.KindOneGallery {
		return protocolSearches(p, nil, rows, e), nil
	}
	data, test, err := openCellData(w, c, config, e)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	return protocolSearches(p, imagesOf(data, test, e).name, rows, e), nil
}

// rescoreProtocol scores the searches of one protocol by every dialect. Scores are means over the
// draws, as in evaluateProtocol.
func rescoreProtocol(ctx context.Context, b *xla.Backend, p datasets.Protocol, config models.Config,
	v judged, splits []searchRows, dialects []retrieval.Dialect,
) ([]reports.Rescored, error) {
	rows := make([]reports.Rescored, len(dialects))
	for i, d := range dialects {
		rows[i] = reports.Rescored{Dialect: d.Name, Metrics: map[string]float64{}, Bounds: map[string][2]float64{}}
	}
	for _, s := range splits {
		search := searchOf(p, v, s)
		for i, d := range dialects {
			row := &rows[i]
			if row.Reason != "" {
				continue
			}
			found, err := retrieval.Rescore(ctx, b, search, learnerSizes(config), d)
			if silent, ok := errors.AsType[retrieval.NoScoreError](err); ok {
				*row = reports.Rescored{Dialect: d.Name, Reason: silent.Reason}
				continue
			}
			if err != nil {
				return nil, err
			}
			row.Queries += len(found.Queries)
			row.Excluded += found.Excluded
			for name, v := range found.Metrics {
				row.Metrics[name] += v / float64(len(splits))
				bounds := row.Bounds[name]
				bounds[0] += found.Bounds[name][0] / float64(len(splits))
				bounds[1] += found.Bounds[name][1] / float64(len(splits))
				row.Bounds[name] = bounds
			}
		}
	}
	return rows, nil
}
