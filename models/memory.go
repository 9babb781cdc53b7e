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
	// The plugin's own words stand at the end of what was being done, and may
	// go on for pages about what is held.
	cause := e.cause.Error()
	if at := strings.Index(cause, pluginError); at >= 0 {
		cause = cause[at:]
	}
	cause, _, _ = strings.Cut(cause, "\n")
	return fmt.Sprintf("%v with %s: %s (%s)", ErrOutOfMemory, e.what, e.advice, cause)
}

func (e *memoryError) Unwrap() []error { return []error{ErrOutOfMemory, e.cause} }

// pluginError begins what a PJRT plugin says.
const pluginError = "PJRT error (code="

// isOutOfMemory reports whether an error is of the device's allocator. The
// binding hands a plugin's status on as a text: code 8 is RESOURCE_EXHAUSTED
// (https://github.com/openxla/xla/blob/main/xla/pjrt/c/pjrt_c_api.h,
// PJRT_Error_Code). Libraries below XLA have their own words, under any code.
func isOutOfMemory(err error) bool {
	text := err.Error()
	for _, sign := range []string{pluginError + "8)", "RESOURCE_EXHAUSTED", "Out of memory", "OUT_OF_MEMORY", "out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"} {
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
	advice, chunks := "lower classes or images", ""
	if c.Mode == Finetune {
		what += fmt.Sprintf(" of %dx%d", c.Input, c.Input)
		if c.chunks() > 1 {
			what += fmt.Sprintf(" in %d chunks", c.chunks())
		}
		for n := c.chunks() + 1; n <= batch; n++ {
			if batch%(n*max(devices, 1)) == 0 {
				chunks = fmt.Sprintf(", or set accumulate: %d", n)
				break
			}
		}
	}
	return &memoryError{what, advice + chunks, err}
}

// explainForwardMemory does the same for a batch that is only taken forward,
// whose size is no setting.
func explainForwardMemory(err error, what string) error {
	if err == nil || !isOutOfMemory(err) {
		return err
	}
	return &memoryError{what, "end other programs on the device, share the batch among more devices, or lower input", err}
}
