package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
	// WithoutONNX is the reason why there is no model.onnx; empty where there is one.
	WithoutONNX string `json:"without_onnx,omitempty"`
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
		c, err := cellNamed(w, r, cells, o.Cell)
		if err == nil {
			err = hasModel(w, r, c)
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
		if why := hasModel(w, r, c); why != nil {
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
	case len(skipped) == 1:
		return nil, nil, errors.New(skipped[0].Why)
	case len(skipped) > 0:
		return nil, nil, fmt.Errorf("none of %d cells is done: %s", len(skipped), skipped[0].Why)
	}
	return nil, nil, fmt.Errorf("no cell matches %q; %s", o.Cell, listsCells(w, r))
}

// CellNamed returns the record of the cell of a run with a path. cells are the records of the run.
func CellNamed(w *workspace.Workspace, r *runs.Run, cells []runs.Cell, path string) (runs.Cell, error) {
	var known []string
	for _, c := range cells {
		if c.Path() == path {
			return c, nil
		}
		known = append(known, c.Path())
	}
	for _, k := range r.Record.Cells {
		if k.Path() == path {
			return runs.Cell{}, fmt.Errorf("cell %s has not begun; %s", path, doCells(w, r, runs.Cell{}))
		}
	}
	return runs.Cell{}, noCell(w, r, path, known)
}

// cellNamed returns the record of the cell with a path, for a command that takes a glob, too.
func cellNamed(w *workspace.Workspace, r *runs.Run, cells []runs.Cell, path string) (runs.Cell, error) {
	c, err := CellNamed(w, r, cells, path)
	if err == nil {
		return c, nil
	}
	for _, c := range cells {
		if glob := globOfFolder(path, c.Path()); glob != "" {
			return c, fmt.Errorf("%w, or %s for all of them", err, workspace.ShellLine(r.Record.ID+"/"+glob))
		}
	}
	return c, err
}

// noCell is the error of a path that no cell has; known are those that there are.
func noCell(w *workspace.Workspace, r *runs.Run, path string, known []string) error {
	for _, k := range known {
		if globOfFolder(path, k) != "" {
			return fmt.Errorf("%q is not the whole path of a cell: want one such as %s/%s", path, r.Record.ID, k)
		}
	}
	hint := suite.Suggestion(path, known)
	if hint == "" {
		hint = "; " + listsCells(w, r)
	}
	return fmt.Errorf("there is no cell %q%s", path, hint)
}

// globOfFolder returns a glob for the cells below a folder, which is given by its name or as the
// beginning of the path of a cell. It is empty where the cell is not below that folder.
func globOfFolder(folder, cell string) string {
	parts := strings.Split(cell, "/")
	if rest, below := strings.CutPrefix(cell, folder+"/"); below {
		return folder + strings.Repeat("/*", strings.Count(rest, "/")+1)
	}
	i := slices.Index(parts, folder)
	if i < 0 {
		return ""
	}
	for j := range parts {
		if j != i {
			parts[j] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// listsCells says which command lists the cells of a run.
func listsCells(w *workspace.Workspace, r *runs.Run) string {
	return fmt.Sprintf("\"%s\" lists them", w.CommandLine("show", r.Record.ID))
}

// doCells says which command does the cells of a run that are not done. c is one of them, as far as it
// is recorded.
func doCells(w *workspace.Workspace, r *runs.Run, c runs.Cell) string {
	if c.External != nil {
		return fmt.Sprintf("score its vectors again (\"%s\")", w.CommandLine("score", r.Record.ID, "--help"))
	}
	return fmt.Sprintf("run \"%s\"", w.CommandLine("run", filepath.Join(r.Dir, suiteFile), "--run", r.Record.ID))
}

// exportable returns an error where a cell cannot be exported: it is not done.
func exportable(w *workspace.Workspace, r *runs.Run, c runs.Cell) error {
	switch c.Status {
	case runs.Done:
		return nil
	case runs.Failed:
		return fmt.Errorf("cell %s failed: %s; run \"%s\"", c.Path(), c.Error,
			w.CommandLine("run", filepath.Join(r.Dir, suiteFile), "--run", r.Record.ID, "--retry-failed"))
	}
	return fmt.Errorf("cell %s is not done, it is running or was interrupted; %s", c.Path(), doCells(w, r, c))
}

// hasModel returns an error where the model of a cell cannot be exported: the cell is not done, or its
// vectors are of another program.
func hasModel(w *workspace.Workspace, r *runs.Run, c runs.Cell) error {
	if c.External != nil {
		return fmt.Errorf("cell %s: its vectors are of another program, which has the model", c.Path())
	}
	return exportable(w, r, c)
}

// evaluatedModel returns the folder with the checkpoint of the model whose embeddings a cell has.
func evaluatedModel(r *runs.Run, c runs.Cell) string {
	if c.Selection != nil {
		return filepath.Join(r.CellDir(c.Key), chosenDir)
	}
	return filepath.Join(r.CellDir(c.Key), "checkpoint")
}

// testModel reads the model of a done cell; it returns nil for a cell without training.
func testModel(w *workspace.Workspace, r *runs.Run, c runs.Cell, config models.Config) (*models.TestModel, error) {
	if config.Untrained {
		return nil, nil //nolint:nilnil // a cell without training has no model
	}
	m, err := models.ReadTestModel(evaluatedModel(r, c), config)
	if errors.Is(err, models.ErrNoCheckpoint) {
		return nil, fmt.Errorf("%w: remove %s and %s", err, r.CellDir(c.Key), doCells(w, r, c))
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
	m, err := testModel(w, r, c, config)
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	embeddings, err := r.Embeddings(c)
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
	err = replaceFolder(modelTarget(dir, card, force), func(dir string) error {
		var failed error
		if e.WithoutONNX, failed = writeONNX(ctx, w, dir, c, config, card, m); failed != nil {
			return failed
		}
		return writeModel(ctx, dir, r, c, card, m, embeddings)
	})
	if err != nil {
		return e, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	for _, f := range card.Files {
		e.Bytes += f.Bytes
	}
	return e, nil
}

// writeModel writes the files of a cell but model.onnx into a folder, the card last.
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
	if err := card.writeReadme(dir); err != nil {
		return err
	}
	return card.seal(dir)
}
