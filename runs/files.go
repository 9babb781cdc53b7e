package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// recorded returns the path of a file beside the record of a cell, and the SHA-256 that the record
// has of it; empty for an older record.
func (r *Run) recorded(c Cell, name string) (path, digest string, err error) {
	path = filepath.Join(r.CellDir(c.Key), name)
	digest, ok := c.Files[name]
	if ok || c.Files == nil || c.Status != Done {
		return path, digest, nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, "", nil
	}
	return path, "", fmt.Errorf("%s: the record of the cell does not know the file", path)
}

// record keeps the SHA-256 of a file beside the record of a cell.
func (c *Cell) record(name, digest string) {
	if c.Files == nil {
		c.Files = map[string]string{}
	}
	c.Files[name] = digest
}

// WriteEmbeddings writes the embeddings of a cell and keeps their SHA-256 in c, which is not written.
func (r *Run) WriteEmbeddings(c *Cell, e Embeddings) error {
	digest, err := writeEmbeddings(r.EmbeddingsPath(c.Key), e)
	if err == nil {
		c.record(embeddingsFile, digest)
	}
	return err
}

// Embeddings reads the embeddings of a cell, which must be those that its record has the SHA-256 of.
func (r *Run) Embeddings(c Cell) (Embeddings, error) {
	path, digest, err := r.recorded(c, embeddingsFile)
	if err != nil {
		return Embeddings{}, fmt.Errorf("read embeddings: %w", err)
	}
	return readEmbeddings(path, digest)
}

// WriteQueries writes the queries of a cell on a protocol and keeps their SHA-256 in c, which is not
// written.
func (r *Run) WriteQueries(c *Cell, protocol string, queries []Query) error {
	digest, err := writeQueries(r.QueriesPath(c.Key, protocol), queries)
	if err == nil {
		c.record(queriesFile(protocol), digest)
	}
	return err
}

// Queries reads the queries of a cell on a protocol, which must be those that its record has the
// SHA-256 of.
func (r *Run) Queries(c Cell, protocol string) ([]Query, error) {
	path, digest, err := r.recorded(c, queriesFile(protocol))
	if err != nil {
		return nil, fmt.Errorf("read queries: %w", err)
	}
	return readQueries(path, digest)
}

// Steps reads the training steps of a cell, nil if there are none. Those of a finished cell must be
// those that its record has the SHA-256 of.
func (r *Run) Steps(c Cell) ([]TrainStep, error) {
	path, digest, err := r.recorded(c, stepsFile)
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	if c.Status != Done {
		digest = "" // the file grows
	}
	steps, err := readLines[TrainStep](path, digest)
	if err == nil && steps == nil && digest != "" {
		return nil, fmt.Errorf("read steps: %s: %w", path, fs.ErrNotExist)
	}
	return steps, err
}

// SealFiles keeps in c, which is not written, the SHA-256 of its training steps and of its embeddings
// as they are now, where c has none of them.
func (r *Run) SealFiles(c *Cell) error {
	for _, name := range []string{stepsFile, embeddingsFile} {
		if c.Files[name] != "" {
			continue
		}
		f, err := openRegular(filepath.Join(r.CellDir(c.Key), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("seal cell %s: %w", c.Path(), err)
		}
		digest, err := fileDigest(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("seal cell %s: %w", c.Path(), err)
		}
		c.record(name, digest)
	}
	return nil
}

// earlierBuilds returns the commits of the earlier attempts of a cell that other builds made.
func earlierBuilds(c Cell) string {
	var builds string
	for _, e := range c.Earlier {
		if builds != "" {
			builds += ", "
		}
		builds += e.Commit + " on " + e.Backend
	}
	return builds
}
