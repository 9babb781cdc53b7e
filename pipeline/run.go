package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bierbench/models/backbones"
	"bierbench/pipeline/cost"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// RunOptions choose the cells that Run does, and how.
type RunOptions struct {
	ID          string        // of the run; empty stands for the name of the suite
	Only        string        // glob for the paths of cells or one of their folder names; empty stands for all
	FailFast    bool          // stop at the first failed cell
	RetryFailed bool          // does the cells that failed before, too
	SameBuild   bool          // cells that another build of bierbench made are stale
	TensorBoard bool          // writes event files into the folder of each cell while it trains
	Checkpoint  time.Duration // between checkpoints of a training; 0 stands for DefaultCheckpoint
}

// DefaultCheckpoint is the time between checkpoints: the most training time that a kill costs.
const DefaultCheckpoint = 30 * time.Second

// RunResult is what Run did.
type RunResult struct {
	Run       string       `json:"run"`
	Dir       string       `json:"dir"`
	Cells     int          `json:"cells"` // of the plan
	Before    int          `json:"done_before"`
	Done      int          `json:"done"`      // by this command
	Elsewhere int          `json:"elsewhere"` // done by other processes meanwhile
	Failed    []FailedCell `json:"failed"`    // now, or before and left alone
	Seconds   float64      `json:"seconds"`
}

// FailedCell is a cell that failed, and why.
type FailedCell struct {
	Cell   string   `json:"cell"`
	Error  string   `json:"error"`
	Log    []string `json:"log,omitempty"` // the last lines of the log before it failed
	Before bool     `json:"before"`        // it failed in an earlier run and was left alone
}

// Run does the cells of the suite that are not done, and nothing else. A failed cell does not stop
// the others. When ctx is cancelled, Run saves the cell it is working on and returns the error of
// ctx; the next Run continues the cell.
//
// Several processes may run one suite in one workspace: each cell is claimed by the process that
// does it. Run returns when no cell is left to do, including cells that another process is working
// on. It takes over the cell of a process that dies.
func Run(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o RunOptions) (*RunResult, error) {
	began := time.Now()
	if o.ID == "" {
		o.ID = s.Name
	}
	if o.Checkpoint == 0 {
		o.Checkpoint = DefaultCheckpoint
	}
	p, err := plan.New(ctx, w, s, plan.Options{Run: o.ID, Only: o.Only, SameBuild: o.SameBuild})
	if err != nil {
		return nil, err
	}
	if err = cost.Estimate(w, p); err != nil {
		w.Log.Warn("the run goes on without an estimate", "error", err)
	}
	if err = refuseRival(p); err != nil {
		return nil, err
	}
	q := &queue{w: w, plan: p, options: o, result: &RunResult{Run: o.ID, Cells: len(p.Cells), Failed: []FailedCell{}}}
	for _, c := range p.Cells {
		switch {
		case c.State == plan.Done:
			q.result.Before++
		case c.State == plan.Failed && !o.RetryFailed:
			q.result.Failed = append(q.result.Failed, FailedCell{Cell: c.Path(), Error: c.Record.Error, Log: c.Record.Log, Before: true})
		default:
			q.pending = append(q.pending, c)
		}
	}
	q.total = len(q.pending)
	if q.total > 0 {
		// The weights are hashed while the plugin is loaded, which keeps one core busy.
		opening, stop := context.WithCancel(ctx)
		defer stop()
		weights := make(chan error, 1)
		go func() {
			failed := NeedWeights(ctx, w, q.pending)
			if failed != nil {
				stop() // the plugin need not be installed
			}
			weights <- failed
		}()
		_, opened := w.OpenBackend(opening)
		if err = <-weights; err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
		if opened != nil {
			return nil, opened
		}
	}
	if q.run, err = OpenRun(ctx, w, p, q.total > 0); err != nil {
		return nil, err
	}
	q.result.Dir = q.run.Dir
	if q.total > 0 {
		if err = q.work(ctx); err == nil {
			err = q.checkEnd()
		}
	}
	q.result.Seconds = time.Since(began).Seconds()
	return q.result, err
}

// queue is the cells that a Run still has to do.
type queue struct {
	w       *workspace.Workspace
	run     *runs.Run
	plan    *plan.Plan
	options RunOptions
	claims  *claims.File
	latest  backbones.Features // the features that a cell has read last
	pending []plan.Cell
	total   int // number of cells at the start
	ended   int // number of cells that have ended
	result  *RunResult
}

// work does the pending cells. Cells that other processes have claimed come last.
func (q *queue) work(ctx context.Context) (err error) {
	if q.claims, err = claims.Open(q.run.Dir); err != nil {
		return err
	}
	defer q.claims.Close()
	waiting := false
	for len(q.pending) > 0 {
		var busy []plan.Cell // claimed by other processes
		for _, c := range q.pending {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mine, err := q.claims.Try(c.Path())
			if err != nil {
				return err
			}
			if !mine {
				if err = q.checkBusy(c); err != nil {
					return err
				}
				busy = append(busy, c)
				continue
			}
			failed, err := q.do(ctx, c)
			if err = errors.Join(err, q.claims.Release(c.Path())); err != nil {
				return err
			}
			if failed && q.options.FailFast {
				return nil
			}
		}
		if len(busy) == len(q.pending) {
			if !waiting {
				waiting = true
				q.w.Log.Info("waiting for cells that other processes are working on", "cells", len(busy), "first", busy[0].Path())
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(claims.PollInterval):
			}
		}
		q.pending = busy
	}
	return nil
}

// do does a cell, unless another process has done it since the plan was made. The caller holds the
// claim of the cell.
func (q *queue) do(ctx context.Context, c plan.Cell) (failed bool, err error) {
	record, recorded, err := q.run.Cell(c.Key)
	fault := err
	if fault != nil && !runs.IsBroken(fault) {
		return false, fault
	}
	// The record may be newer than the plan.
	tried := c.State == plan.Failed && record.Started.Equal(c.Record.Started)
	newer := recorded && !record.Started.Equal(c.Record.Started)
	c.Record = record
	switch c.State, c.Why = q.plan.State(c, record, recorded); {
	case fault != nil:
		c.State, c.Why = plan.Stale, plan.BrokenWhy(fault)
		q.w.Log.Warn("cell done again", "cell", c.Path(), "reason", c.Why)
	case c.State == plan.Stale && newer:
		return false, rivalError(c)
	case c.State == plan.Done:
		q.ended++
		q.result.Elsewhere++
		return false, nil
	case c.State == plan.Failed && !tried: // it has failed since the plan was made
		q.fail(c, record)
		return true, nil
	}
	q.w.Progress.Cell(c.Key, q.ended+1, q.total)
	record, err = runCell(ctx, q.w, q.run, &q.latest, c, q.options)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if isDamage(err) {
		return false, err
	}
	if isDiskFull(err) {
		return false, fmt.Errorf("the disk is full, so the run stops: %w; cells that are done are kept, "+
			"and the same command goes on when there is room", err)
	}
	if err != nil {
		q.fail(c, record)
		q.w.Log.Error("cell failed", "cell", c.Path(), "error", record.Error)
	} else {
		q.ended++
		q.result.Done++
	}
	q.w.Progress.CellEnded(record, q.ended, q.total, err)
	return err != nil, nil
}

// isDiskFull reports whether an error means that nothing more can be written: every further cell
// would fail as this one did.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// fail counts a failed cell.
func (q *queue) fail(c plan.Cell, record runs.Cell) {
	q.ended++
	q.result.Failed = append(q.result.Failed, FailedCell{Cell: c.Path(), Error: record.Error, Log: record.Log})
}

// NeedWeights installs the pretrained weights of every backbone before the first cell, so that a
// run does not fail hours later for want of them.
func NeedWeights(ctx context.Context, w *workspace.Workspace, cells []plan.Cell) error {
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[c.Backbone] {
			continue
		}
		seen[c.Backbone] = true
		net, err := backbones.Named(c.Backbone)
		if err != nil {
			return err
		}
		if net.Weights == "" {
			continue
		}
		if _, err := w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return err
		}
	}
	return nil
}

// runRecordClaim is the claim of a run's record while it is read and rewritten.
const runRecordClaim = "run.json"

// suiteFile is the resolved suite, beside the record of a run.
const suiteFile = "suite.yaml"

// OpenRun opens the plan's run, and creates it where there is none. The record keeps the suite as
// the latest run command with work to do resolved it.
func OpenRun(ctx context.Context, w *workspace.Workspace, p *plan.Plan, work bool) (*runs.Run, error) {
	r, broken, err := w.Runs().Reopen(p.Run)
	if err == nil && broken == nil && !work && maps.Equal(r.Record.Bases, withBases(r.Record.Bases, p.Cells)) {
		return r, nil // the record does not change
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	config, err := json.Marshal(p.Suite)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", p.Run, err)
	}
	record := runs.Record{
		Schema: runs.Schema, ID: p.Run, Suite: p.Suite.Name, Created: workspace.Timestamp(),
		Config: config, Command: w.Command, Environment: w.Environment(ctx, ""),
	}
	text, err := p.Suite.YAML()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", p.Run, err)
	}
	held, err := claims.Open(w.Runs().Path(p.Run))
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", p.Run, err)
	}
	defer held.Close()
	if err = held.Take(ctx, runRecordClaim); err != nil {
		return nil, fmt.Errorf("run %s: %w", p.Run, err)
	}
	r, broken, err = w.Runs().Reopen(p.Run)
	switch {
	case broken != nil:
		record.Created = r.Record.Created
		if err = removeBroken(filepath.Join(r.Dir, "run.json")); err != nil {
			return nil, fmt.Errorf("run %s: %w", p.Run, err)
		}
		record.Cells, record.Bases = appendNewCells(r.Record.Cells, p.Cells), withBases(nil, p.Cells)
		err = r.Update(record)
	case errors.Is(err, fs.ErrNotExist):
		record.Cells, record.Bases = appendNewCells(nil, p.Cells), withBases(nil, p.Cells)
		r, err = w.Runs().Create(p.Run, record)
	case err == nil:
		record.Created = r.Record.Created
		record.Cells, record.Bases = appendNewCells(r.Record.Cells, p.Cells), withBases(r.Record.Bases, p.Cells)
		err = r.Update(record)
	}
	if err == nil {
		err = runs.WriteFile(filepath.Join(r.Dir, suiteFile), text, 0o644)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// removeBroken removes a file that is to be written anew, and what else may be in its place, such as
// an empty folder.
func removeBroken(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// appendNewCells appends the cells that are not in keys yet. Cells of earlier commands stay
// planned, in their order, which is the order of reports.
func appendNewCells(keys []runs.Key, cells []plan.Cell) []runs.Key {
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

// withBases returns the bases of all groups. Those of the planned cells replace what earlier
// commands said of their groups.
func withBases(bases map[string]string, cells []plan.Cell) map[string]string {
	out := map[string]string{}
	maps.Copy(out, bases)
	for _, c := range cells {
		if delete(out, c.Group.Path()); c.Base != "" {
			out[c.Group.Path()] = c.Base
		}
	}
	return out
}
