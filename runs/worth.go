package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// worthFile is the name of the file beside the record of a cell.
const worthFile = "worth.json"

// Worth is worth.json, which says how well the vectors of a cell retrieve when less is kept of them.
// It has a seal of its own, and is of one file of embeddings.
type Worth struct {
	Schema      int               `json:"schema"`
	Cell        string            `json:"cell"`       // path
	Embeddings  string            `json:"embeddings"` // SHA-256, hex, of embeddings.arrow
	Evaluations []WorthEvaluation `json:"evaluations"`
}

// WorthEvaluation is the worth on one protocol.
type WorthEvaluation struct {
	Protocol string       `json:"protocol"`
	At       string       `json:"at"`     // last, selected or peek, as in the record
	Points   []WorthPoint `json:"points"` // by dimensions, ascending, then by form
}

// WorthPoint is the worth of the first dimensions of a vector in one form.
type WorthPoint struct {
	Dimensions int `json:"dimensions"`
	// Learners is how many whole learners of an ensemble the dimensions are; 0 where they end inside
	// one, or where there is no ensemble.
	Learners int `json:"learners,omitempty"`
	// Form is float32; int8, with one scale for each vector; or bits, the signs.
	Form    string                `json:"form"`
	Bytes   int                   `json:"bytes"`   // of a vector, with its scale
	Metrics map[string]float64    `json:"metrics"` // as in Evaluation
	Bounds  map[string][2]float64 `json:"bounds"`
}

// Worth reads the worth of a cell. It is nil where it was not computed, or was computed of other
// embeddings than the record has.
func (r *Run) Worth(c Cell) (*Worth, error) {
	path := filepath.Join(r.CellDir(c.Key), worthFile)
	var w Worth
	sealed, err := readJSON(path, &w, &w.Schema)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !sealed:
		return nil, fmt.Errorf("%s: it has no seal", path)
	case w.Cell != c.Path():
		return nil, fmt.Errorf("%s: it is of cell %s, want %s", path, w.Cell, c.Path())
	case w.Embeddings == "" || w.Embeddings != c.Files[embeddingsFile]:
		return nil, nil
	}
	return &w, nil
}

// WriteWorth writes the worth of a cell beside its record, which must have the digest of the
// embeddings.
func (r *Run) WriteWorth(c Cell, evaluations []WorthEvaluation) error {
	w := Worth{Schema: Schema, Cell: c.Path(), Embeddings: c.Files[embeddingsFile], Evaluations: evaluations}
	if w.Embeddings == "" {
		return fmt.Errorf("worth of cell %s: its record has no digest of the embeddings", c.Path())
	}
	if err := writeJSON(filepath.Join(r.CellDir(c.Key), worthFile), w); err != nil {
		return fmt.Errorf("worth of cell %s: %w", c.Path(), err)
	}
	return nil
}
