package pipeline

import (
	"context"
	"fmt"
	"time"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/runs"
)

// initialise optimises the embedding matrices of a model before its first step, where the
// configuration asks for it, and writes the curve. For a model that has taken steps, it reads the
// curve that was written then. Either way the record gets the summary. features are those of the
// training rows in frozen mode.
//
// After a kill before the first checkpoint, the initialisation is done again, to the same bits.
func (a *attempt) initialise(ctx context.Context, m *models.Model, features []float32) error {
	c := a.cell.Config
	if !c.Initialises() {
		return nil
	}
	path := a.run.InitialisationPath(a.cell.Key)
	if m.Step > 0 {
		steps, err := runs.ReadInitialisation(path)
		if err != nil {
			return err
		}
		a.record.Initialisation = runs.InitialisationOf(c.Initial, steps)
		return nil
	}
	if c.Mode == models.Finetune {
		var err error
		if features, err = a.initialFeatures(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	var steps []runs.InitialStep
	a.w.Progress.Start("initialise "+a.cell.Path(), c.InitialSteps)
	found, err := m.Initialise(ctx, features, func(s models.InitialStep) error {
		a.w.Progress.Advance(s.Number, fmt.Sprintf("%s loss %.4g", c.Initial, s.Loss))
		steps = append(steps, runs.InitialStep{
			Step: s.Number, Loss: s.Loss, Pairs: s.Pairs, Norms: s.Norms, Regressors: s.Regressors, Seconds: s.Seconds,
		})
		return nil
	})
	a.w.Progress.Finish()
	if err != nil {
		return err
	}
	steps[len(steps)-1].End = &runs.InitialEnd{Images: found.Images, Converged: found.Converged}
	if err = runs.WriteInitialisation(path, steps); err != nil {
		return err
	}
	a.record.Initialisation = runs.InitialisationOf(c.Initial, steps)
	a.record.Timing["initialise"] = time.Since(began).Seconds()
	a.before += a.record.Timing["initialise"]
	if !found.Converged {
		a.w.Log.Warn("the initialisation took all its steps without converging", "cell", a.cell.Path(),
			"steps", found.Last.Number, "loss", threeDigits(found.Last.Loss))
	}
	return nil
}

// initialFeatures returns the features of the training rows by the pretrained backbone that
// training will change, at the input size of the cell.
func (a *attempt) initialFeatures(ctx context.Context) ([]float32, error) {
	c := a.cell.Config
	c.Mode = models.Frozen
	all, took, err := pooledFeatures(ctx, a.w, a.latest, a.data, c, a.weights)
	if err != nil {
		return nil, err
	}
	if took.Images > 0 {
		a.before += took.Seconds
		a.record.Timing["features"] = took.Seconds
		a.record.Throughput["features images/s"] = float64(took.Images) / took.Seconds
	}
	features := featureRows(all, a.rows.train)
	*a.latest = backbones.Features{} // the network needs the memory
	return features, nil
}
