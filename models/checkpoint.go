package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/sealed"
)

// A checkpoint is one sealed safetensors file, step-<n>.safetensors, with every
// variable of the model and, before the last step, the moments of Adam. Its
// metadata says what it belongs to and how training goes on: see resume.go.
const (
	checkpointPrefix = "step-"
	checkpointSuffix = ".safetensors"
	keepCheckpoints  = 2
)

// ErrNoCheckpoint says that a folder holds none.
var ErrNoCheckpoint = errors.New("no checkpoint")

// inScope reports whether a variable is a parameter in the given top scope.
func inScope(v *model.Variable, scope string) bool {
	return strings.HasPrefix(v.Scope(), "/"+scope+"/") || v.Scope() == "/"+scope
}

// isMoment reports whether a variable is Adam's, no parameter of the model.
func isMoment(v *model.Variable) bool {
	return strings.HasPrefix(v.Scope(), firstMoment+"/") || strings.HasPrefix(v.Scope(), secondMoment+"/")
}

// Save writes the model's state and removes all but the last two checkpoints.
// After the last step the moments are left out: what stays is the model. The
// folder is the model's alone.
func (m *Model) Save(dir string) error {
	if err := m.save(dir); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

func (m *Model) save(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	finished := m.Step >= m.Config.Steps
	if err := m.write(checkpointPath(dir, m.Step), !finished); err != nil {
		return err
	}
	if err := sealed.RemoveLeftovers(dir, checkpointPrefix); err != nil {
		return err
	}
	found, err := checkpoints(dir)
	if err != nil {
		return err
	}
	keep := keepCheckpoints
	if finished {
		keep = 1
	}
	for _, c := range found {
		// One of a later step was passed over because it is broken.
		if c.step <= m.Step && keep > 0 {
			keep--
			continue
		}
		if err := os.Remove(c.path); err != nil {
			return err
		}
	}
	return nil
}

// write writes the model's state at its present step, with the moments of Adam
// where training goes on.
func (m *Model) write(path string, moments bool) error {
	var named []sealed.NamedTensor
	for v := range m.store.IterVariables() {
		if isScratchVariable(v) || !moments && isMoment(v) {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("%s: %w", v.Path(), err)
		}
		named = append(named, sealed.NamedTensor{Name: checkpointName(v), Value: value})
	}
	metadata, err := m.metadata()
	if err != nil {
		return err
	}
	metadata[sealed.Field] = sealed.Placeholder()
	return sealed.WriteWith(path, named, metadata, sealed.Seal)
}

func checkpointPath(dir string, step int) string {
	return filepath.Join(dir, fmt.Sprintf("%s%08d%s", checkpointPrefix, step, checkpointSuffix))
}

func checkpointName(v *model.Variable) string {
	return strings.TrimPrefix(v.Scope()+"/"+v.Name(), "/")
}

// checkpointFile is the name of a checkpoint.
type checkpointFile struct {
	path string
	step int
}

// checkpoints returns the checkpoint files of a folder, the newest first.
// A folder that is not there holds none.
func checkpoints(dir string) ([]checkpointFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []checkpointFile
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), checkpointPrefix)
		digits, whole := strings.CutSuffix(digits, checkpointSuffix)
		if step, err := strconv.Atoi(digits); ok && whole && err == nil {
			found = append(found, checkpointFile{filepath.Join(dir, e.Name()), step})
		}
	}
	slices.SortFunc(found, func(a, b checkpointFile) int { return b.step - a.step })
	return found, nil
}

// Load continues from the newest whole checkpoint in dir. A broken one, of
// which any byte is not as it was written or which has no seal, is passed over
// for the one before it and named in skipped. It returns ErrNoCheckpoint when
// none is whole. A whole one that another configuration or another version of
// the computation wrote is an error that says what differs; Train returns one
// where the training data is another. The model must be fresh.
func (m *Model) Load(dir string) (skipped []error, err error) {
	return m.LoadWhere(dir, func(int) error { return nil })
}

// LoadWhere is Load of checkpoints of usable steps: another is passed over as a
// broken one is, for the reason that usable gives.
func (m *Model) LoadWhere(dir string, usable func(step int) error) (skipped []error, err error) {
	found, err := checkpoints(dir)
	if err != nil {
		return nil, fmt.Errorf("load checkpoint: %w", err)
	}
	for _, c := range found {
		if err := usable(c.step); err != nil {
			skipped = append(skipped, fmt.Errorf("load checkpoint: %s: %w", c.path, err))
			continue
		}
		values, metadata, err := sealed.ReadWith(c.path, sealed.Check)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("load checkpoint: %w", err))
			continue
		}
		if err = m.resume(values, metadata); err != nil {
			return skipped, fmt.Errorf("load checkpoint: %s: %w", c.path, err)
		}
		return skipped, nil
	}
	return skipped, fmt.Errorf("load checkpoint: %s: %w", dir, ErrNoCheckpoint)
}
