package backbones

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"

	"bierbench/models/internal/sealed"
)

// readStateDict reads the float32 tensors of a PyTorch state dict (.pth) by name. Tensors of other
// types, and values that are not tensors, are left out.
func readStateDict(path string) (map[string]*tensors.Tensor, error) {
	loaded, err := loadPickle(path)
	if err != nil {
		return nil, fmt.Errorf("%s: read state dict: %w", path, err)
	}
	values := make(map[string]*tensors.Tensor)
	add := func(key, value any) error {
		name, isName := key.(string)
		source, isTensor := value.(*pytorch.Tensor)
		if !isName || !isTensor {
			return nil
		}
		storage, isFloat := source.Source.(*pytorch.FloatStorage)
		if !isFloat {
			return nil
		}
		t, err := copyRowMajor(storage.Data, source)
		if err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, name, err)
		}
		values[name] = t
		return nil
	}
	switch dict := loaded.(type) {
	case *types.OrderedDict:
		for key, entry := range dict.Map {
			if err := add(key, entry.Value); err != nil {
				return nil, err
			}
		}
	case *types.Dict:
		for _, entry := range *dict {
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("%s: holds a %T, want a state dict", path, loaded)
	}
	return values, nil
}

// loadPickle calls the unpickler, which panics on some files that it does not understand and never
// returns from an empty one. So it checks the file's first bytes before: PyTorch writes a ZIP
// archive or, in older versions, a pickled magic number.
func loadPickle(path string) (value any, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	magic := make([]byte, 16)
	n, err := io.ReadFull(file, magic)
	_ = file.Close()
	if magic = magic[:n]; err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if !bytes.HasPrefix(magic, []byte("PK\x03\x04")) && !bytes.HasPrefix(magic, []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")) {
		return nil, fmt.Errorf("offset 0: not a PyTorch file, got %q", magic)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("not a PyTorch file: %v", v)
		}
	}()
	return pytorch.Load(path)
}

// copyRowMajor copies a view of data, with the strides and offset that source
// states, to a row-major tensor. PyTorch files do hold transposed views.
func copyRowMajor(data []float32, source *pytorch.Tensor) (*tensors.Tensor, error) {
	dims, strides := source.Size, source.Stride
	if len(dims) != len(strides) || len(dims) > sealed.MaxRank {
		return nil, fmt.Errorf("sizes %v and strides %v do not fit", dims, strides)
	}
	count, last := 1, source.StorageOffset
	for i, d := range dims {
		if d < 1 || d > math.MaxInt32 || strides[i] < 0 || strides[i] > len(data) || count > len(data)/d {
			return nil, fmt.Errorf("sizes %v and strides %v do not fit storage of %d", dims, strides, len(data))
		}
		count *= d
		last += (d - 1) * strides[i]
	}
	if source.StorageOffset < 0 || last >= len(data) {
		return nil, fmt.Errorf("sizes %v, strides %v and offset %d do not fit storage of %d", dims, strides, source.StorageOffset, len(data))
	}
	values := make([]float32, count)
	index := make([]int, len(dims))
	for i := range values {
		at := source.StorageOffset
		for axis, n := range index {
			at += n * strides[axis]
		}
		values[i] = data[at]
		for axis := len(dims) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < dims[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}
