package matfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/datasets/internal/matfile/mattest"
)

// annotations is a file shaped like the published ones: a compressed struct
// array with numbers of mixed types, and a cell of names.
func annotations() []byte {
	fields := []string{"name", "class", "box"}
	rows := [][]mattest.Value{
		{mattest.Text("car_ims/000001.jpg"), mattest.Number(1), mattest.Number(300)},
		{mattest.Text("car_ims/000002.jpg"), mattest.Number(255), mattest.Number(7)},
	}
	return mattest.File(
		mattest.Compress(mattest.Variable("annotations", mattest.Structs(fields, rows...))),
		mattest.Compress(mattest.Variable("class_names", mattest.Cells(mattest.Text("Audi"), mattest.Text("smart/fortwo")))),
	)
}

func TestParseAnnotations(t *testing.T) {
	variables, err := Parse("a.mat", annotations())
	if err != nil {
		t.Fatal(err)
	}
	if len(variables) != 2 || variables[0].Name != "annotations" || variables[1].Name != "class_names" {
		t.Fatalf("got %d variables", len(variables))
	}
	a := variables[0]
	if diff := cmp.Diff(a.Fields, []string{"name", "class", "box"}); diff != "" {
		t.Error(diff)
	}
	name, err := a.Field(1, "name").Line()
	if err != nil || name != "car_ims/000002.jpg" {
		t.Errorf("name %q, %v", name, err)
	}
	// Stored as uint16 and as uint8 inside one field.
	for i, want := range []int{300, 7} {
		if got, err := a.Field(i, "box").Int(); err != nil || got != want {
			t.Errorf("box %d: got %d, %v, want %d", i, got, err, want)
		}
	}
	if a.Field(0, "test") != nil || a.Field(2, "name") != nil || a.Field(-1, "name") != nil || variables[1].Field(0, "name") != nil {
		t.Error("a field that is not there was found")
	}
	if got, err := variables[1].Elements[1].Line(); err != nil || got != "smart/fortwo" {
		t.Errorf("class name %q, %v", got, err)
	}
}

func TestParseValues(t *testing.T) {
	le := binary.LittleEndian
	tests := map[string]struct {
		value   mattest.Value
		numbers []float64
		text    string
	}{
		"int8 in a small element": {mattest.Numbers(6, 2, 1, []byte{0xff, 2}), []float64{-1, 2}, ""},
		"uint8":                   {mattest.Numbers(9, 5, 2, []byte{1, 2, 3, 4, 255}), []float64{1, 2, 3, 4, 255}, ""},
		"int16":                   {mattest.Numbers(6, 1, 3, le.AppendUint16(nil, 0xfffe)), []float64{-2}, ""},
		"uint16":                  {mattest.Numbers(11, 1, 4, le.AppendUint16(nil, 65535)), []float64{65535}, ""},
		"int32":                   {mattest.Numbers(12, 1, 5, le.AppendUint32(nil, 0xfffffffd)), []float64{-3}, ""},
		"uint32":                  {mattest.Numbers(13, 1, 6, le.AppendUint32(nil, 1<<31)), []float64{1 << 31}, ""},
		"single":                  {mattest.Numbers(7, 1, 7, le.AppendUint32(nil, math.Float32bits(1.5))), []float64{1.5}, ""},
		"double":                  {mattest.Numbers(6, 1, 9, le.AppendUint64(nil, math.Float64bits(-0.25))), []float64{-0.25}, ""},
		"int64":                   {mattest.Numbers(14, 1, 12, le.AppendUint64(nil, math.MaxUint64)), []float64{-1}, ""},
		"uint64":                  {mattest.Numbers(15, 1, 13, le.AppendUint64(nil, 1<<40)), []float64{1 << 40}, ""},
		"no numbers":              {mattest.Numbers(6, 0, 9, nil), []float64{}, ""},
		"text in 16 bits":         {mattest.Text("Citroën 大"), nil, "Citroën 大"},
		"text in 8 bits is Latin-1, as MATLAB writes it": {
			mattest.Value{Class: 4, Dims: []int32{1, 2}, Body: mattest.Element(2, []byte{'a', 0xeb})}, nil, "aë",
		},
		"text in UTF-8 counts characters": {
			mattest.Value{Class: 4, Dims: []int32{1, 2}, Body: mattest.Element(16, []byte("aë"))}, nil, "aë",
		},
		"empty text has no rows": {
			mattest.Value{Class: 4, Dims: []int32{0, 0}, Body: mattest.Element(4, nil)}, nil, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plain := mattest.Variable("v", tt.value)
			for _, element := range [][]byte{plain, mattest.Compress(plain)} {
				variables, err := Parse("v.mat", mattest.File(element))
				if err != nil {
					t.Fatal(err)
				}
				v := variables[0]
				if diff := cmp.Diff(v.Numbers, tt.numbers); diff != "" {
					t.Error(diff)
				}
				if v.Class == Char {
					if got, err := v.Line(); err != nil || got != tt.text {
						t.Errorf("text %q, %v, want %q", got, err, tt.text)
					}
				}
			}
		})
	}
}

func TestArrayAccess(t *testing.T) {
	two := &Array{Class: Double, Dims: []int{1, 2}, Numbers: []float64{1, 2}}
	half := &Array{Class: Double, Dims: []int{1, 1}, Numbers: []float64{0.5}}
	nan := &Array{Class: Double, Dims: []int{1, 1}, Numbers: []float64{math.NaN()}}
	for _, a := range []*Array{nil, two, half, nan, {Class: Char, Dims: []int{1, 1}, Text: "1"}} {
		if v, err := a.Int(); err == nil {
			t.Errorf("%s: got the integer %d", a.describe(), v)
		}
	}
	for _, a := range []*Array{nil, two, {Class: Char, Dims: []int{2, 1}, Text: "ab"}} {
		if v, err := a.Line(); err == nil {
			t.Errorf("%s: got the line %q", a.describe(), v)
		}
	}
}

// A length that lies, little endian, at a place of a file.
func lie(data []byte, at int, v uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestParseRefuses(t *testing.T) {
	numbers := mattest.Variable("v", mattest.Numbers(9, 16, 2, make([]byte, 16)))
	plain := mattest.File(numbers)
	// Sparse arrays are skipped, so each of these is fine by itself.
	bomb := mattest.Variable("v", mattest.Value{Class: 5, Dims: []int32{1, 1}, Body: make([]byte, 4<<20)})
	nested := mattest.Number(1)
	for range 40 {
		nested = mattest.Cells(nested)
	}
	header := func(text string, version byte, order string) []byte {
		data := mattest.File()
		copy(data, text)
		data[125] = version
		copy(data[126:], order)
		return data
	}
	variable := func(v mattest.Value) []byte { return mattest.File(mattest.Variable("v", v)) }
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty file":              {nil, "a.mat:0: file ends in its header"},
		"cut header":              {plain[:100], "a.mat:100: file ends in its header, want 128 bytes, got 100"},
		"version 7.3":             {header("MATLAB 7.3 MAT-file, Platform: GLNXA64", 2, "IM"), "a.mat:0: MAT-file of version 7.3 (HDF5)"},
		"HDF5 behind a header":    {append(append(mattest.File(), make([]byte, 384)...), "\x89HDF\r\n\x1a\n"...), "version 7.3"},
		"bare HDF5":               {[]byte("\x89HDF\r\n\x1a\n and more"), "version 7.3"},
		"big endian":              {header("MATLAB 5.0", 1, "MI"), "a.mat:126: big-endian"},
		"text file":               {bytes.Repeat([]byte("1 2 3\n"), 40), "a.mat:126: not a MAT-file of version 5"},
		"unknown version":         {header("MATLAB 5.0", 3, "IM"), "a.mat:124: MAT-file version, want 0x0100, got 0x0300"},
		"cut tag":                 {plain[:132], "a.mat:128: element cut"},
		"cut element":             {plain[:len(plain)-8], "a.mat:128: element of 64 bytes, but 56 are left"},
		"cut compressed element":  {annotations()[:200], "a.mat:128: element of "},
		"length over the file":    {lie(plain, 132, 1<<31), "a.mat:128: element of 2147483648 bytes, but 64 are left"},
		"length of numbers":       {lie(plain, len(plain)-20, 8), "want 16 bytes, got 8"},
		"more dimensions":         {lie(plain, 160, 1<<20), "a.mat:176: 1048576x16 uint8, want 16777216 bytes, got 16"},
		"overflowing dimensions":  {lie(lie(plain, 160, 1<<30), 164, 1<<30), "dimension 1, want 0 to 268435456 elements"},
		"negative dimension":      {lie(plain, 160, 1<<31), "dimension 1"},
		"unknown element":         {lie(plain, 128, 99), "a.mat:128: element of type 99"},
		"cell that lies":          {variable(mattest.Value{Class: 1, Dims: []int32{1, 1 << 20}}), "1x1048576 cell of 1048576 arrays, but 0 bytes are left"},
		"struct that lies":        {variable(mattest.Value{Class: 2, Dims: []int32{1, 1 << 20}, Body: mattest.Structs([]string{"f"}).Body}), "1x1048576 struct with 1 fields, but 0 bytes are left"},
		"duplicate field":         {variable(mattest.Structs([]string{"f", "f"})), `field name "f"`},
		"field without a name":    {variable(mattest.Structs([]string{""})), `field name ""`},
		"cell of numbers":         {variable(mattest.Value{Class: 1, Dims: []int32{1, 1}, Body: mattest.Element(2, make([]byte, 8))}), "element of type 2 in a 1x1 cell"},
		"complex numbers":         {variable(mattest.Value{Class: 6, Flags: 8, Dims: []int32{1, 1}, Body: mattest.Number(1).Body}), "complex"},
		"bytes left over":         {variable(mattest.Value{Class: 6, Dims: []int32{1, 1}, Body: append(mattest.Number(1).Body, mattest.Number(2).Body...)}), "8 bytes left over"},
		"text of doubles":         {variable(mattest.Value{Class: 4, Dims: []int32{1, 1}, Body: mattest.Element(9, make([]byte, 8))}), "text of type 9"},
		"text of another length":  {variable(mattest.Value{Class: 4, Dims: []int32{1, 3}, Body: mattest.Element(2, []byte("ab"))}), "want 3 characters, got 2"},
		"text not in UTF-8":       {variable(mattest.Value{Class: 4, Dims: []int32{1, 1}, Body: mattest.Element(16, []byte{0xff})}), "not UTF-8"},
		"numbers of no type":      {variable(mattest.Value{Class: 6, Dims: []int32{1, 1}, Body: mattest.Element(14, nil)}), "numbers of type 14"},
		"nested too deep":         {variable(nested), "nested deeper"},
		"not compressed":          {mattest.File(mattest.Element(15, []byte("this is no zlib stream"))), "a.mat:128: compressed element: zlib"},
		"compressed numbers":      {mattest.File(mattest.Compress(mattest.Element(2, make([]byte, 16)))), "compressed element of type 2"},
		"compressed and short":    {mattest.File(mattest.Compress(numbers[:len(numbers)-8])), "compressed element, want 64 bytes, got 56"},
		"compressed and long":     {mattest.File(mattest.Compress(append(bytes.Clone(numbers), 0))), "goes on after the 64 bytes"},
		"compressed and lying":    {mattest.File(mattest.Compress(lie(numbers, 4, 1<<30))), "says it holds 1073741824 bytes"},
		"bomb of many elements":   {mattest.File(bytes.Repeat(mattest.Compress(bomb), 20)), "want at most 25165824 in a file"},
		"error inside compressed": {mattest.File(mattest.Compress(mattest.Variable("v", mattest.Structs([]string{""})))), "a.mat:128: at byte "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("a.mat", tt.data)
			var place *Error
			if !errors.As(err, &place) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseWrongChecksum(t *testing.T) {
	data := mattest.File(mattest.Compress(mattest.Variable("v", mattest.Number(1))))
	data[len(data)-1] ^= 1
	if _, err := Parse("a.mat", data); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("got %v, want a checksum error", err)
	}
}

// Classes that are not read are kept by name, so that a file which holds one
// beside the annotations can be read.
func TestParseSkipsOtherClasses(t *testing.T) {
	data := mattest.File(
		mattest.Variable("handle", mattest.Value{Class: 16, Dims: []int32{1, 1}, Body: mattest.Number(1).Body}),
		mattest.Variable("sparse", mattest.Value{Class: 5, Dims: []int32{3, 3}, Body: mattest.Number(1).Body}),
		mattest.Variable("v", mattest.Number(7)))
	variables, err := Parse("a.mat", data)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := variables[2].Int(); err != nil || v != 7 {
		t.Errorf("got %d, %v", v, err)
	}
	if v, err := variables[1].Int(); err == nil {
		t.Errorf("a sparse array gave %d", v)
	}
}

// A file that is cut anywhere gives an error or, between two variables, fewer
// variables.
func TestParseCutAnywhere(t *testing.T) {
	data := annotations()
	for n := range data {
		variables, err := Parse("a.mat", data[:n])
		if err == nil && len(variables) > 1 {
			t.Fatalf("cut at %d of %d: got %d variables", n, len(data), len(variables))
		}
	}
}

// A length is not believed before the bytes are known to be there: nothing is allocated for it.
func TestParseAllocatesLittle(t *testing.T) {
	numbers := mattest.Variable("v", mattest.Numbers(9, 16, 2, make([]byte, 16)))
	for name, data := range map[string][]byte{
		"element":    lie(mattest.File(numbers), 132, 1<<31),
		"dimensions": lie(mattest.File(numbers), 160, 1<<20),
		"compressed": mattest.File(mattest.Compress(lie(numbers, 4, 60<<10))),
		"cell":       mattest.File(mattest.Variable("v", mattest.Value{Class: 1, Dims: []int32{1 << 14, 1 << 14}})),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse("a.mat", data)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 256<<10 {
			t.Errorf("%s: %v after %d bytes", name, err, used)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(annotations())
	f.Add(mattest.File(mattest.Variable("v", mattest.Numbers(9, 16, 2, make([]byte, 16)))))
	f.Add(mattest.File(mattest.Variable("v", mattest.Structs([]string{"a", "b"}, []mattest.Value{mattest.Number(1), mattest.Cells(mattest.Text("x"))}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		variables, err := Parse("fuzz.mat", data)
		var place *Error
		if err != nil && (!errors.As(err, &place) || place.Offset < 0 || place.Offset > int64(len(data))) {
			t.Errorf("error without a place: %v", err)
		}
		for _, v := range variables {
			check(t, v)
		}
	})
}

// check compares an array's contents with its size.
func check(t *testing.T, a *Array) {
	t.Helper()
	want := a.Len()
	switch {
	case a.Class.Numeric() && len(a.Numbers) != want, a.Class == Cell && len(a.Elements) != want,
		a.Class == Struct && len(a.Elements) != want*len(a.Fields):
		t.Errorf("%s: %d numbers, %d elements", a.describe(), len(a.Numbers), len(a.Elements))
	}
	for _, e := range a.Elements {
		check(t, e)
	}
}

// A file of 100 kB that unpacks to as much as is allowed, all of it arrays of one number, takes no more
// than 100 MiB.
func TestParseBounded(t *testing.T) {
	numbers := make([]mattest.Value, (MaxBytes-1000)/56) // a number takes 56 bytes
	for i := range numbers {
		numbers[i] = mattest.Number(7)
	}
	data := mattest.File(mattest.Compress(mattest.Variable("v", mattest.Cells(numbers...))))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Parse("v.mat", data); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20+2*uint64(len(data)) {
		t.Errorf("took %d MiB for %d bytes", took>>20, len(data))
	}
}
