package sealed

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// A NamedTensor is one entry of a safetensors file.
type NamedTensor struct {
	Name  string
	Value *tensors.Tensor
}

// The safetensors format (https://github.com/huggingface/safetensors#format):
// 8 bytes little-endian header length, a JSON header, then the tensors' bytes,
// little-endian, row-major, without holes.
const (
	safetensorsMetadata  = "__metadata__"
	safetensorsMaxHeader = 8 << 20 // bytes; 60,000 tensors. The reference implementation takes twelve times as many
	safetensorsAlign     = 8       // the header is padded with spaces so that the data starts aligned
	MaxRank              = 8       // far more than any network needs
)

type safetensorsEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // half-open, from the end of the header

	name string
}

// safetensorsDTypes returns the element types that are read and written, by their names in the
// format.
func safetensorsDTypes() map[string]dtypes.DType {
	return map[string]dtypes.DType{
		"F32": dtypes.Float32,
		"F64": dtypes.Float64,
		"I32": dtypes.Int32,
		"I64": dtypes.Int64,
		"U8":  dtypes.Uint8,
		"U64": dtypes.Uint64,
	}
}

// Read reads a whole safetensors file: its tensors by name and its metadata, which is nil if the
// file has none. It checks every length in the file against the file's size before it allocates.
func Read(path string) (map[string]*tensors.Tensor, map[string]string, error) {
	return ReadWith(path, func(*os.File) error { return nil })
}

// ReadWith does the same as Read, after check has accepted the open file.
func ReadWith(path string, check func(f *os.File) error) (map[string]*tensors.Tensor, map[string]string, error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read tensors: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read tensors: %w", err)
	}
	if err = check(f); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	values, metadata, err := decodeSafetensors(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, metadata, nil
}

// decodeSafetensors decodes a safetensors file of size bytes.
func decodeSafetensors(r io.ReaderAt, size int64) (map[string]*tensors.Tensor, map[string]string, error) {
	entries, metadata, start, err := decodeSafetensorsHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	values := make(map[string]*tensors.Tensor, len(entries))
	known := safetensorsDTypes()
	for _, e := range entries {
		dims := make([]int, len(e.Shape))
		for i, d := range e.Shape {
			dims[i] = int(d)
		}
		t := tensors.FromShape(shapes.Make(known[e.DType], dims...))
		values[e.name] = t
		if t.Size() == 0 {
			continue
		}
		var readErr error
		err = t.MutableBytes(func(data []byte) {
			_, readErr = io.ReadFull(io.NewSectionReader(r, start+e.Offsets[0], int64(len(data))), data)
		})
		if err = errors.Join(err, readErr); err != nil {
			return nil, nil, fmt.Errorf("offset %d: tensor %q: %w", start+e.Offsets[0], e.name, err)
		}
	}
	return values, metadata, nil
}

// decodeSafetensorsHeader returns the checked entries in the order of their
// data, and the offset at which the data starts.
func decodeSafetensorsHeader(r io.ReaderAt, size int64) ([]safetensorsEntry, map[string]string, int64, error) {
	fail := func(format string, args ...any) ([]safetensorsEntry, map[string]string, int64, error) {
		return nil, nil, 0, fmt.Errorf(format, args...)
	}
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return fail("offset 0: %d bytes, want a safetensors file of at least 8", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return fail("offset 0: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > safetensorsMaxHeader || int64(length) > size-int64(len(prefix)) {
		return fail("offset 0: safetensors header of %d bytes, want at most the %d that follow and %d", length,
			size-int64(len(prefix)), safetensorsMaxHeader)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(r, 8, int64(length)), header); err != nil {
		return fail("offset 8: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return fail("offset 8: safetensors header: %w", err)
	}
	var metadata map[string]string
	var entries []safetensorsEntry
	for name, text := range raw {
		if name == safetensorsMetadata {
			if err := json.Unmarshal(text, &metadata); err != nil {
				return fail("offset 8: safetensors metadata: %w", err)
			}
			continue
		}
		e := safetensorsEntry{name: name}
		if err := json.Unmarshal(text, &e); err != nil {
			return fail("offset 8: tensor %q: %w", name, err)
		}
		entries = append(entries, e)
	}
	start := int64(len(prefix)) + int64(length)
	if err := checkEntries(entries, size-start); err != nil {
		return fail("offset 8: %w", err)
	}
	return entries, metadata, start, nil
}

// checkEntries sorts entries by offset and checks that they fill the data's
// size bytes without hole or overlap and that shapes and lengths agree.
func checkEntries(entries []safetensorsEntry, size int64) error {
	slices.SortFunc(entries, func(a, b safetensorsEntry) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]), cmp.Compare(a.name, b.name))
	})
	known := safetensorsDTypes()
	end := int64(0)
	for _, e := range entries {
		dtype, ok := known[e.DType]
		if !ok {
			return fmt.Errorf("tensor %q: dtype %q is not supported; want F32, F64, I32, I64, U8 or U64", e.name, e.DType)
		}
		if e.Offsets[0] != end || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > size {
			return fmt.Errorf("tensor %q: data at [%d, %d), want it to start at %d and end within the file's %d bytes of data", e.name,
				e.Offsets[0], e.Offsets[1], end, size)
		}
		if len(e.Shape) > MaxRank {
			return fmt.Errorf("tensor %q: %d axes, want at most %d", e.name, len(e.Shape), MaxRank)
		}
		bytes := int64(dtype.Size())
		for _, d := range e.Shape {
			if d < 0 || d > math.MaxInt32 || (d > 0 && bytes > math.MaxInt64/d) {
				return fmt.Errorf("tensor %q: shape %v is not possible", e.name, e.Shape)
			}
			bytes *= d
		}
		if bytes != e.Offsets[1]-e.Offsets[0] {
			return fmt.Errorf("tensor %q: %d bytes, want %d for %s %v", e.name, e.Offsets[1]-e.Offsets[0], bytes, e.DType, e.Shape)
		}
		end = e.Offsets[1]
	}
	if end != size {
		return fmt.Errorf("%d bytes of data, want the %d that the header's tensors take", size, end)
	}
	return nil
}

// Write writes tensors sorted by name, and metadata if there is
// any, to path. The file appears whole or not at all, and equal tensors and
// metadata give equal bytes.
func Write(path string, values []NamedTensor, metadata map[string]string) error {
	return WriteWith(path, values, metadata, func(*os.File) error { return nil })
}

// WriteWith does the same as Write, and calls finish with the written file before it gets its name.
func WriteWith(path string, values []NamedTensor, metadata map[string]string, finish func(f *os.File) error) error {
	sorted := slices.SortedFunc(slices.Values(values), func(a, b NamedTensor) int { return cmp.Compare(a.Name, b.Name) })
	names := make(map[dtypes.DType]string)
	for name, dtype := range safetensorsDTypes() {
		names[dtype] = name
	}
	header := make(map[string]safetensorsEntry, len(sorted)) // json.Marshal sorts its keys
	offset := int64(0)
	for _, v := range sorted {
		dtype, ok := names[v.Value.DType()]
		if !ok {
			return fmt.Errorf("write %s: tensor %q: the type of %s is not supported", path, v.Name, v.Value.Shape())
		}
		if _, twice := header[v.Name]; twice || v.Name == safetensorsMetadata {
			return fmt.Errorf("write %s: tensor name %q is used twice or reserved", path, v.Name)
		}
		e := safetensorsEntry{DType: dtype, Shape: make([]int64, v.Value.Rank())}
		for i, d := range v.Value.Shape().Dimensions {
			e.Shape[i] = int64(d)
		}
		e.Offsets = [2]int64{offset, offset + v.Value.ByteSize()}
		offset = e.Offsets[1]
		header[v.Name] = e
	}
	text, err := encodeSafetensorsHeader(header, metadata)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	for len(text)%safetensorsAlign != 0 {
		text = append(text, ' ')
	}
	return Replace(path, func(w *os.File) error {
		if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		for _, v := range sorted {
			if v.Value.Size() == 0 {
				continue
			}
			var writeErr error
			err := v.Value.ConstBytes(func(data []byte) { _, writeErr = w.Write(data) })
			if err = errors.Join(err, writeErr); err != nil {
				return fmt.Errorf("tensor %q: %w", v.Name, err)
			}
		}
		return finish(w)
	})
}

// encodeSafetensorsHeader returns the JSON header. The metadata comes first, so that a seal in it
// is found however many tensors follow.
func encodeSafetensorsHeader(entries map[string]safetensorsEntry, metadata map[string]string) ([]byte, error) {
	text, err := json.Marshal(entries)
	if err != nil || len(metadata) == 0 {
		return text, err
	}
	first, err := json.Marshal(map[string]map[string]string{safetensorsMetadata: metadata})
	if err != nil || len(entries) == 0 {
		return first, err
	}
	return slices.Concat(first[:len(first)-1], []byte(","), text[1:]), nil
}
