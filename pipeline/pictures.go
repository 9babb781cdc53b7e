package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
)

// pictures reads thumbnails from the prepared data sets of a workspace. Each data set is opened at
// its first picture.
type pictures struct {
	dir    string
	albums map[reports.PictureSet]*album
}

// album is an open data set and its rows by id, or the reason why there is none.
type album struct {
	data *datasets.Dataset
	rows map[int64]int
	err  error
}

// newPictures returns the pictures of the workspace's data sets. The caller closes them.
func newPictures(w *workspace.Workspace) *pictures {
	return &pictures{dir: w.DatasetsDir(), albums: map[reports.PictureSet]*album{}}
}

// Close closes the data sets.
func (p *pictures) Close() error {
	var all []error
	for _, a := range p.albums {
		if a.data != nil {
			all = append(all, a.data.Close())
		}
	}
	return errors.Join(all...)
}

// Thumbnail implements reports.Pictures.
func (p *pictures) Thumbnail(set reports.PictureSet, id int64) (*reports.Thumbnail, error) {
	a := p.albums[set]
	if a == nil {
		a = p.open(set)
		p.albums[set] = a
	}
	if a.err != nil {
		return nil, a.err
	}
	row, ok := a.rows[id]
	if !ok {
		return nil, fmt.Errorf("data set %s/%s has no image %d", set.Dataset, set.Variant, id)
	}
	data, width, height, err := a.data.Thumbnail(row, reports.ThumbnailSide, reports.ThumbnailQuality)
	if err != nil {
		return nil, fmt.Errorf("data set %s/%s: %w", set.Dataset, set.Variant, err)
	}
	return &reports.Thumbnail{
		JPEG: data, Width: width, Height: height, Class: a.data.Class(row), ClassName: a.data.ClassName(row),
	}, nil
}

// open opens a data set, which must have the digest of set.
func (p *pictures) open(set reports.PictureSet) *album {
	data, err := datasets.Open(filepath.Join(p.dir, set.Dataset, set.Variant))
	if errors.Is(err, fs.ErrNotExist) {
		return &album{err: fmt.Errorf("no pictures, because data set %s/%s is not prepared in this workspace "+
			"(\"bierbench ingest %s\" prepares it)",
			set.Dataset, set.Variant, set.Dataset)}
	}
	if err != nil {
		return &album{err: fmt.Errorf("no pictures: %w", err)}
	}
	a := &album{data: data, rows: map[int64]int{}}
	if data.Manifest.Digest != set.Digest {
		a.err = fmt.Errorf("no pictures, because data set %s/%s has been prepared again with other content", set.Dataset, set.Variant)
		return a
	}
	for i := range data.Len() {
		a.rows[data.ID(i)] = i
	}
	return a
}
