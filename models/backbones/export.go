package backbones

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/sealed"
)

// Card says what another program needs to know to compute a
// backbone's features.
type Card struct {
	Network string `json:"network"` // in words
	Tensors string `json:"tensors"` // names and layouts in an exported file, in words

	// Channel i of the network's input is (pixel - Mean[i]) * Scale, of the
	// 8-bit pixel's channel Channels[i].
	Channels string     `json:"channels"`
	Mean     [3]float64 `json:"mean"`
	Scale    float64    `json:"scale"`
}

// Publish returns the backbone's tensors among values, the tensors of a checkpoint by name, under
// their published names and in the published layout. A tensor that is missing, unknown or not
// float32 is an error.
func (b Backbone) Publish(values map[string]*tensors.Tensor) ([]sealed.NamedTensor, error) {
	names := b.published()
	for name := range values {
		if own, ok := strings.CutPrefix(name, Scope+"/"); ok && names[own] == "" {
			return nil, fmt.Errorf("tensor %s is not one of %s", name, b.Name)
		}
	}
	var out []sealed.NamedTensor
	for _, own := range slices.Sorted(maps.Keys(names)) {
		t, ok := values[Scope+"/"+own]
		if !ok {
			return nil, fmt.Errorf("tensor %s/%s is missing", Scope, own)
		}
		if t.DType() != dtypes.Float32 {
			return nil, fmt.Errorf("tensor %s/%s: want float32, got %s", Scope, own, t.Shape())
		}
		if strings.HasSuffix(own, "/"+kernelName) {
			var err error
			if t, err = outputsFirst(t); err != nil {
				return nil, fmt.Errorf("tensor %s/%s: %w", Scope, own, err)
			}
		}
		out = append(out, sealed.NamedTensor{Name: names[own], Value: t})
	}
	return out, nil
}

// outputsFirst returns a kernel [h, w, in, out] as [out, in, h, w].
func outputsFirst(kernel *tensors.Tensor) (*tensors.Tensor, error) {
	if kernel.Rank() != 4 {
		return nil, fmt.Errorf("want a kernel of 4 axes, got %s", kernel.Shape())
	}
	dims := kernel.Shape().Dimensions
	taps, in, out := dims[0]*dims[1], dims[2], dims[3]
	moved := make([]float32, kernel.Size())
	err := tensors.ConstFlatData(kernel, func(flat []float32) {
		for tap := range taps {
			for i := range in {
				for o := range out {
					moved[(o*in+i)*taps+tap] = flat[(tap*in+i)*out+o]
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(moved, out, in, dims[0], dims[1]), nil
}
