package runs

import (
	"bytes"
	"fmt"
	"path/filepath"
)

// initialisationFile is the name of the file in a cell's folder.
const initialisationFile = "initialisation.jsonl"

// Initialisation says how the optimisation of the embedding matrices before training ended. Its
// curve is in the cell's initialisation.jsonl.
type Initialisation struct {
	Loss      string     `json:"loss"`   // activation or adversarial
	Images    int        `json:"images"` // the number used
	Steps     int        `json:"steps"`  // taken
	Converged bool       `json:"converged"`
	First     float64    `json:"first"`   // loss before the first step
	Last      float64    `json:"last"`    // loss after the last
	Pairs     [2]float64 `json:"pairs"`   // sum of the terms of all pairs of learners, first and last
	Norms     [2]float64 `json:"norms"`   // sum of the matrices' unit-norm constraints, first and last
	Seconds   float64    `json:"seconds"` // spent on it
}

// InitialStep is one line of initialisation.jsonl: the loss after so many steps.
type InitialStep struct {
	Step       int         `json:"step"`                 // 0 is before the first
	Loss       float64     `json:"loss"`                 // sum of pairs + initial_lambda_w (sum of norms + regressors)
	Pairs      []float64   `json:"pairs"`                // terms of the pairs of learners 01, 02, ..., 12, ...
	Norms      []float64   `json:"norms"`                // unit-norm constraint of each learner's matrix
	Regressors float64     `json:"regressors,omitempty"` // sum of the constraints of the adversarial loss's regressors
	Seconds    float64     `json:"seconds"`              // since the initialisation began
	End        *InitialEnd `json:"end,omitempty"`        // of the last line alone
}

// InitialEnd says how an initialisation ended.
type InitialEnd struct {
	Images    int  `json:"images"`    // the number used
	Converged bool `json:"converged"` // false: it took all its steps
}

// InitialisationPath returns the file of a cell's initialisation.
func (r *Run) InitialisationPath(k Key) string {
	return filepath.Join(r.CellDir(k), initialisationFile)
}

// WriteInitialisation writes initialisation.jsonl. steps are all steps; the last one has an End.
func WriteInitialisation(path string, steps []InitialStep) error {
	if len(steps) == 0 || steps[len(steps)-1].End == nil {
		return fmt.Errorf("write %s: %d steps without an end", path, len(steps))
	}
	var lines bytes.Buffer
	for _, s := range steps {
		line, err := checkedLine(s)
		if err != nil {
			return fmt.Errorf("write %s: step %d: %w", path, s.Step, err)
		}
		lines.Write(line)
	}
	return WriteFile(path, lines.Bytes(), 0o644)
}

// ReadInitialisation reads initialisation.jsonl. The file is written whole, so a cut or missing
// line is an error.
func ReadInitialisation(path string) ([]InitialStep, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read initialisation: %w", err)
	}
	var steps []InitialStep
	for line := range bytes.Lines(data) {
		var s InitialStep
		if err := parseLine(bytes.TrimSuffix(line, []byte("\n")), &s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, len(steps)+1, err)
		}
		if s.Step != len(steps) {
			return nil, fmt.Errorf("%s:%d: step %d, want %d", path, len(steps)+1, s.Step, len(steps))
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 || steps[len(steps)-1].End == nil {
		return nil, fmt.Errorf("%s:%d: no end after the last step", path, len(steps))
	}
	return steps, nil
}

// InitialisationOf returns the summary of an initialisation by a loss for the cell's record. steps
// are all steps; the last one has an End.
func InitialisationOf(loss string, steps []InitialStep) *Initialisation {
	first, last := steps[0], steps[len(steps)-1]
	return &Initialisation{
		Loss: loss, Images: last.End.Images, Steps: last.Step, Converged: last.End.Converged,
		First: first.Loss, Last: last.Loss, Seconds: last.Seconds,
		Pairs: [2]float64{totalOf(first.Pairs), totalOf(last.Pairs)},
		Norms: [2]float64{totalOf(first.Norms), totalOf(last.Norms)},
	}
}

// totalOf returns the sum of values.
func totalOf(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}
