package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/pipeline/export"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// ExportedProjection is the folder of a cell for TensorBoard's embedding projector.
type ExportedProjection struct {
	Cell   string `json:"cell"` // its path
	Dir    string `json:"dir"`
	Points int    `json:"points"`
	Images int    `json:"images"` // of which the points are
	// WithoutPictures is the reason why there are no pictures and no names of classes; empty where
	// there are.
	WithoutPictures string `json:"without_pictures,omitempty"`
}

// exportProjector writes the embeddings of a done cell for TensorBoard's embedding projector, as a
// whole or not at all.
func exportProjector(ctx context.Context, w *workspace.Workspace, r *runs.Run, cells []runs.Cell, o ExportOptions) (*ExportedProjection, error) {
	c, err := CellNamed(w, r, cells, o.Cell)
	if err == nil {
		err = exportable(w, r, c)
	}
	if err != nil {
		return nil, err
	}
	e, err := r.Embeddings(c)
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	p := export.Projection{Name: r.Record.ID + "/" + c.Path(), Embeddings: e}
	result := &ExportedProjection{Cell: c.Path(), Dir: o.Projector, Points: len(p.Points()), Images: len(e.IDs)}
	data, rows, err := labelledData(w, c, e)
	if err != nil {
		result.WithoutPictures = err.Error()
	} else {
		defer data.Close()
		p.Labels = func(i int) (class, superclass string) { return data.ClassName(rows[i]), data.Superclass(rows[i]) }
		p.Picture = func(i, side int) (image.Image, error) {
			picture, _, _, failed := data.Thumbnail(rows[i], side, reports.ThumbnailQuality)
			if failed != nil {
				return nil, failed
			}
			return jpeg.Decode(bytes.NewReader(picture))
		}
	}
	t := target{
		dir: o.Projector, files: export.ProjectorFiles(), what: "the points", owner: p.Name, force: o.Force, former: formerProjection,
	}
	if err = replaceFolder(t, func(dir string) error { return export.Project(ctx, dir, p) }); err != nil {
		return nil, fmt.Errorf("cell %s: %w", c.Path(), err)
	}
	return result, nil
}

// labelledData opens the data set of a cell, with the rows of its embeddings.
func labelledData(w *workspace.Workspace, c runs.Cell, e runs.Embeddings) (*datasets.Dataset, []int, error) {
	var config models.Config
	if err := json.Unmarshal(c.Config, &config); err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	data, rows, err := openCellData(w, c, config, e)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("data set %s/%s is not prepared in this workspace", c.Dataset, c.Variant)
	}
	return data, rows, err
}

// formerProjection returns whose points a folder holds.
func formerProjection(dir string) (string, error) {
	path := filepath.Join(dir, export.ProjectorConfig)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	owner := export.ProjectorOwner(string(text))
	if owner == "" {
		return "", errors.New(export.ProjectorConfig + " names no tensor")
	}
	return owner, nil
}
