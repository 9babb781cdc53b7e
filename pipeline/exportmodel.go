package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"bierbench/models"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// ExportedModel is the model and the embeddings of one cell in a folder of their own.
type ExportedModel struct {
	Cell       string `json:"cell"` // its path
	Dir        string `json:"dir"`
	Parameters int    `json:"parameters"` // number in the test-time model; 0 for a cell without training
	Images     int    `json:"images"`     // number of embeddings
	Bytes      int64  `json:"bytes"`      // size of all files but the card
}

// SkippedModel is a cell that is not done, so that it has no model to export.
type SkippedModel struct {
	Cell string `json:"cell"`
	Why  string `json:"why"`
}

// exportModels writes the models that o asks for.
func exportModels(ctx context.Context, w *workspace.Workspace, r *runs.Run, cells []runs.Cell,
	o ExportOptions,
) ([]ExportedModel, []SkippedModel, error) {
	if o.Cell != "" && !strings.ContainsAny(o.Cell, "*?[") {
		c, err := cellNamed(r, cells, o.Cell)
		if err == nil {
			err = exportable(r, c)
		}
		if err != nil {
			return nil, nil, err
		}
		e, err := exportModel(ctx, w, r, c, o.Models, o.Force)
		return []ExportedModel{e}, nil, err
	}
	var done []ExportedModel
	var skipped []SkippedModel
	for _, c := range cells {
		if o.Cell != "" && !plan.MatchPath(o.Cell, c.Path()) {
			continue
		}
		if why := exportable(r, c); why != nil {
			skipped = append(skipped, SkippedModel{c.Path(), why.Error()})
			continue
		}
		e, err := exportModel(ctx, w, r, c, filepath.Join(o.Models, filepath.FromSlash(c.Path())), o.Force)
		if err != nil {
			return done, skipped, err
		}
		done = append(done, e)
	}
	switch {
	case len(done) > 0:
		return done, skipped, nil
	case len(skipped) > 0:
		return nil, nil, fmt.Errorf("none of %d cells is done: %s", len(skipped), skipped[0].Why)
	}
	return nil, nil, fmt.Errorf("no cell matches %q; \"bierbench show %s\" lists them", o.Cell, r.Record.ID)
}

// cellNamed returns the record of the cell with a path.
func cellNamed(r *runs.Run, cells []runs.Cell, path string) (runs.Cell, error) {
	var known []string
	for _, c := range cells {
		if c.Path() == path {
			return c, nil
		}
		known = append(known, c.Path())
	}
	for _, k := range r.Record.Cells {
		if k.Path() == path {
			return runs.Cell{}, fmt.Errorf("cell %s has not begun; %s", path, doCells(r))
		}
	}
	hint := suite.Suggestion(path, known)
	if hint == "" {
		hint = fmt.Sprintf("; \"bierbench show %s\" lists them", r.Record.ID)
	}
	return runs.Cell{}, fmt.Errorf("there is no cell %q%s", path, hint)
}

// doCells returns the command that does the cells of a run that are not done.
func doCells(r *runs.Run) string {
	return fmt.Sprintf("run \"bierbench run %s --run %s\"", filepath.Join(r.Dir, suiteFile), r.Record.ID)
}

// exportable returns an error where a cell cannot be exported: it is not done.
func exportable(r *runs.Run, c runs.Cell) error {
	switch c.Status {
	case runs.Done:
		return nil
	case runs.Failed:
		return fmt.Errorf("cell %s failed: %s; run \"bierbench run %s --run %s --retry-failed\"",
			c.Path(), c.Error, filepath.Join(r.Dir, suiteFile), r.Record.ID)
	}
	return fmt.Errorf("cell %s is not done, it is running or was interrupted; %s", c.Path(), doCells(r))
}

// evaluatedModel returns the folder with the checkpoint of the model whose embeddings a cell has.
func evaluatedModel(r *runs.Run, c runs.Cell) string {
	if c.Selection != nil {
		return filepath.Join(r.CellDir(c.Key), chosenDir)
	}
	return filepath.Join(r.CellDir(c.Key), "checkpoint")
}

// testModel reads the model of a done cell; it returns nil for a cell without training.
func testModel(r *runs.Run, c runs.Cell, config models.Config) (*models.TestModel, error) {
	if config.Untrained {
		return nil, nil //nolint:nilnil // a cell without training has no model
	}
	m, err := models.ReadTestModel(evaluatedModel(r, c), config)
	if errors.Is(err, models.ErrNoCheckpoint) {
		return nil, fmt.Errorf("%w: remove %s and %s", err, r.CellDir(c.Key), doCells(r))
	}
	if err != nil {
		return nil, err
	}
	if c.ModelDigest != "" && m.Digest != c.ModelDigest {
		return nil, fmt.Errorf("%s is a model of digest %s, that of the cell has %s", m.Path, m.Digest, c.ModelDigest)
	}
	return &m, nil
}

// exportModel writes the model and the embeddings of a done cell into dir, as a whole or not at
// all. It replaces an earlier export of the same cell by the same bytes, and with force that of
// another cell.
func exportModel(ctx context.Context, w *workspace.Workspace, r *runs.Run, c runs.Cell, dir string,
	force bool,
) (e ExportedModel, err error) {
	var config models.Config
	if err = json.Unmarshal(c.Config, &config); err != nil {
		return e, fmt.Errorf("cell %s: config: %w", c.Path(), err)
	}
	m, err := testModel(r, c, config)
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	embeddings, err := runs.ReadEmbeddings(r.EmbeddingsPath(c.Key))
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	card, err := newModelCard(r, c, config, m, embeddings)
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	e = ExportedModel{Cell: c.Path(), Dir: dir, Images: len(embeddings.IDs)}
	if m != nil {
		e.Parameters = m.Parameters()
	}
	err = replaceFolder(dir, card, force, func(dir string) error { return writeModel(ctx, dir, r, c, card, m, embeddings) })
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	for _, f := range card.Files {
		e.Bytes += f.Bytes
	}
	return e, nil
}

// writeModel writes the files of a cell into a folder, the card last.
func writeModel(ctx context.Context, dir string, r *runs.Run, c runs.Cell, card *ModelCard, m *models.TestModel, e runs.Embeddings) error {
	if m != nil {
		if err := m.Write(filepath.Join(dir, modelFile)); err != nil {
			return err
		}
	}
	if err := writeArrays(ctx, dir, e); err != nil {
		return err
	}
	if err := copyWhole(r.EmbeddingsPath(c.Key), filepath.Join(dir, embeddingsFile)); err != nil {
		return err
	}
	return card.seal(dir)
}
