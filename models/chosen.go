package models

import (
	"fmt"
	"os"
	"slices"

	"bierbench/models/internal/sealed"
)

// A chosen model is kept in a folder of its own, in a file like the checkpoint after the last step:
// every variable of the model without the moments of Adam, sealed, with the metadata of its step.

// SaveChosen writes the model, as it is at its present step, into a folder of chosen models.
func (m *Model) SaveChosen(dir string) error {
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = m.write(checkpointPath(dir, m.Step), false)
	}
	if err == nil {
		err = sealed.RemoveLeftovers(dir, checkpointPrefix)
	}
	if err != nil {
		return fmt.Errorf("save chosen model: %w", err)
	}
	return nil
}

// KeepChosen removes all chosen models from the folder except those of the given steps.
func KeepChosen(dir string, steps ...int) error {
	found, err := checkpoints(dir)
	if err != nil {
		return fmt.Errorf("keep chosen model: %w", err)
	}
	for _, c := range found {
		if slices.Contains(steps, c.step) {
			continue
		}
		if err := os.Remove(c.path); err != nil {
			return fmt.Errorf("keep chosen model: %w", err)
		}
	}
	return nil
}

// CheckChosen returns an error if the chosen model of a step is missing or has a changed byte.
func CheckChosen(dir string, step int) (err error) {
	path := checkpointPath(dir, step)
	f, err := sealed.Open(path)
	if err != nil {
		return fmt.Errorf("chosen model: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err = sealed.Check(f); err != nil {
		return fmt.Errorf("chosen model: %s: %w", path, err)
	}
	return nil
}

// LoadChosen sets the model's variables to those of the chosen model of a step. The model can then
// embed images and has the digest of that step. It must not be trained further, because Adam's
// moments, Step and Seconds stay those of the training.
func (m *Model) LoadChosen(dir string, step int) error {
	path := checkpointPath(dir, step)
	values, metadata, err := sealed.ReadWith(path, sealed.Check)
	if err != nil {
		return fmt.Errorf("load chosen model: %w", err)
	}
	found, _, _, err := m.resumePoint(metadata)
	if err == nil && found != step {
		err = fmt.Errorf("it is of step %d", found)
	}
	if err == nil {
		err = m.setVariables(values, isMoment)
	}
	if err != nil {
		return fmt.Errorf("load chosen model: %s: %w", path, err)
	}
	return nil
}
