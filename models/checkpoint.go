package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/pkg/ml/context"
)

// A checkpoint is one safetensors file, step-<n>.safetensors, with every
// variable of the model and, before the last step, the moments of Adam. The
// sampler and every random stream are functions of (seed, step), so the step
// in the metadata restores them.
const (
	checkpointPrefix = "step-"
	checkpointSuffix = ".safetensors"
	keepCheckpoints  = 2
)

// ErrNoCheckpoint says that a folder holds none.
var ErrNoCheckpoint = errors.New("no checkpoint")

// inScope reports whether a variable is a parameter in the given top scope.
func inScope(v *context.Variable, scope string) bool {
	return strings.HasPrefix(v.Scope(), "/"+scope+"/") || v.Scope() == "/"+scope
}

// Save writes the model's state and removes all but the last two checkpoints.
// After the last step the moments are left out: what stays is the model.
func (m *Model) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	finished := m.Step >= m.Config.Steps
	var named []NamedTensor
	for v := range m.ctx.IterVariables() {
		if finished && strings.HasPrefix(v.Scope(), "/adam/") {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("save checkpoint: %s: %w", v.ScopeAndName(), err)
		}
		named = append(named, NamedTensor{Name: checkpointName(v), Value: value})
	}
	metadata := map[string]string{
		"step":    strconv.Itoa(m.Step),
		"seconds": strconv.FormatFloat(m.Seconds, 'g', -1, 64),
	}
	path := filepath.Join(dir, fmt.Sprintf("%s%08d%s", checkpointPrefix, m.Step, checkpointSuffix))
	if err := WriteSafetensors(path, named, metadata); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	keep := keepCheckpoints
	if finished {
		keep = 1
	}
	found, err := checkpoints(dir)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	for _, old := range found[min(keep, len(found)):] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("save checkpoint: %w", err)
		}
	}
	return nil
}

func checkpointName(v *context.Variable) string {
	return strings.TrimPrefix(v.Scope()+"/"+v.Name(), "/")
}

// checkpoints returns the checkpoint files of a folder, the newest first.
func checkpoints(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, checkpointPrefix+"*"+checkpointSuffix))
	slices.Sort(found)
	slices.Reverse(found)
	return found, err
}

// Load continues from the newest whole checkpoint in dir; a broken one is
// passed over for the one before it and named in skipped. It returns
// ErrNoCheckpoint when none is whole. The model must be fresh.
func (m *Model) Load(dir string) (skipped []error, err error) {
	found, err := checkpoints(dir)
	if err != nil {
		return nil, fmt.Errorf("load checkpoint: %w", err)
	}
	for _, path := range found {
		if err := m.loadFile(path); err != nil {
			skipped = append(skipped, fmt.Errorf("load checkpoint: %w", err))
			continue
		}
		return skipped, nil
	}
	return skipped, fmt.Errorf("load checkpoint: %s: %w", dir, ErrNoCheckpoint)
}

func (m *Model) loadFile(path string) error {
	values, metadata, err := ReadSafetensors(path)
	if err != nil {
		return err
	}
	step, err := strconv.Atoi(metadata["step"])
	if err != nil {
		return fmt.Errorf("%s: step: %w", path, err)
	}
	seconds, err := strconv.ParseFloat(metadata["seconds"], 64)
	if err != nil {
		return fmt.Errorf("%s: seconds: %w", path, err)
	}
	if step < m.Config.Steps {
		m.trainable() // creates the moments that the file must hold
	}
	for v := range m.ctx.IterVariables() {
		value, ok := values[checkpointName(v)]
		if !ok {
			return fmt.Errorf("%s: tensor %s is missing", path, checkpointName(v))
		}
		if !value.Shape().Equal(v.Shape()) {
			return fmt.Errorf("%s: tensor %s: want shape %s, got %s", path, checkpointName(v), v.Shape(), value.Shape())
		}
	}
	for v := range m.ctx.IterVariables() {
		if err := v.SetValue(values[checkpointName(v)]); err != nil {
			return fmt.Errorf("%s: tensor %s: %w", path, checkpointName(v), err)
		}
	}
	m.Step, m.Seconds = step, seconds
	return nil
}
