package xla

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOutOfMemory says that a device's memory does not hold a computation.
var ErrOutOfMemory = errors.New("out of memory on the device")

// A memoryError is an allocator's error, with what did not fit and what helps.
type memoryError struct {
	what, advice string
	cause        error
}

func (e *memoryError) Error() string {
	// The plugin's own words follow the description of what was being done, and may list
	// allocations for pages.
	cause := e.cause.Error()
	if at := strings.Index(cause, pluginError); at >= 0 {
		cause = cause[at:]
	}
	cause, _, _ = strings.Cut(cause, "\n")
	return fmt.Sprintf("%v with %s: %s (%s)", ErrOutOfMemory, e.what, e.advice, cause)
}

func (e *memoryError) Unwrap() []error { return []error{ErrOutOfMemory, e.cause} }

// pluginError begins the message of a PJRT plugin.
const pluginError = "PJRT error (code="

// isOutOfMemory reports whether an error comes from the device's allocator. The binding passes a
// plugin's status on as text: code 8 is RESOURCE_EXHAUSTED
// (https://github.com/openxla/xla/blob/main/xla/pjrt/c/pjrt_c_api.h, PJRT_Error_Code). Libraries
// below XLA have their own words, under any code.
func isOutOfMemory(err error) bool {
	text := err.Error()
	for _, sign := range []string{
		pluginError + "8)", "RESOURCE_EXHAUSTED", "Out of memory", "OUT_OF_MEMORY", "out of memory",
		"CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED",
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// ExplainOutOfMemory adds to an allocator's error what did not fit and what helps; the result is an
// ErrOutOfMemory. Other errors, and nil, stay as they are.
func ExplainOutOfMemory(err error, what, advice string) error {
	if err == nil || !isOutOfMemory(err) {
		return err
	}
	return &memoryError{what, advice, err}
}

// ExplainForwardOutOfMemory does the same for a batch of a computation without gradients, whose
// size is not a setting.
func ExplainForwardOutOfMemory(err error, what string) error {
	return ExplainOutOfMemory(err, what, "end other programs on the device, share the batch among more devices, or lower input")
}
