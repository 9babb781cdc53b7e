package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"bierbench/models"
	"bierbench/runs"
)

// RunOptions choose what Run does of a suite.
type RunOptions struct {
	ID       string // of the run; empty is the suite's name
	Only     string // glob over cell paths or one of their folder names
	FailFast bool   // stop at the first failed cell
}

// RunResult is what a Run did.
type RunResult struct {
	Run     string       `json:"run"`
	Dir     string       `json:"dir"`
	Cells   int          `json:"cells"`
	Before  int          `json:"done_before"`
	Done    int          `json:"done"`
	Failed  []FailedCell `json:"failed"`
	Seconds float64      `json:"seconds"`
}

// FailedCell names a cell that failed and why.
type FailedCell struct {
	Cell  string `json:"cell"`
	Error string `json:"error"`
}

// Run does every cell of the suite that is not done, and nothing else. One
// failed cell does not stop the rest. When ctx is cancelled it saves the cell
// at hand and returns ctx's error; running again continues it.
func (w *Workspace) Run(ctx context.Context, s *Suite, o RunOptions) (*RunResult, error) {
	began := time.Now()
	if o.ID == "" {
		o.ID = s.Name
	}
	p, err := w.Plan(s, o.ID, o.Only)
	if err != nil {
		return nil, err
	}
	result := &RunResult{Run: o.ID, Cells: len(p.Cells), Before: p.Count(Done)}
	todo := len(p.Cells) - result.Before
	if todo > 0 {
		if err = w.needWeights(ctx, p); err != nil {
			return nil, err
		}
		if _, err = w.backend(ctx); err != nil {
			return nil, err
		}
	}
	r, err := w.openRun(ctx, p)
	if err != nil {
		return nil, err
	}
	result.Dir = r.Dir
	for _, c := range p.Cells {
		if c.State == Done {
			continue
		}
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		number := result.Done + len(result.Failed) + 1
		w.Progress.Cell(c.Key, number, todo)
		cell, err := w.runCell(ctx, r, c)
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		if err != nil {
			result.Failed = append(result.Failed, FailedCell{Cell: c.Path(), Error: err.Error()})
			w.Log.Error("cell failed", "cell", c.Path(), "error", err)
		} else {
			result.Done++
		}
		w.Progress.CellEnded(cell, number, todo, err)
		if err != nil && o.FailFast {
			break
		}
	}
	result.Seconds = time.Since(began).Seconds()
	return result, nil
}

// needWeights checks before the first cell that every backbone's weights are
// there or can be installed, so that a run does not fail hours later.
func (w *Workspace) needWeights(ctx context.Context, p *Plan) error {
	seen := map[string]bool{}
	for _, c := range p.Cells {
		if c.State == Done || seen[c.Backbone] {
			continue
		}
		seen[c.Backbone] = true
		net, err := models.BackboneNamed(c.Backbone)
		if err != nil {
			return err
		}
		if net.Weights == "" {
			continue
		}
		if _, err := w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return fmt.Errorf("suite %s: %w", p.Suite.Name, err)
		}
	}
	return nil
}

// openRun opens the plan's run, creating it where there is none. The record
// keeps the suite as resolved by the latest run command.
func (w *Workspace) openRun(ctx context.Context, p *Plan) (*runs.Run, error) {
	config, err := json.Marshal(p.Suite)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", p.Run, err)
	}
	record := runs.Record{
		Schema: runs.Schema, ID: p.Run, Suite: p.Suite.Name, Created: time.Now().UTC().Truncate(time.Second),
		Config: config, Command: w.Command, Environment: w.environment(ctx, w.open, models.Weights{}),
	}
	r, err := w.Runs().Open(p.Run)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		record.Cells = extended(nil, p.Cells)
		return w.Runs().Create(p.Run, record)
	case err != nil:
		return nil, err
	}
	if p.Count(Done) == len(p.Cells) {
		return r, nil // nothing to do: the record stays as it is
	}
	record.Created = r.Record.Created
	record.Cells = extended(r.Record.Cells, p.Cells)
	return r, r.Update(record)
}

// extended appends the cells that are not there yet: those of earlier commands
// stay planned, in their order, which is that of reports.
func extended(keys []runs.Key, cells []PlannedCell) []runs.Key {
	there := map[runs.Key]bool{}
	for _, k := range keys {
		there[k] = true
	}
	for _, c := range cells {
		if !there[c.Key] {
			keys = append(keys, c.Key)
		}
	}
	return keys
}
