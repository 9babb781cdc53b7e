package backbones

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"

	"bierbench/models/internal/sealed"
)

// A stateDict is the float32 tensors of a PyTorch state dict (.pth) by name. They are views of the
// file's storages; a tensor is copied when it is taken, because all views together may have many
// times the file's size.
type stateDict map[string]*pytorch.Tensor

// readStateDict reads a PyTorch state dict. Tensors of other types, and values that are not tensors,
// are left out.
func readStateDict(file string) (stateDict, error) {
	loaded, err := loadStateDict(file)
	if err != nil {
		return nil, fmt.Errorf("%s: read state dict: %w", file, err)
	}
	views := stateDict{}
	add := func(key, value any) {
		name, isName := key.(string)
		source, isTensor := value.(*pytorch.Tensor)
		if !isName || !isTensor {
			return
		}
		if _, isFloat := source.Source.(*pytorch.FloatStorage); isFloat {
			views[name] = source
		}
	}
	switch dict := loaded.(type) {
	case *types.OrderedDict:
		for key, entry := range dict.Map {
			add(key, entry.Value)
		}
	case *types.Dict:
		for _, entry := range *dict {
			add(entry.Key, entry.Value)
		}
	default:
		return nil, fmt.Errorf("%s: holds a %T, want a state dict", file, loaded)
	}
	return views, nil
}

// tensor returns a copy of a tensor, row-major, and whether it is there.
func (d stateDict) tensor(name string) (t *tensors.Tensor, ok bool, err error) {
	view, ok := d[name]
	if !ok {
		return nil, false, nil
	}
	t, err = copyRowMajor(view.Source.(*pytorch.FloatStorage).Data, view)
	return t, true, err
}

// legacyMagic begins a file of PyTorch before version 1.6: a pickled number.
const legacyMagic = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

// loadStateDict reads what torch.save wrote: a ZIP archive or, in older versions, pickles followed
// by the storages' bytes. Every length in the file is compared with its size before something is
// allocated for it. The unpickler panics on some files that it does not understand.
func loadStateDict(name string) (value any, err error) {
	f, err := sealed.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("not a PyTorch file: %v", v)
		}
	}()
	magic := make([]byte, 16)
	n, err := f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch magic = magic[:n]; {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")):
		return loadArchive(f, info.Size())
	case bytes.HasPrefix(magic, []byte(legacyMagic)):
		return loadLegacy(f, info.Size())
	}
	return nil, fmt.Errorf("offset 0: not a PyTorch file, got %q", magic)
}

// newUnpickler returns an unpickler of a state dict. storage gets the class of a storage, its key and
// the number of its values.
func newUnpickler(r io.Reader, storage func(class pytorch.StorageClassInterface, key string, count int) (pytorch.StorageInterface, error),
) pickle.Unpickler {
	u := pickle.NewUnpickler(r)
	u.FindClass = findTorchClass
	u.PersistentLoad = func(id any) (any, error) {
		saved, ok := id.(*types.Tuple)
		if !ok || saved.Len() < 5 || saved.Get(0) != "storage" {
			return nil, fmt.Errorf("a persistent %T, want a storage", id)
		}
		class, isClass := saved.Get(1).(pytorch.StorageClassInterface)
		key, isKey := saved.Get(2).(string)
		count, isCount := saved.Get(4).(int)
		if !isClass || !isKey || !isCount || count < 0 {
			return nil, fmt.Errorf("a storage of %T, %T and %T; want a class, a key and a count", saved.Get(1), saved.Get(2), saved.Get(4))
		}
		if saved.Len() > 5 && saved.Get(5) != nil {
			return nil, fmt.Errorf("storage %q is a view of another one, which is not read", key)
		}
		return storage(class, key, count)
	}
	return u
}

// findTorchClass returns the classes of a state dict.
func findTorchClass(module, name string) (any, error) {
	switch module + "." + name {
	case "torch._utils._rebuild_tensor_v2":
		return &pytorch.RebuildTensorV2{}, nil
	case "torch.FloatStorage":
		return &pytorch.FloatStorageClass{}, nil
	case "torch.HalfStorage":
		return &pytorch.HalfStorageClass{}, nil
	case "torch.DoubleStorage":
		return &pytorch.DoubleStorageClass{}, nil
	case "torch.CharStorage":
		return &pytorch.CharStorageClass{}, nil
	case "torch.ShortStorage":
		return &pytorch.ShortStorageClass{}, nil
	case "torch.IntStorage":
		return &pytorch.IntStorageClass{}, nil
	case "torch.LongStorage":
		return &pytorch.LongStorageClass{}, nil
	case "torch.ByteStorage":
		return &pytorch.ByteStorageClass{}, nil
	case "torch.BoolStorage":
		return &pytorch.BoolStorageClass{}, nil
	case "torch.BFloat16Storage":
		return &pytorch.BFloat16StorageClass{}, nil
	}
	return nil, fmt.Errorf("class %q of module %q is not one of a state dict", name, module)
}

// valueBytes returns the size of a storage's values.
func valueBytes(s pytorch.StorageInterface) int64 {
	switch s.(type) {
	case *pytorch.CharStorage, *pytorch.ByteStorage, *pytorch.BoolStorage:
		return 1
	case *pytorch.HalfStorage, *pytorch.ShortStorage, *pytorch.BFloat16Storage:
		return 2
	case *pytorch.DoubleStorage, *pytorch.LongStorage:
		return 8
	default:
		return 4
	}
}

// loadArchive reads a ZIP archive of size bytes: data.pkl and an uncompressed entry for each storage.
func loadArchive(f io.ReaderAt, size int64) (any, error) {
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return nil, err
	}
	entries := map[string]*zip.File{}
	for _, entry := range archive.File {
		if entry.Method != zip.Store || entry.CompressedSize64 != entry.UncompressedSize64 || entry.UncompressedSize64 > uint64(size) {
			return nil, fmt.Errorf("entry %q: %d bytes, compressed to %d; want entries without compression", entry.Name,
				entry.UncompressedSize64, entry.CompressedSize64)
		}
		entries[path.Base(entry.Name)] = entry
	}
	read := func(name string, use func(r io.Reader, size int64) error) error {
		entry := entries[name]
		if entry == nil {
			return fmt.Errorf("there is no entry %q", name)
		}
		in, failed := entry.Open()
		if failed != nil {
			return fmt.Errorf("entry %q: %w", name, failed)
		}
		failed = use(in, int64(entry.UncompressedSize64))
		if failed == nil { // the checksum is compared at the end
			_, failed = io.Copy(io.Discard, in)
		}
		if failed = errors.Join(failed, in.Close()); failed != nil {
			return fmt.Errorf("entry %q: %w", name, failed)
		}
		return nil
	}
	var content []byte
	err = read("data.pkl", func(r io.Reader, _ int64) (failed error) { content, failed = io.ReadAll(r); return failed })
	if err != nil {
		return nil, err
	}
	length, err := pickleLength(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", "data.pkl", err)
	}
	left := size // entries that overlap do not add up to more
	found := map[string]pytorch.StorageInterface{}
	storage := func(class pytorch.StorageClassInterface, key string, count int) (pytorch.StorageInterface, error) {
		if s, ok := found[key]; ok {
			return s, nil
		}
		s := class.New(count, "")
		found[key] = s
		floats, ok := s.(*pytorch.FloatStorage)
		if !ok {
			return s, nil
		}
		return s, read(key, func(r io.Reader, size int64) (failed error) {
			if int64(count) != size/4 || size%4 != 0 || size > left {
				return fmt.Errorf("%d bytes, want those of %d values", size, count)
			}
			left -= size
			floats.Data, failed = readFloats(r, count)
			return failed
		})
	}
	u := newUnpickler(bytes.NewReader(content[:length]), storage)
	return u.Load()
}

// loadLegacy reads a file of size bytes: pickles of a magic number, a version, the machine, the state
// dict and the storages' keys, then of each storage the number of its values and their bytes.
func loadLegacy(f io.ReaderAt, size int64) (any, error) {
	at := int64(0)
	found := map[string]pytorch.StorageInterface{}
	unpickle := func() (any, error) {
		rest := io.NewSectionReader(f, at, size-at)
		length, err := pickleLength(rest, size-at)
		if err != nil {
			return nil, fmt.Errorf("pickle at offset %d: %w", at, err)
		}
		u := newUnpickler(bufio.NewReader(io.NewSectionReader(f, at, length)),
			func(class pytorch.StorageClassInterface, key string, count int) (pytorch.StorageInterface, error) {
				if _, ok := found[key]; !ok {
					found[key] = class.New(count, "")
				}
				return found[key], nil
			})
		value, err := u.Load()
		if err != nil {
			return nil, fmt.Errorf("pickle at offset %d: %w", at, err)
		}
		at += length
		return value, nil
	}
	var parts []any
	for range 5 {
		part, err := unpickle()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	const version = 1001
	if parts[1] != version {
		return nil, fmt.Errorf("version %v of the format, want %d", parts[1], version)
	}
	keys, ok := parts[4].(*types.List)
	if !ok {
		return nil, fmt.Errorf("the storages' keys are a %T, want a list", parts[4])
	}
	for i, item := range *keys {
		key, _ := item.(string)
		s := found[key]
		if s == nil {
			return nil, fmt.Errorf("storage %d of the file is none of the state dict", i)
		}
		var count [8]byte
		if _, err := f.ReadAt(count[:], at); err != nil {
			return nil, fmt.Errorf("offset %d: storage %q: %w", at, key, err)
		}
		at += int64(len(count))
		n := binary.LittleEndian.Uint64(count[:])
		if n > uint64((size-at)/valueBytes(s)) {
			return nil, fmt.Errorf("offset %d: storage %q: %d values, want at most the %d bytes that follow", at, key, n, size-at)
		}
		if floats, ok := s.(*pytorch.FloatStorage); ok {
			var err error
			if int(n) != floats.Size {
				return nil, fmt.Errorf("offset %d: storage %q: %d values, want %d", at, key, n, floats.Size)
			}
			if floats.Data, err = readFloats(io.NewSectionReader(f, at, size-at), int(n)); err != nil {
				return nil, fmt.Errorf("offset %d: storage %q: %w", at, key, err)
			}
		}
		at += int64(n) * valueBytes(s)
	}
	if at != size {
		return nil, fmt.Errorf("offset %d: %d bytes after the last storage, want none", at, size-at)
	}
	return parts[3], nil
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
