package models

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// What allocators say, through go-xla and GoMLX, and what is none of theirs.
func TestIsOutOfMemory(t *testing.T) {
	const through = `failed to execute graph "Exec#0": Graph failed to execute: backend "xla": failed to execute computation "Exec#0": `
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"XLA:CPU, as TestOutOfMemory provokes it", through + "PJRT error (code=8): Out of memory allocating 17592186044416 bytes.", true},
		{"XLA:GPU, github.com/patrickbryant1/AFProfile/issues/8", "PJRT error (code=8): Out of memory while trying to allocate 4770354232 bytes.\nBufferAssignment OOM Debugging.", true},
		{"XLA:GPU, the word before 2021, github.com/jax-ml/jax/issues/788", "Resource exhausted: Out of memory while trying to allocate 5520758552 bytes.", true},
		{"XLA:GPU on a transfer, github.com/google-deepmind/jax_privacy/issues/10", "PJRT error (code=8): Failed to allocate request for 176.00MiB (184549376B) on device ordinal 0", true},
		{"the status inside another, github.com/pytorch/xla/issues/9524", "PJRT error (code=13): Bad StatusOr access: RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory", true},
		{"the driver's own word", "PJRT error (code=13): Failed call to cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY", true},
		{"cuDNN has no workspace", "PJRT error (code=13): CUDNN_STATUS_ALLOC_FAILED", true},
		{"a program that cannot be compiled", "PJRT error (code=3): Expected the same shape", false},
		{"no code 8", "PJRT error (code=88): unknown", false},
		{"a full disk", "write step-00000001.safetensors: no space left on device", false},
	} {
		if got := isOutOfMemory(errors.New(tt.text)); got != tt.want {
			t.Errorf("%s: %t, want %t: %s", tt.name, got, tt.want, tt.text)
		}
	}
}

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
		if !errors.Is(err, ErrOutOfMemory) || !errors.Is(err, cause) {
			t.Errorf("%s: the error is not ErrOutOfMemory, or lost its cause", tt.name)
		}
	}
	other := errors.New("PJRT error (code=3): shapes differ")
	if err := finetune.explainMemory(other, 1); !errors.Is(err, other) || errors.Is(err, ErrOutOfMemory) {
		t.Errorf("another error became %v", err)
	}
}

// A result of more bytes than there are addresses, 16 Mi x 16 Mi float32, is
// refused by the allocator itself; nothing is ever held.
func TestOutOfMemory(t *testing.T) {
	for _, devices := range []int{1, 2} {
		p, err := onDevices(t, devices).program(model.NewStore(), func(_ *model.Scope, inputs []*Node) []*Node {
			square := shapes.Make(dtypes.Float32, 16<<20, 16<<20)
			return []*Node{Sin(Mul(Iota(inputs[0].Graph(), square, 0), inputs[0]))}
		}, sharded, replicated)
		if err != nil {
			t.Fatal(err)
		}
		defer p.free()
		_, err = p.run(float32(1))
		explained := DefaultConfig(Finetune).explainMemory(err, devices)
		if !errors.Is(explained, ErrOutOfMemory) {
			t.Errorf("%d devices: %v", devices, err)
		}
		t.Log(explained)
	}
}
