package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bierbench/runs"
)

// LiveEvents is an event file that grows while a cell trains, for a TensorBoard that is watching
// it. It survives a kill: each step is one write, and TensorBoard skips a record that was cut. A
// nil LiveEvents writes nothing.
type LiveEvents struct {
	file *os.File
	cell runs.Cell
	last int // step
}

// eventSession is the field of an Event that holds a SessionLog.
const eventSession = 7

// OpenLiveEvents begins another event file in dir, for a cell that continues its training after a
// step, 0 at the beginning. Later steps in earlier files were lost with the process that wrote
// them: the new file tells TensorBoard to forget them.
func OpenLiveEvents(dir string, c runs.Cell, after int, now time.Time) (*LiveEvents, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	earlier, err := filepath.Glob(filepath.Join(filepath.Clean(dir), "events.out.tfevents.*"))
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	// TensorBoard reads the files in the order of their names.
	name := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%06d.bierbench", len(earlier)+1))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	l := &LiveEvents{file: file, cell: c, last: after}
	settings, err := settingsOf(c)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	head := appendRecord(nil, eventOf(now, 0, eventVersion, []byte("brain.Event:2")))
	head = appendRecord(head, eventOf(now, after+1, eventSession, appendEnum(nil, 1, 1))) // status: start
	summary := appendMessage(nil, 1, textValue("config", settings))
	summary = appendMessage(summary, 1, sessionValue("_hparams_/session_start_info", 3, sessionStart(c, settings)))
	head = appendRecord(head, eventOf(now, after+1, eventSummary, summary))
	if _, err = file.Write(head); err != nil {
		return nil, errors.Join(fmt.Errorf("tensorboard: %w", err), file.Close())
	}
	return l, nil
}

// Step adds the values of a training step.
func (l *LiveEvents) Step(s runs.TrainStep, now time.Time) error {
	if l == nil {
		return nil
	}
	l.last = s.Step
	return l.put(trainingScalars(l.cell, []runs.TrainStep{s}), s.Step, now)
}

// End adds the results in the record of the finished cell, at its last step.
func (l *LiveEvents) End(c runs.Cell, now time.Time) error {
	if l == nil {
		return nil
	}
	for _, v := range selectionScalars(c, nil) {
		if err := l.put([]scalar{v}, v.step, now); err != nil {
			return err
		}
	}
	return l.put(finalScalars(c, []runs.TrainStep{{Step: l.last}}), l.last, now)
}

// put writes the values of one step as one event.
func (l *LiveEvents) put(values []scalar, step int, now time.Time) error {
	var summary []byte
	for _, v := range values {
		summary = appendMessage(summary, 1, scalarValue(v))
	}
	if _, err := l.file.Write(appendRecord(nil, eventOf(now, step, eventSummary, summary))); err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *LiveEvents) Close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
