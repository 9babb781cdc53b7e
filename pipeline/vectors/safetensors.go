package vectors

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// safetensorsMaxHeader is the largest header that is read, bytes: enough for 60,000 tensors.
const safetensorsMaxHeader = 8 << 20

// safetensor is an entry of the header. Offsets are half-open, from the end of the header.
type safetensor struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// openSafetensors opens a tensor of a safetensors file: the length of the header as a little-endian
// uint64, the header as JSON, the tensors (https://github.com/huggingface/safetensors#format).
func openSafetensors(f *file, o Options) (numbers, error) {
	const prefix = 8
	length := int64(binary.LittleEndian.Uint64(f.head))
	if length < 0 || length > min(safetensorsMaxHeader, f.size-prefix) {
		return nil, f.errorAt(0, "header of %d bytes, want at most %d", length, min(safetensorsMaxHeader, f.size-prefix))
	}
	header := make([]byte, length)
	if err := f.readAt(header, prefix); err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, f.errorAt(prefix, "header: %w", err)
	}
	delete(raw, "__metadata__")
	entries := map[string]safetensor{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		var e safetensor
		if err := json.Unmarshal(raw[name], &e); err != nil {
			return nil, f.errorAt(prefix, "tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	name, err := chosenTensor(f, entries, o.Name)
	if err != nil {
		return nil, err
	}
	e := entries[name]
	start := prefix + length
	if e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > f.size-start {
		return nil, f.errorAt(prefix, "tensor %q: bytes [%d, %d) of %d", name, e.Offsets[0], e.Offsets[1], f.size-start)
	}
	p := &plain{
		file: f, order: binary.LittleEndian, start: start + e.Offsets[0], end: start + e.Offsets[1],
		rows: e.Shape[0], dims: e.Shape[1],
	}
	switch e.DType {
	case "F16":
		p.kind = half()
	case "BF16":
		p.kind = brain()
	case "F32":
		p.kind = single()
	case "F64":
		p.kind = double()
	default:
		return nil, f.errorf("tensor %q is of %s, want F16, BF16, F32 or F64", name, e.DType)
	}
	return p, p.check()
}

// chosenTensor returns the name of the tensor that is meant.
func chosenTensor(f *file, entries map[string]safetensor, name string) (string, error) {
	if name != "" {
		e, ok := entries[name]
		if !ok {
			return "", f.errorf("no tensor %q; there is %s", name, strings.Join(slices.Sorted(maps.Keys(entries)), ", "))
		}
		if len(e.Shape) != 2 {
			return "", f.errorf("tensor %q has the shape %v, want [rows, width]", name, e.Shape)
		}
		return name, nil
	}
	var found []string
	for _, n := range slices.Sorted(maps.Keys(entries)) {
		if len(entries[n].Shape) == 2 {
			found = append(found, n)
		}
	}
	return onlyOne(f, "tensor with two dimensions", found)
}

// onlyOne returns the single name of a list, or an error that lists them.
func onlyOne(f *file, what string, found []string) (string, error) {
	switch len(found) {
	case 0:
		return "", f.errorf("no %s", what)
	case 1:
		return found[0], nil
	}
	return "", f.errorf("more than one %s: name one of %s", what, strings.Join(found, ", "))
}
