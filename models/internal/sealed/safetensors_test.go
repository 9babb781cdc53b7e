package sealed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"
)

// encodeSafetensors is the format by hand: length, header, data.
func encodeSafetensors(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestSafetensorsRoundTrip(t *testing.T) {
	want := map[string]*tensors.Tensor{
		"b/weights": tensors.FromFlatDataAndDimensions([]float32{1, -2, float32(math.Inf(1)), 0, 5, 6}, 2, 3),
		"a":         tensors.FromFlatDataAndDimensions([]int64{math.MinInt64, 7}, 2),
		"scalar":    tensors.FromScalar(float32(3)),
		"step":      tensors.FromScalar(int64(400)),
		"é \"<>":    tensors.FromFlatDataAndDimensions([]uint8{1, 2, 3}, 3),
	}
	var named []NamedTensor
	for name, value := range want {
		named = append(named, NamedTensor{name, value})
	}
	metadata := map[string]string{"step": "12", "note": "a\nb"}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, named, metadata); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, gotMetadata, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(metadata, gotMetadata); d != "" {
		t.Errorf("metadata (-want +got):\n%s", d)
	}
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for name, value := range want {
		if got[name] == nil || !got[name].Shape().Equal(value.Shape()) || !got[name].Equal(value) {
			t.Errorf("%q: %v, want %v", name, got[name], value)
		}
	}
	// The order in which tensors are given, and the file that was there, leave no trace.
	slices.Reverse(named)
	if err = Write(path, named, metadata); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("equal tensors gave other bytes")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("files left beside the written one: %v, %v", left, err)
	}
}

func TestSafetensorsBytes(t *testing.T) {
	// By the format's description; padded to 8 bytes with spaces.
	header := `{"__metadata__":{"k":"v"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}` + " "
	want := encodeSafetensors(header, 0, 0, 128, 63, 0, 0, 0, 192)
	path := filepath.Join(t.TempDir(), "x")
	x := tensors.FromFlatDataAndDimensions([]float32{1, -2}, 2)
	if err := Write(path, []NamedTensor{{"x", x}}, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("bytes (-want +got):\n%s", d)
	}
}

func TestSafetensorsThatLie(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return `{"x":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	cases := []struct {
		name string // the fault
		data []byte
		want string
	}{
		{"empty", nil, "at least 8"},
		{"a header longer than the file", binary.LittleEndian.AppendUint64(nil, 1<<40), "header of 1099511627776 bytes"},
		{"a header length that is negative as a signed number", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "header of"},
		{"no JSON", encodeSafetensors("hello"), "safetensors header"},
		{"an entry that is no object", encodeSafetensors(`{"x":1}`), `tensor "x"`},
		{"metadata that is no map of strings", encodeSafetensors(`{"__metadata__":{"a":1}}`), "metadata"},
		{"data that is cut", encodeSafetensors(entry("F32", "[2]", "[0,8]"), 1, 2, 3, 4), `tensor "x": data at [0, 8)`},
		{"data after the last tensor", encodeSafetensors(entry("F32", "[1]", "[0,4]"), 1, 2, 3, 4, 5), "5 bytes of data, want the 4"},
		{"a hole before the data", encodeSafetensors(entry("F32", "[1]", "[1,5]"), 1, 2, 3, 4, 5), "want it to start at 0"},
		{"an end before the start", encodeSafetensors(entry("F32", "[0]", "[0,-4]")), `tensor "x": data at`},
		{"a shape that needs more bytes", encodeSafetensors(entry("F32", "[3]", "[0,8]"), 1, 2, 3, 4, 5, 6, 7, 8), "8 bytes, want 12"},
		{"a shape whose product overflows", encodeSafetensors(entry("F32", "[2147483647,2147483647,2147483647,16]", "[0,4]"), 1, 2, 3, 4), "not possible"},
		{"a negative size", encodeSafetensors(entry("F32", "[-1]", "[0,4]"), 1, 2, 3, 4), "not possible"},
		{"too many axes", encodeSafetensors(entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 1, 2, 3, 4), "9 axes"},
		{"a type that is not read", encodeSafetensors(entry("BF16", "[2]", "[0,4]"), 1, 2, 3, 4), `dtype "BF16"`},
		{"two tensors over the same bytes", encodeSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 1, 2, 3, 4), `tensor "b": data at [0, 4), want it to start at 4`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.safetensors")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := Read(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q and the file's name", err, c.want)
			}
		})
	}
	if _, _, err := Read(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := tensors.FromScalar(float32(1))
	cases := []struct {
		name   string
		path   string
		values []NamedTensor
	}{
		{"a name twice", "x", []NamedTensor{{"a", one}, {"a", one}}},
		{"the reserved name", "x", []NamedTensor{{"__metadata__", one}}},
		{"a type that is not written", "x", []NamedTensor{{"a", tensors.FromScalar(true)}}},
		{"a folder that is not there", "no/x", []NamedTensor{{"a", one}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := Write(filepath.Join(dir, c.path), c.values, nil); err == nil {
				t.Error("no error")
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func FuzzDecodeSafetensors(f *testing.F) {
	f.Add(encodeSafetensors(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 1, 2, 3, 4))
	f.Add(encodeSafetensors(`{"__metadata__":{"a":"b"},"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}`, 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(encodeSafetensors(`{"x":{"dtype":"U8","shape":[0,5],"data_offsets":[0,0]}}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		values, _, err := decodeSafetensors(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		total := 0
		for _, v := range values {
			total += int(v.ByteSize())
		}
		if total > len(data) {
			t.Errorf("%d bytes of tensors from a file of %d", total, len(data))
		}
	})
}
