package models

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/backbones"
	"bierbench/models/internal/sealed"
)

// A finetuned model's exported backbone is the model's, in the layout that the
// card states.
func TestExportedBackboneIsTheModels(t *testing.T) {
	c := DefaultConfig(Finetune)
	c.Backbone, c.Input, c.Size, c.Learners = "convnet", 16, 6, []int{2, 4}
	c.Classes, c.Images, c.Steps, c.BackboneRate = 3, 2, 2, 1e-3
	data := TrainData{Workers: 1, Pixels: func(i int, _ PixelRandom, dst []uint8) error {
		for j := range dst {
			dst[j] = uint8(31*i + j*j)
		}
		return nil
	}}
	for i := range 12 {
		data.Classes = append(data.Classes, int32(i/3))
	}
	m, _, path := exportTrained(t, c, data)
	got, _, err := sealed.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := 2
	for v := range m.store.IterVariables() {
		if !inScope(v, backbones.Scope) || isMoment(v) {
			continue
		}
		want++
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float32](value)
		block := strings.TrimPrefix(v.Scope(), "/backbone/")
		if v.Name() == "bias" {
			if !slices.Equal(tensors.MustCopyFlatData[float32](got[block+".bias"]), flat) {
				t.Errorf("%s.bias is not the model's", block)
			}
			continue
		}
		kernel, dims := tensors.MustCopyFlatData[float32](got[block+".weight"]), value.Shape().Dimensions
		h, w, in, out := dims[0], dims[1], dims[2], dims[3]
		if !slices.Equal(got[block+".weight"].Shape().Dimensions, []int{out, in, h, w}) {
			t.Fatalf("%s.weight has shape %s, want %v", block, got[block+".weight"].Shape(), []int{out, in, h, w})
		}
		for y := range h {
			for x := range w {
				for i := range in {
					for o := range out {
						if kernel[((o*in+i)*h+y)*w+x] != flat[((y*w+x)*in+i)*out+o] {
							t.Fatalf("%s.weight[%d,%d,%d,%d] is not the model's", block, o, i, y, x)
						}
					}
				}
			}
		}
	}
	if len(got) != want || want != 2+2*4 { // convnet has four blocks
		t.Errorf("%d tensors exported, the model has %d", len(got), want)
	}
}
