package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// BackboneCard says what another program needs to know to compute a
// backbone's features.
type BackboneCard struct {
	Network string `json:"network"` // in words
	Tensors string `json:"tensors"` // names and layouts in an exported file, in words

	// Channel i of the network's input is (pixel - Mean[i]) * Scale, of the
	// 8-bit pixel's channel Channels[i].
	Channels string     `json:"channels"`
	Mean     [3]float64 `json:"mean"`
	Scale    float64    `json:"scale"`
}

// Card returns the backbone's card.
func (b Backbone) Card() (BackboneCard, error) {
	centered := BackboneCard{Channels: "RGB", Mean: [3]float64{127, 127, 127}, Scale: 1.0 / 128}
	card := centered
	switch b.Name {
	case "googlenet":
		card = BackboneCard{Channels: "BGR", Mean: [3]float64{104, 117, 123}, Scale: 1}
		card.Network = "Caffe's BVLC GoogLeNet up to the mean over positions, without dropout, auxiliary heads and classifier; " +
			"3x3 pools of stride 2 round their output up; local response normalisation of 5 channels, alpha 1e-4, beta 0.75, k 1"
		card.Tensors = "Caffe's names: NAME_filter [out, in, height, width], NAME_bias [out], with slashes in NAME; " +
			"the file can be given to \"bierbench setup --weights googlenet=FILE\""
	case "lite0":
		card.Network = "EfficientNet-Lite0 up to the mean over positions, without classifier; TensorFlow's SAME padding; " +
			"batch normalisation by the running statistics, epsilon 1e-3; ReLU6"
		card.Tensors = "the names of EfficientNet-PyTorch's state dict without _fc and num_batches_tracked: " +
			"kernels [out, in, height, width], of depthwise ones in is 1"
	case "convnet":
		card.Network = "convolutions of stride 2, kernels of 5, 3, 3 and 3 with as much padding as keeps a map's size at stride 1, " +
			"each followed by max(0, x), then the mean over positions"
		card.Tensors = "block_<i>.weight [out, in, height, width] and block_<i>.bias [out]"
	default:
		return BackboneCard{}, fmt.Errorf("backbone %s has no card", b.Name)
	}
	return card, nil
}

// published maps the backbone's variables, by scope and name, to what the
// published weights call them; those of a network without are called as in
// PyTorch.
func (b Backbone) published() (map[string]string, error) {
	names := map[string]string{}
	switch b.Name {
	case "googlenet":
		for _, c := range googlenetConvs() {
			names[c.name+"/"+kernelName] = c.name + "_filter"
			names[c.name+"/"+biasName] = c.name + "_bias"
		}
	case "lite0":
		for _, c := range liteConvs() {
			names[c.scope+"/"+kernelName] = c.conv + ".weight"
			names[c.scope+"/"+gammaName] = c.norm + ".weight"
			names[c.scope+"/"+betaName] = c.norm + ".bias"
			names[c.scope+"/"+meanName] = c.norm + ".running_mean"
			names[c.scope+"/"+varianceName] = c.norm + ".running_var"
		}
	case "convnet":
		for i := range convnetBlocks() {
			block := fmt.Sprintf("block_%d", i)
			names[block+"/"+kernelName] = block + ".weight"
			names[block+"/"+biasName] = block + ".bias"
		}
	default:
		return nil, fmt.Errorf("backbone %s has no names for its tensors in other programs", b.Name)
	}
	return names, nil
}

// publish returns the backbone's tensors of a checkpoint under their published
// names, in the published layout.
func (b Backbone) publish(values map[string]*tensors.Tensor) ([]NamedTensor, error) {
	names, err := b.published()
	if err != nil {
		return nil, err
	}
	for name := range values {
		if own, ok := strings.CutPrefix(name, backboneScope+"/"); ok && names[own] == "" {
			return nil, fmt.Errorf("tensor %s is not one of %s", name, b.Name)
		}
	}
	var out []NamedTensor
	for _, own := range slices.Sorted(maps.Keys(names)) {
		t, ok := values[backboneScope+"/"+own]
		if !ok {
			return nil, fmt.Errorf("tensor %s/%s is missing", backboneScope, own)
		}
		if t.DType() != dtypes.Float32 {
			return nil, fmt.Errorf("tensor %s/%s: want float32, got %s", backboneScope, own, t.Shape())
		}
		if strings.HasSuffix(own, "/"+kernelName) {
			if t, err = outputsFirst(t); err != nil {
				return nil, fmt.Errorf("tensor %s/%s: %w", backboneScope, own, err)
			}
		}
		out = append(out, NamedTensor{names[own], t})
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
