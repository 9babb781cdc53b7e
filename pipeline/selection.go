package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/pipeline/cost"
	"bierbench/runs"
)

// chosenDir is the folder of the chosen model, in the folder of a cell. It is there where the
// configuration selects a model; that of a done cell holds this model alone.
const chosenDir = "selected"

// A selector compares the models of a training and keeps the best one. A comparison is called a
// look.
//
// A look ends with three writes, each of them synced, in this order: the model, where it is the
// best so far; the line of the look; the checkpoint of its step. What a kill cuts off is done again
// from the checkpoint before, to the same bits. A best model that a later one replaces is kept for
// one more look: where the last checkpoint is broken, training goes back to the one before, and
// that model may be the best again.
type selector struct {
	attempt  *attempt
	model    *models.Model
	features backbones.Features
	protocol datasets.Protocol // that models are compared by
	rows     []int             // that models are compared on
	dir      string            // of the models that are kept
	log      *runs.LookLog
	embedder *models.Embedder
	looks    []runs.Look
	before   float64 // seconds of the looks of earlier attempts
	seconds  float64 // seconds of the looks of this attempt
}

// newSelector returns the selector of an attempt, nil where the configuration selects nothing.
func (a *attempt) newSelector(m *models.Model, features backbones.Features) (*selector, error) {
	if !a.cell.Config.Selects() {
		return nil, nil
	}
	set, err := datasets.Lookup(a.data.Manifest.Set)
	if err != nil {
		return nil, err
	}
	all, err := a.data.Manifest.Protocols()
	if err != nil {
		return nil, err
	}
	s := &selector{
		attempt: a, model: m, features: features, dir: filepath.Join(a.run.CellDir(a.cell.Key), chosenDir),
		protocol: all[0],
	}
	candidates := a.rows.test
	if a.cell.Config.Selection == models.SelectValidation {
		s.protocol, candidates = validationProtocolOf(set), a.rows.heldOut
	}
	for _, row := range candidates {
		if s.protocol.List == 0 || a.data.List(row)&s.protocol.List != 0 {
			s.rows = append(s.rows, row)
		}
	}
	return s, nil
}

// looksAt reports whether there is a look at a step.
func (s *selector) looksAt(step int) bool {
	c := s.attempt.cell.Config
	return step == c.Steps || step%c.SelectEvery == 0
}

// usable returns an error for a checkpoint that training cannot continue from: one of the looks
// before it, or the best model of these looks, is missing.
func (s *selector) usable(step int) error {
	all, err := runs.ReadLooks(s.attempt.run.LooksPath(s.attempt.cell.Key))
	if err != nil {
		return err
	}
	there := map[int]bool{}
	var earlier []runs.Look
	for _, l := range all {
		if l.Step <= step {
			there[l.Step] = true
			earlier = append(earlier, l)
		}
	}
	for i := 1; i < step; i++ { // the look at the step itself may have been cut off
		if s.looksAt(i) && !there[i] {
			return fmt.Errorf("%s has no look of step %d", s.attempt.run.LooksPath(s.attempt.cell.Key), i)
		}
	}
	best, ok := s.best(earlier)
	if !ok {
		return nil
	}
	return models.CheckChosen(s.dir, best.Step)
}

// open prepares the selector to continue after a step; 0 for a training that begins.
func (s *selector) open(step int) (err error) {
	path := s.attempt.run.LooksPath(s.attempt.cell.Key)
	if s.log, err = runs.OpenLooks(path, step); err != nil {
		return err
	}
	if s.looks, err = runs.ReadLooks(path); err != nil {
		return err
	}
	for _, l := range s.looks {
		s.before += l.Seconds
	}
	if err = s.tidy(); err != nil {
		return err
	}
	s.embedder, err = s.model.NewEmbedder()
	return err
}

// close frees the selector. The selector may be nil, and it need not have been opened.
func (s *selector) close() {
	if s == nil {
		return
	}
	if s.log != nil {
		_ = s.log.Close() // each line was synced
	}
	if s.embedder != nil {
		if err := s.embedder.Free(); err != nil {
			s.attempt.w.Log.Warn("the memory of a selection cannot be freed", "error", err)
		}
	}
}

// best returns the best of some looks, false where there are none.
func (s *selector) best(looks []runs.Look) (runs.Look, bool) {
	return runs.Best(looks, s.attempt.cell.Config.SelectBy)
}

// tidy removes all models but the best one and the one that was best before the last look.
func (s *selector) tidy() error {
	var keep []int
	for _, looks := range [][]runs.Look{s.looks, s.looks[:max(0, len(s.looks)-1)]} {
		if best, ok := s.best(looks); ok {
			keep = append(keep, best.Step)
		}
	}
	return models.KeepChosen(s.dir, keep...)
}

// look compares the model of a step with those before it, unless it was done before the training
// was interrupted.
func (s *selector) look(ctx context.Context, step int) error {
	if n := len(s.looks); n > 0 && s.looks[n-1].Step >= step {
		return nil
	}
	a, began := s.attempt, time.Now()
	a.w.Progress.Start("select "+a.cell.Path(), len(s.rows))
	defer func() {
		s.seconds += time.Since(began).Seconds()
		a.w.Progress.Finish()
		a.w.Progress.Start("train "+a.cell.Path(), a.cell.Config.Steps) // goes on
		a.w.Progress.Advance(step, "")
	}()
	values, err := s.embedder.Embed(ctx, a.embedData(s.features, s.rows))
	if err != nil {
		return err
	}
	e := a.embeddings(s.rows, values)
	found, _, err := evaluateProtocol(ctx, a.backend, s.protocol, imagesOf(a.data, s.rows, *e), []int{e.Width})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	look := runs.Look{Step: step, Metrics: map[string]float64{}}
	for _, name := range lookMetrics() {
		look.Metrics[name], _ = found.Value(name)
	}
	looks := append(s.looks, look)
	if best, _ := s.best(looks); best.Step == step {
		if err = s.model.SaveChosen(s.dir); err != nil {
			return err
		}
	}
	looks[len(looks)-1].Seconds = time.Since(began).Seconds()
	if err = s.log.Append(looks[len(looks)-1]); err != nil {
		return err
	}
	s.looks = looks
	return s.tidy()
}

// lookMetrics are the metrics of a look.
func lookMetrics() []string { return []string{"R@1", "MAP@R"} }

// choose loads the model of the best look, removes the others and returns the record of the
// selection.
func (s *selector) choose() (*runs.Selection, error) {
	c := s.attempt.cell.Config
	best, ok := s.best(s.looks)
	if !ok {
		return nil, errors.New("select: the training ended without a look")
	}
	if err := s.model.LoadChosen(s.dir, best.Step); err != nil {
		return nil, err
	}
	if err := models.KeepChosen(s.dir, best.Step); err != nil {
		return nil, err
	}
	record := &runs.Selection{
		Rule: c.Selection, Metric: c.SelectBy, Classes: cost.CountClasses(s.attempt.classes(s.rows)), Images: len(s.rows),
		Step: best.Step, Looks: s.looks,
		Optimistic: c.Selection == models.SelectPeek || c.Evaluate == models.EvaluateValidation,
	}
	if c.Selection == models.SelectPeek {
		record.TestLooks = len(s.looks) + 1 // and the evaluation of the chosen model
	}
	return record, nil
}
