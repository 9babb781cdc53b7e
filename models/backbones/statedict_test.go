package backbones

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/gopickle/pytorch"
)

func TestContiguous(t *testing.T) {
	data := []float32{0, 1, 2, 3, 4, 5, 6, 7}
	cases := []struct {
		name    string // the reason for the case
		view    pytorch.Tensor
		want    []float32 // nil: an error
		wantDim []int
	}{
		{"row-major", pytorch.Tensor{Size: []int{2, 3}, Stride: []int{3, 1}}, []float32{0, 1, 2, 3, 4, 5}, []int{2, 3}},
		{"transposed, as the published file's kernels are", pytorch.Tensor{Size: []int{2, 3}, Stride: []int{1, 2}}, []float32{0, 2, 4, 1, 3, 5}, []int{2, 3}},
		{"an offset", pytorch.Tensor{StorageOffset: 5, Size: []int{3}, Stride: []int{1}}, []float32{5, 6, 7}, []int{3}},
		{"a broadcast axis", pytorch.Tensor{Size: []int{2, 2}, Stride: []int{0, 1}}, []float32{0, 1, 0, 1}, []int{2, 2}},
		{"past the end", pytorch.Tensor{StorageOffset: 6, Size: []int{3}, Stride: []int{1}}, nil, nil},
		{"before the start", pytorch.Tensor{StorageOffset: -1, Size: []int{3}, Stride: []int{1}}, nil, nil},
		{"a negative stride", pytorch.Tensor{StorageOffset: 4, Size: []int{3}, Stride: []int{-1}}, nil, nil},
		{"sizes and strides that differ in number", pytorch.Tensor{Size: []int{3}, Stride: []int{1, 1}}, nil, nil},
		{"a product that overflows", pytorch.Tensor{Size: []int{1 << 30, 1 << 30, 1 << 30}, Stride: []int{0, 0, 0}}, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := copyRowMajor(data, &c.view)
			if c.want == nil {
				if err == nil {
					t.Fatalf("no error, got %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if values := tensors.MustCopyFlatData[float32](got); !slices.Equal(values, c.want) || !slices.Equal(got.Shape().Dimensions, c.wantDim) {
				t.Errorf("%v %v, want %v %v", got.Shape(), values, c.wantDim, c.want)
			}
		})
	}
}
