package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// StepLog appends to train.jsonl. It keeps the file open: a small step takes no
// longer than opening a file.
type StepLog struct{ file *os.File }

// OpenSteps opens train.jsonl to go on after a step, 0 for a training that
// begins. Lines of later steps are dropped, when training continues from a
// checkpoint that is older than the last line, and so is a line that an earlier
// process left unfinished.
func OpenSteps(path string, last int) (*StepLog, error) {
	if err := keepSteps(path, last); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open steps: %w", err)
	}
	return &StepLog{f}, nil
}

// Append adds a line.
func (l *StepLog) Append(step TrainStep) error {
	line, err := json.Marshal(step)
	if err != nil {
		return fmt.Errorf("append step %d to %s: %w", step.Step, l.file.Name(), err)
	}
	// One write: a kill leaves a cut line at most.
	if _, err = l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("append step %d: %w", step.Step, err)
	}
	return nil
}

// Close closes the file.
func (l *StepLog) Close() error { return l.file.Close() }

// ReadSteps reads train.jsonl; nil if there is none. A last line without its
// newline was cut by a kill and is ignored.
func ReadSteps(path string) ([]TrainStep, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	return parseSteps(path, data)
}

func parseSteps(path string, data []byte) ([]TrainStep, error) {
	var steps []TrainStep
	for n := 1; ; n++ {
		line, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			return steps, nil
		}
		data = rest
		var s TrainStep
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		steps = append(steps, s)
	}
}

// keepSteps rewrites the file without the lines after a step and without an
// unfinished one, where there are such lines.
func keepSteps(path string, last int) error {
	before, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep steps: %w", err)
	}
	steps, err := parseSteps(path, before)
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	for _, s := range steps {
		if s.Step > last {
			continue
		}
		line, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("keep steps of %s: %w", path, err)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	if bytes.Equal(kept.Bytes(), before) {
		return nil
	}
	return writeFile(path, func(f *os.File) error {
		_, err := f.Write(kept.Bytes())
		return err
	})
}
