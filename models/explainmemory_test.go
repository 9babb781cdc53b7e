package models

import (
	"errors"
	"fmt"
	"testing"

	"bierbench/models/xla"
)

func TestExplainMemory(t *testing.T) {
	cause := fmt.Errorf("failed to execute graph: %s", "PJRT error (code=8): Out of memory while trying to allocate 4770354232 bytes.\nBufferAssignment stats:")
	const why = " (PJRT error (code=8): Out of memory while trying to allocate 4770354232 bytes.)"
	finetune, frozen := DefaultConfig(Finetune), DefaultConfig(Frozen)
	chunked := func(n int) Config { c := finetune; c.Accumulate = n; return c }
	for _, tt := range []struct {
		name    string
		c       Config
		devices int
		want    string
	}{
		{"the first divisor of 32", finetune, 1, "a batch of 32 images (8 classes x 4) of 224x224: lower classes or images, or set accumulate: 2"},
		{"the next one", chunked(2), 1, "a batch of 32 images (8 classes x 4) of 224x224 in 2 chunks: lower classes or images, or set accumulate: 4"},
		{"what four devices can share", chunked(8), 4, "a batch of 32 images (8 classes x 4) of 224x224 in 8 chunks: lower classes or images"},
		{"no smaller chunk", chunked(32), 1, "a batch of 32 images (8 classes x 4) of 224x224 in 32 chunks: lower classes or images"},
		{"a frozen backbone is not in the step", frozen, 1, "a batch of 60 images (12 classes x 5): lower classes or images"},
	} {
		err := tt.c.explainMemory(cause, tt.devices)
		if got, want := err.Error(), "out of memory on the device with "+tt.want+why; got != want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, want)
		}
		if !errors.Is(err, xla.ErrOutOfMemory) || !errors.Is(err, cause) {
			t.Errorf("%s: the error is not ErrOutOfMemory, or lost its cause", tt.name)
		}
	}
	other := errors.New("PJRT error (code=3): shapes differ")
	if err := finetune.explainMemory(other, 1); !errors.Is(err, other) || errors.Is(err, xla.ErrOutOfMemory) {
		t.Errorf("another error became %v", err)
	}
}
