package xla

import (
	"errors"
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

// A result of more bytes than there are addresses, 16 Mi x 16 Mi float32, is
// refused by the allocator itself; nothing is ever held.
func TestOutOfMemory(t *testing.T) {
	for _, devices := range []int{1, 2} {
		p, err := testBackend(t, devices).Program(model.NewStore(), func(_ *model.Scope, inputs []*Node) []*Node {
			square := shapes.Make(dtypes.Float32, 16<<20, 16<<20)
			return []*Node{Sin(Mul(Iota(inputs[0].Graph(), square, 0), inputs[0]))}
		}, Sharded, Replicated)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Free()
		_, err = p.Run(float32(1))
		explained := ExplainOutOfMemory(err, "one product", "make it smaller")
		if !errors.Is(explained, ErrOutOfMemory) {
			t.Errorf("%d devices: %v", devices, err)
		}
		t.Log(explained)
	}
}
