package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/runs"
)

// checkpointEvery is the most training time that a kill may cost.
const checkpointEvery = 30 * time.Second

// runCell trains and evaluates one cell and writes its record. An interrupted
// cell is left running, with a checkpoint, and is continued by the next run.
func (w *Workspace) runCell(ctx context.Context, r *runs.Run, c PlannedCell) (runs.Cell, error) {
	dir := r.CellDir(c.Key)
	if c.State == Todo || c.State == Stale {
		// What an older configuration left must not be taken for this one's. An
		// interrupted or failed cell goes on from its own checkpoint.
		if err := os.RemoveAll(dir); err != nil {
			return runs.Cell{}, fmt.Errorf("cell %s: %w", c.Path(), err)
		}
	}
	config, err := json.Marshal(c.Config)
	if err != nil {
		return runs.Cell{}, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	record := runs.Cell{
		Schema: runs.Schema, Key: c.Key, Config: config, ConfigHash: c.ConfigHash, DataHash: c.DataHash,
		Started: time.Now().UTC().Truncate(time.Second), Status: runs.Running,
		Timing: map[string]float64{}, Throughput: map[string]float64{},
	}
	err = r.WriteCell(record)
	if err == nil {
		err = w.fillCell(ctx, r, c, &record)
	}
	switch {
	case err == nil:
		record.Status = runs.Done
	case ctx.Err() != nil:
		return record, fmt.Errorf("cell %s: %w", c.Path(), ctx.Err())
	default:
		record.Status, record.Error = runs.Failed, err.Error()
	}
	if writeErr := r.WriteCell(record); writeErr != nil {
		err = errors.Join(err, writeErr)
	}
	if err != nil {
		return record, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	return record, nil
}

// fillCell does the work of a cell and fills its record.
func (w *Workspace) fillCell(ctx context.Context, r *runs.Run, c PlannedCell, record *runs.Cell) error {
	began := time.Now()
	b, err := w.backend(ctx)
	if err != nil {
		return err
	}
	net, err := models.BackboneNamed(c.Config.Backbone)
	if err != nil {
		return err
	}
	var weights models.Weights
	if net.Weights != "" {
		if weights, err = w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return err
		}
	}
	record.Environment = w.environment(ctx, b, weights)
	data, err := datasets.Open(c.data.Dir)
	if err != nil {
		return err
	}
	defer data.Close()
	features := models.Features{}
	if c.Config.Mode == models.Frozen {
		var took float64
		if features, took, err = w.pooled(ctx, data, c.Config, weights); err != nil {
			return err
		}
		if took > 0 {
			record.Timing["features"] = took
			record.Throughput["features images/s"] = float64(data.Len()) / took
		}
	}
	test := testRows(data)
	embedding := &runs.Embeddings{Width: c.Config.Size}
	if c.Config.Untrained {
		embedding.Values = normalized(features, test)
	} else if embedding.Values, err = w.trainAndEmbed(ctx, b, r, c, data, features, weights, test, record); err != nil {
		return err
	}
	for _, i := range test {
		embedding.IDs = append(embedding.IDs, data.ID(i))
		embedding.Classes = append(embedding.Classes, data.Class(i))
		embedding.Splits = append(embedding.Splits, string(data.Split(i)))
		embedding.Lists = append(embedding.Lists, data.List(i))
	}
	if err = runs.WriteEmbeddings(r.EmbeddingsPath(c.Key), *embedding); err != nil {
		return err
	}
	evaluated := time.Now()
	record.Evaluations, record.Correlation, err = w.evaluate(ctx, b, r, c.Key, c.Config, data, test, *embedding)
	if err != nil {
		return err
	}
	record.Timing["evaluate"] = time.Since(evaluated).Seconds()
	record.Timing["total"] = time.Since(began).Seconds()
	return nil
}

// trainAndEmbed trains the cell from its last checkpoint and returns the
// vectors of the test rows.
func (w *Workspace) trainAndEmbed(ctx context.Context, b *models.Backend, r *runs.Run, c PlannedCell,
	data *datasets.Dataset, features models.Features, weights models.Weights, test []int, record *runs.Cell,
) ([]float32, error) {
	m, err := models.NewModel(b, c.Config, weights.Path)
	if err != nil {
		return nil, err
	}
	checkpoints := filepath.Join(r.CellDir(c.Key), "checkpoint")
	skipped, err := m.Load(checkpoints)
	for _, s := range skipped {
		w.Log.Warn("checkpoint passed over", "cell", c.Path(), "error", s)
	}
	if err != nil && !errors.Is(err, models.ErrNoCheckpoint) {
		return nil, err
	}
	steps := r.StepsPath(c.Key)
	if err = runs.KeepSteps(steps, m.Step); err != nil {
		return nil, err
	}
	train := data.Rows(datasets.Train)
	input := models.TrainData{Workers: w.Workers, Features: selected(features, train)}
	for _, i := range train {
		input.Classes = append(input.Classes, data.Class(i))
	}
	input.Pixels = func(i int, random models.PixelRandom, dst []uint8) error {
		return data.Pixels(train[i], datasets.View{Size: c.Config.Input, Random: random}, dst)
	}
	first, before := m.Step, m.Seconds
	wait := 0.0
	w.Progress.Start("train "+c.Path(), c.Config.Steps)
	err = m.Train(ctx, input, models.TrainOptions{
		Checkpoints: checkpoints, Every: checkpointEvery,
		OnStep: func(s models.Step) error {
			wait += s.Wait
			images := float64(s.Number-first) * float64(c.Config.Classes*c.Config.Images)
			w.Progress.Advance(s.Number, fmt.Sprintf("loss %.4f, %.0f images/s", s.Loss, images/max(s.Seconds-before, 1e-9)))
			return runs.AppendStep(steps, runs.TrainStep{
				Step: s.Number, Loss: s.Loss, Total: s.Total, Rate: s.Rate, Learners: s.Learners,
				Weights: s.Weights, Diversity: s.Diversity, Seconds: s.Seconds,
			})
		},
	})
	w.Progress.Finish()
	if err != nil {
		return nil, err
	}
	record.Timing["train"] = m.Seconds
	record.Throughput["train steps/s"] = float64(m.Step) / m.Seconds
	record.Throughput["train images/s"] = float64(m.Step*c.Config.Classes*c.Config.Images) / m.Seconds
	if taken := m.Seconds - before; taken > 0 {
		record.Throughput["data wait share"] = wait / taken
	}

	began := time.Now()
	w.Progress.Start("embed "+c.Path(), len(test))
	values, err := m.Embed(ctx, models.EmbedData{
		Images: len(test), Features: selected(features, test), Workers: w.Workers,
		Pixels: func(i int, dst []uint8) error {
			return data.Pixels(test[i], datasets.View{Size: c.Config.Input}, dst)
		},
		Progress: func(done int) { w.Progress.Advance(done, "") },
	})
	w.Progress.Finish()
	if err != nil {
		return nil, err
	}
	record.Timing["embed"] = time.Since(began).Seconds()
	record.Throughput["embed images/s"] = float64(len(test)) / record.Timing["embed"]
	return values, nil
}

// testRows returns every row that is not training data, in the file's order.
func testRows(data *datasets.Dataset) []int {
	return data.Rows(datasets.Test, datasets.Query, datasets.Gallery)
}

// selected copies the features of some rows; none in, none out.
func selected(f models.Features, rows []int) []float32 {
	if f.Width == 0 {
		return nil
	}
	out := make([]float32, 0, len(rows)*f.Width)
	for _, i := range rows {
		out = append(out, f.Values[i*f.Width:(i+1)*f.Width]...)
	}
	return out
}
