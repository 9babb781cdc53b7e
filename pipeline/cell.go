package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/cost"
	"bierbench/pipeline/export"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// binsEvery is the number of steps between two lines of train.jsonl that hold the distribution of
// the boosting weights: such a line is ten times as long as the others.
const binsEvery = 20

// attempt is one attempt to do a cell: what it works with, and the record that it fills in.
type attempt struct {
	w          *workspace.Workspace
	run        *runs.Run
	latest     *backbones.Features // the features that a cell of this run has read last
	cell       plan.Cell
	checkpoint time.Duration // time between two checkpoints of a training
	backend    *xla.Backend
	weights    cache.Weights // zero for a backbone without pretrained weights
	data       *datasets.Dataset
	rows       rowDivision // rows of data
	record     runs.Cell
	trained    float64 // seconds of training in earlier attempts
	looked     float64 // seconds of comparing models in earlier attempts
	before     float64 // seconds of the initialisation of the model, with the features it read

	tensorBoard bool               // write live event files
	live        *export.LiveEvents // nil where there are none
}

// runCell trains and evaluates one cell and writes its record. The caller holds the claim of the
// cell. The record of an interrupted cell says running; the next run continues the cell from its
// checkpoint.
func runCell(ctx context.Context, w *workspace.Workspace, r *runs.Run, latest *backbones.Features, c plan.Cell,
	o RunOptions,
) (runs.Cell, error) {
	began := time.Now()
	w.ForgetLog()
	workspace.ResetPeakMemory()
	if fault := brokenLog(r, c.Key); runs.IsBroken(fault) && (c.State == plan.Interrupted || c.State == plan.Failed) {
		w.Log.Warn("cell begun again, because its log is damaged", "cell", c.Path(), "error", fault)
		c.State, c.Record = plan.Stale, runs.Cell{}
	}
	if c.State == plan.Todo || c.State == plan.Stale {
		// The files of an older configuration must not be taken for this one's. An interrupted or
		// failed cell goes on from its own checkpoint.
		if err := os.RemoveAll(r.CellDir(c.Key)); err != nil {
			return runs.Cell{}, fmt.Errorf("cell %s: %w", c.Path(), err)
		}
	} else if err := r.Sweep(c.Key); err != nil {
		return runs.Cell{}, err
	}
	config, err := json.Marshal(c.Config)
	if err != nil {
		return runs.Cell{}, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	a := attempt{w: w, run: r, latest: latest, cell: c, checkpoint: o.Checkpoint, tensorBoard: o.TensorBoard}
	a.record = runs.Cell{
		Schema: runs.Schema, Key: c.Key, Config: config, ConfigHash: c.ConfigHash, DataHash: c.DataHash,
		Started: workspace.Timestamp(), Status: runs.Running, Timing: map[string]float64{}, Throughput: map[string]float64{},
	}
	a.record.Predicted = cost.Predicted(c)
	if err = a.prepare(ctx); err == nil {
		if a.backend.Config == xla.CPU {
			w.LimitMemory()
		}
		err = r.WriteCell(a.record)
	}
	if err == nil {
		err = a.fill(ctx)
	}
	a.record.Memory = workspace.PeakMemory()
	defer func() { _ = a.live.Close() }() // each step was written
	switch {
	case err == nil:
		a.record.Status = runs.Done
		addTotals(a.record.Timing, time.Since(began).Seconds()+a.trained+a.looked)
		if failed := a.live.End(a.record, time.Now()); failed != nil {
			w.Log.Warn("the last of the live curves is missing", "cell", c.Path(), "error", failed)
		}
	case ctx.Err() != nil:
		return a.record, fmt.Errorf("cell %s: %w", c.Path(), ctx.Err())
	case isDamage(err): // of no cell: the next run goes on with this one
		return a.record, fmt.Errorf("cell %s: %w", c.Path(), err)
	case isDiskFull(err):
		// The record goes on to say running: the cell is continued when there is room.
		return a.record, fmt.Errorf("cell %s: %w", c.Path(), err)
	default:
		a.record.Status, a.record.Error, a.record.Log = runs.Failed, err.Error(), w.LastLog()
	}
	if writeErr := r.WriteCell(a.record); writeErr != nil {
		err = errors.Join(err, writeErr)
		if isDiskFull(writeErr) {
			return a.record, fmt.Errorf("cell %s: %w", c.Path(), err)
		}
		if a.record.Status == runs.Done { // the record of a failed cell is short and may fit
			a.record.Status, a.record.Error, a.record.Log = runs.Failed, writeErr.Error(), w.LastLog()
			a.record.Evaluations, a.record.Correlation = nil, nil
			err = errors.Join(err, r.WriteCell(a.record))
		}
	}
	if err != nil {
		return a.record, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	cost.Remember(ctx, w, r, c, a.record)
	return a.record, nil
}

// brokenLog returns an error where a file of lines, which an interrupted cell goes on with, is damaged.
func brokenLog(r *runs.Run, k runs.Key) error {
	_, steps := runs.ReadSteps(r.StepsPath(k))
	_, looks := runs.ReadLooks(r.LooksPath(k))
	return errors.Join(steps, looks)
}

// isDamage reports whether an error is of a damaged plugin, of damaged weights or of damaged imported
// features, with which no cell can be done.
func isDamage(err error) bool {
	_, ok := errors.AsType[*cache.DamagedError](err)
	return ok || errors.Is(err, backbones.ErrImportDamaged)
}

// addTotals adds to the seconds of the stages of a cell their total, and as overhead the time that
// belongs to no stage.
func addTotals(timing map[string]float64, total float64) {
	rest := total
	for _, seconds := range timing {
		rest -= seconds
	}
	timing["total"], timing["overhead"] = total, rest
}

// prepare opens what a cell works with besides its data, so that its record names the environment
// from its beginning. The environment of the attempt that it goes on from stays in the record.
func (a *attempt) prepare(ctx context.Context) (err error) {
	w, c := a.w, a.cell
	if a.backend, err = w.OpenBackend(ctx); err != nil {
		return err
	}
	net, err := backbones.Named(c.Config.Backbone)
	if err != nil {
		return err
	}
	if net.Weights != "" {
		if a.weights, err = w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return err
		}
	}
	a.record.Environment = w.Environment(ctx, a.weights.SHA256)
	if before := c.Record.Environment; (c.State == plan.Interrupted || c.State == plan.Failed) && before.Go != "" {
		a.record.Earlier = c.Record.Earlier
		if !before.Same(a.record.Environment) {
			a.record.Earlier = append(slices.Clone(a.record.Earlier), before)
		}
	}
	return nil
}

// openData opens the data set of a planned cell, which must be the one that the plan was made for.
func openData(c plan.Cell) (*datasets.Dataset, error) {
	data, err := datasets.Open(c.Data.Dir)
	if err != nil {
		return nil, err
	}
	if data.Manifest.Digest != c.DataHash {
		err = fmt.Errorf("data set %s/%s was replaced after the plan was made (digest %.12s -> %.12s): run again, which plans anew",
			c.Data.Set, c.Data.Variant, c.DataHash, data.Manifest.Digest)
		return nil, errors.Join(err, data.Close())
	}
	return data, nil
}

// fill does the work of a cell and fills in its record.
func (a *attempt) fill(ctx context.Context) (err error) {
	w, c := a.w, a.cell
	if a.data, err = openData(c); err != nil {
		return err
	}
	defer a.data.Close()
	if a.rows, err = divideRows(a.data, c.Config); err != nil {
		return err
	}
	features := backbones.Features{}
	if c.Config.Mode == models.Frozen {
		var took cost.FeaturesWork
		if features, took, err = pooledFeatures(ctx, w, a.latest, a.data, c.Config, a.weights); err != nil {
			return err
		}
		if took.Images > 0 {
			a.record.Timing["features"] = took.Seconds
			a.record.Throughput["features images/s"] = float64(took.Images) / took.Seconds
		}
	} else {
		*a.latest = backbones.Features{} // the network needs the memory
	}
	test := a.rows.test
	var values []float32
	if c.Config.Untrained {
		values = normalized(features, test)
	} else if values, err = a.trainAndEmbed(ctx, features, test); err != nil {
		return err
	}
	embedding := a.embeddings(test, values)
	if err = a.run.WriteEmbeddings(&a.record, *embedding); err != nil {
		return err
	}
	evaluated := time.Now()
	if err = evaluateTest(ctx, w, a.backend, a.run, &a.record, c.Config, a.data, test, *embedding); err != nil {
		return err
	}
	a.record.Timing["evaluate"] = time.Since(evaluated).Seconds()
	return a.run.SealFiles(&a.record)
}

// trainAndEmbed trains the cell from its last checkpoint and returns the
// vectors of the test rows.
func (a *attempt) trainAndEmbed(ctx context.Context, features backbones.Features, test []int) ([]float32, error) {
	began := time.Now()
	m, err := models.New(a.backend, a.cell.Config, a.weights.Path, cost.CountClasses(a.classes(a.rows.train)))
	if err != nil {
		return nil, err
	}
	defer m.Finalize()
	s, err := a.newSelector(m, features)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err = a.train(ctx, m, features, s); err != nil {
		return nil, err
	}
	a.record.Timing["train"] = a.trained + time.Since(began).Seconds() - a.before
	if s != nil {
		a.record.Timing["train"] -= s.seconds
		a.record.Timing["select"] = s.before + s.seconds
		a.looked = s.before
		if a.record.Selection, err = s.choose(); err != nil {
			return nil, err
		}
	}
	if a.record.ModelDigest, err = m.Digest(); err != nil {
		return nil, err
	}
	began = time.Now()
	a.w.Progress.Start("embed "+a.cell.Path(), len(test))
	values, err := m.Embed(ctx, a.embedData(features, test))
	a.w.Progress.Finish()
	if err != nil {
		return nil, err
	}
	a.record.Timing["embed"] = time.Since(began).Seconds()
	a.record.Throughput["embed images/s"] = float64(len(test)) / a.record.Timing["embed"]
	return values, nil
}

// embedData returns what the embeddings of some rows are computed from.
func (a *attempt) embedData(features backbones.Features, rows []int) models.EmbedData {
	return models.EmbedData{
		Images: len(rows), Features: featureRows(features, rows), Workers: a.w.Workers,
		Pixels: func(i int, dst []uint8) error {
			return a.data.Pixels(rows[i], datasets.View{Size: a.cell.Config.Input}, dst)
		},
		Progress: func(done int) { a.w.Progress.Advance(done, "") },
	}
}

// embeddings returns the vectors of some rows with id, class, split and list of each row.
func (a *attempt) embeddings(rows []int, values []float32) *runs.Embeddings {
	e := &runs.Embeddings{Width: a.cell.Config.Size, Values: values}
	for _, i := range rows {
		e.IDs = append(e.IDs, a.data.ID(i))
		e.Classes = append(e.Classes, a.data.Class(i))
		e.Splits = append(e.Splits, string(a.data.Split(i)))
		e.Lists = append(e.Lists, a.data.List(i))
	}
	return e
}

// train trains the model from its last checkpoint to the last step. s compares models on the way;
// it may be nil.
func (a *attempt) train(ctx context.Context, m *models.Model, features backbones.Features, s *selector) error {
	c := a.cell
	checkpoints := filepath.Join(a.run.CellDir(c.Key), "checkpoint")
	usable := func(int) error { return nil }
	if s != nil {
		usable = s.usable
	}
	skipped, err := m.LoadWhere(checkpoints, usable)
	for _, s := range skipped {
		a.w.Log.Warn("checkpoint passed over", "cell", c.Path(), "error", s)
	}
	if err != nil && !errors.Is(err, models.ErrNoCheckpoint) {
		return err
	}
	if m.Step == 0 && a.record.Earlier != nil { // nothing of the earlier attempts is left
		a.record.Earlier = nil
		if err = a.run.WriteCell(a.record); err != nil {
			return err
		}
	}
	steps, err := runs.OpenSteps(a.run.StepsPath(c.Key), m.Step)
	if err != nil {
		return err
	}
	defer func() { _ = steps.Close() }() // each line was written
	if s != nil {
		if err = s.open(m.Step); err != nil {
			return err
		}
	}
	if a.tensorBoard {
		if a.live, err = export.OpenLiveEvents(filepath.Join(a.run.CellDir(c.Key), "tensorboard"), a.record, m.Step, time.Now()); err != nil {
			return err
		}
	}
	train := a.rows.train
	input := models.TrainData{Workers: a.w.Workers, Features: featureRows(features, train), Classes: a.classes(train)}
	input.Pixels = func(i int, random models.PixelRandom, dst []uint8) error {
		return a.data.Pixels(train[i], datasets.View{Size: c.Config.Input, Random: random}, dst)
	}
	if err = a.initialise(ctx, m, input.Features); err != nil {
		return err
	}
	first, wait := m.Step, 0.0
	a.trained = m.Seconds
	a.w.Progress.Start("train "+c.Path(), c.Config.Steps)
	options := models.TrainOptions{
		Checkpoints: checkpoints, Every: a.checkpoint,
		OnStep: func(s models.Step) error {
			wait += s.Wait
			images := float64(s.Number-first) * float64(c.Config.Classes*c.Config.Images)
			a.w.Progress.Advance(s.Number, fmt.Sprintf("loss %.4f, %.0f images/s", s.Loss, images/max(s.Seconds-a.trained, 1e-9)))
			step := runs.TrainStep{
				Step: s.Number, Loss: s.Loss, Total: s.Total, Rate: s.Rate, Learners: s.Learners,
				Weights: s.Weights, Diversity: s.Diversity, Seconds: s.Seconds,
			}
			if len(s.Bins) > 1 && (s.Number%binsEvery == 1 || s.Number == c.Config.Steps) {
				step.WeightBins = roundedShares(s.Bins)
			}
			if failed := a.live.Step(step, time.Now()); failed != nil {
				return failed
			}
			return steps.Append(step)
		},
	}
	if s != nil {
		options.CheckEvery, options.OnCheck = c.Config.SelectEvery, s.look
	}
	err = m.Train(ctx, input, options)
	a.w.Progress.Finish()
	if err != nil {
		return err
	}
	a.record.Throughput["train steps/s"] = float64(m.Step) / m.Seconds
	a.record.Throughput["train images/s"] = float64(m.Step*c.Config.Classes*c.Config.Images) / m.Seconds
	if taken := m.Seconds - a.trained; taken > 0 {
		a.record.Throughput["data wait share"] = wait / taken
	}
	return nil
}

// classes returns the classes of some rows.
func (a *attempt) classes(rows []int) []int32 {
	out := make([]int32, len(rows))
	for i, row := range rows {
		out[i] = a.data.Class(row)
	}
	return out
}

// featureRows copies the features of some rows. It returns nil where there are no features.
func featureRows(f backbones.Features, rows []int) []float32 {
	if f.Width == 0 {
		return nil
	}
	out := make([]float32, 0, len(rows)*f.Width)
	for _, i := range rows {
		out = append(out, f.Values[i*f.Width:(i+1)*f.Width]...)
	}
	return out
}
