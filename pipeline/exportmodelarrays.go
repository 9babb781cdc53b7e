package pipeline

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"bierbench/runs"
)

// The files of an exported cell.
const (
	cardFile       = "model.json"
	modelFile      = "model.safetensors"
	onnxFile       = "model.onnx"
	readmeFile     = "README.md"
	valuesFile     = "embeddings.npy" // float32 [images, size]
	idsFile        = "ids.npy"        // int64 [images]
	classesFile    = "classes.npy"    // int32 [images]
	embeddingsFile = "embeddings.arrow"
)

// writeArrays writes the embeddings as NumPy files. Row i of each file is the same image.
func writeArrays(ctx context.Context, dir string, e runs.Embeddings) error {
	n := len(e.IDs)
	word := binary.LittleEndian
	for _, a := range []struct {
		name, kind string
		shape      []int
		put        func(b []byte, i int) []byte
	}{
		{valuesFile, "<f4", []int{n, e.Width}, func(b []byte, i int) []byte { return word.AppendUint32(b, math.Float32bits(e.Values[i])) }},
		{idsFile, "<i8", []int{n}, func(b []byte, i int) []byte { return word.AppendUint64(b, uint64(e.IDs[i])) }},
		{classesFile, "<i4", []int{n}, func(b []byte, i int) []byte { return word.AppendUint32(b, uint32(e.Classes[i])) }},
	} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := runs.WriteFileFunc(filepath.Join(dir, a.name), 0o644,
			func(w io.Writer) error { return writeArray(w, a.kind, a.shape, a.put) })
		if err != nil {
			return fmt.Errorf("write %s: %w", a.name, err)
		}
	}
	return nil
}

// writeArray writes an array in version 1.0 of NumPy's format, in C order
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): a magic string, the
// version, the length of the header, the header, the elements. The header is a Python dictionary,
// padded so that the elements begin at a multiple of 64 bytes. put appends element i to b.
func writeArray(w io.Writer, kind string, shape []int, put func(b []byte, i int) []byte) error {
	const magic, align = "\x93NUMPY\x01\x00", 64
	size, dims := 1, ""
	for _, d := range shape {
		size *= d
		dims += fmt.Sprintf("%d, ", d)
	}
	if len(shape) > 1 {
		dims = strings.TrimSuffix(dims, ", ") // one axis keeps its comma, as a Python tuple does
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, strings.TrimSuffix(dims, " "))
	taken := len(magic) + 2 + len(header) + 1
	header += strings.Repeat(" ", (align-taken%align)%align) + "\n"
	out := bufio.NewWriterSize(w, 1<<20)
	_, _ = out.WriteString(magic) // Flush returns the error
	_, _ = out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	_, _ = out.WriteString(header)
	var element []byte
	for i := range size {
		element = put(element[:0], i)
		_, _ = out.Write(element)
	}
	return out.Flush()
}
