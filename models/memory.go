package models

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOutOfMemory says that a device's memory does not hold a computation.
var ErrOutOfMemory = errors.New("out of memory on the device")

// memoryError is an allocator's error with what it was about and what helps.
type memoryError struct {
	what, advice string
	cause        error
}

func (e *memoryError) Error() string {
	// The allocator may append pages on what it holds.
	cause, _, _ := strings.Cut(e.cause.Error(), "\n")
	return fmt.Sprintf("%v with %s: %s (%s)", ErrOutOfMemory, e.what, e.advice, cause)
}

func (e *memoryError) Unwrap() []error { return []error{ErrOutOfMemory, e.cause} }

// isOutOfMemory reports whether an error is the device's allocator's. PJRT
// hands XLA's status on as a text: its code, or what allocators without a code
// say.
func isOutOfMemory(err error) bool {
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"resource_exhausted", "resource exhausted", "out of memory", "failed to allocate", "bad_alloc"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// explainMemory tells of a training step that ran out of memory how large its
// batch is and what makes it smaller. Other errors stay as they are.
func (c Config) explainMemory(err error, devices int) error {
	if err == nil || !isOutOfMemory(err) {
		return err
	}
	batch := c.Classes * c.Images
	what := fmt.Sprintf("a batch of %d images (%d classes x %d)", batch, c.Classes, c.Images)
	advice := "lower classes or images"
	if c.Mode == Finetune {
		what += fmt.Sprintf(" of %dx%d", c.Input, c.Input)
		if c.chunks() > 1 {
			what += fmt.Sprintf(" in %d chunks", c.chunks())
		}
		for n := c.chunks() + 1; n <= batch; n++ {
			if batch%(n*max(devices, 1)) == 0 {
				advice += fmt.Sprintf(", or set accumulate: %d", n)
				break
			}
		}
	}
	return &memoryError{what, advice, err}
}

// explainForwardMemory does the same for a batch that is only taken forward,
// whose size is no setting.
func explainForwardMemory(err error, what string) error {
	if err == nil || !isOutOfMemory(err) {
		return err
	}
	return &memoryError{what, "end other programs on the device, share the batch among more devices, or lower input", err}
}
