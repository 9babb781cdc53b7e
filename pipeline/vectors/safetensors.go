package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// safetensorsMaxHeader is the largest header that is read, bytes: enough for 60,000 tensors.
const safetensorsMaxHeader = 8 << 20

// safetensorsPrefix is the bytes before the header: its length.
const safetensorsPrefix = 8

// safetensor is an entry of the header. Offsets are half-open, from the end of the header.
type safetensor struct {
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// openSafetensors opens a tensor of a safetensors file: the length of the header as a little-endian
// uint64, the header as JSON, the tensors (https://github.com/huggingface/safetensors#format).
func openSafetensors(f *file, o Options) (numbers, error) {
	length := int64(binary.LittleEndian.Uint64(f.head))
	if length < 0 || length > min(safetensorsMaxHeader, f.size-safetensorsPrefix) {
		return nil, f.errorAt(0, "header of %d bytes, want at most %d", length, min(safetensorsMaxHeader, f.size-safetensorsPrefix))
	}
	header := make([]byte, length)
	if err := f.readAt(header, safetensorsPrefix); err != nil {
		return nil, err
	}
	entries, err := safetensorEntries(f, header)
	if err != nil {
		return nil, err
	}
	start := safetensorsPrefix + length
	if err = safetensorLayout(f, entries, f.size-start); err != nil {
		return nil, err
	}
	name, err := chosenTensor(f, entries, o.Name)
	if err != nil {
		return nil, err
	}
	e := entries[name]
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

// safetensorEntries decodes the header, in which each tensor has one entry.
func safetensorEntries(f *file, header []byte) (map[string]safetensor, error) {
	var whole json.RawMessage // the decoder below stops at the end of the object
	if err := json.Unmarshal(header, &whole); err != nil {
		return nil, f.errorAt(safetensorsPrefix, "header: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(header))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, f.errorAt(safetensorsPrefix, "header: %v, want an object", t)
	}
	entries, seen := map[string]safetensor{}, map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, f.errorAt(safetensorsPrefix, "header: %w", err)
		}
		name, _ := t.(string) // a key is one
		if seen[name] {
			return nil, f.errorAt(safetensorsPrefix, "two tensors are called %q", name)
		}
		seen[name] = true
		var raw json.RawMessage
		if err = d.Decode(&raw); err != nil {
			return nil, f.errorAt(safetensorsPrefix, "tensor %q: %w", name, err)
		}
		if name == "__metadata__" {
			continue
		}
		var e safetensor
		if err = json.Unmarshal(raw, &e); err != nil {
			return nil, f.errorAt(safetensorsPrefix, "tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	return entries, nil
}

// safetensorLayout checks that the tensors cover the bytes behind the header, each byte once.
func safetensorLayout(f *file, entries map[string]safetensor, size int64) error {
	names := slices.Sorted(maps.Keys(entries))
	for _, name := range names {
		o := entries[name].Offsets
		if len(o) != 2 {
			return f.errorAt(safetensorsPrefix, "tensor %q: data_offsets %v, want two", name, o)
		}
		if o[0] < 0 || o[1] < o[0] || o[1] > size {
			return f.errorAt(safetensorsPrefix, "tensor %q: bytes [%d, %d) of %d", name, o[0], o[1], size)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return slices.Compare(entries[a].Offsets, entries[b].Offsets) })
	end, last := int64(0), ""
	for _, name := range names {
		if o := entries[name].Offsets; o[0] != end {
			return f.errorAt(safetensorsPrefix, "tensor %q: bytes [%d, %d), want them from %d on, where the tensor before ends", name, o[0], o[1], end)
		}
		end, last = entries[name].Offsets[1], name
	}
	if len(names) > 0 && end != size {
		return f.errorAt(safetensorsPrefix, "tensor %q is the last and ends at %d of %d bytes", last, end, size)
	}
	return nil
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
