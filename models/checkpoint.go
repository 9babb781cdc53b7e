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

// ErrNoCheckpoint says that a folder holds no checkpoint.
var ErrNoCheckpoint = errors.New("no checkpoint")

// inScope reports whether a variable is a parameter in the given top scope.
func inScope(v *model.Variable, scope string) bool {
	return strings.HasPrefix(v.Scope(), "/"+scope+"/") || v.Scope() == "/"+scope
}

// isMoment reports whether a variable is a moment of Adam, not a parameter of the model.
func isMoment(v *model.Variable) bool {
	return strings.HasPrefix(v.Scope(), firstMoment+"/") || strings.HasPrefix(v.Scope(), secondMoment+"/")
}

// Save writes the model's state into the folder dir, which holds checkpoints of this model alone,
// and removes all but the last two. After the last step it leaves out the moments of Adam and keeps
// that checkpoint alone.
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
		// Load passed over a checkpoint of a later step because it is broken.
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

// write writes the model's state at its present step, with the moments of Adam if moments is set.
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

// A checkpointFile is the path and the step of a checkpoint.
type checkpointFile struct {
	path string
	step int
}

// checkpoints returns the checkpoint files of a folder, the newest first. A missing folder holds
// none.
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

// Load continues from the newest whole checkpoint in dir. A broken checkpoint, which has a changed
// byte or no seal, is named in skipped, and Load tries the one before it. If none is whole, the
// error is ErrNoCheckpoint. A whole checkpoint that another configuration or another version of the
// computation wrote is an error that says what differs; Train returns such an error if the training
// data differs. The model must not have taken a step.
func (m *Model) Load(dir string) (skipped []error, err error) {
	return m.LoadWhere(dir, func(int) error { return nil })
}

// LoadWhere does the same as Load with the checkpoints of usable steps. A checkpoint for whose step
// usable returns an error is passed over as a broken one is, and the error named in skipped.
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
