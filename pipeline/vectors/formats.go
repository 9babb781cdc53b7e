package vectors

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
)

// A format is a kind of file.
type format struct {
	name string
	// matches reports whether a file with these first bytes and this extension, in lower case and
	// with its dot, is of the format.
	matches func(head []byte, extension string) bool
	matrix  func(f *file, o Options) (numbers, error) // nil where it holds none
	table   func(f *file) (cells, error)              // nil where it holds none
	advice  string                                    // for a format that is recognised and not read
}

// formats returns all formats. What first bytes say comes before what extensions say.
func formats() []format {
	magic := func(prefixes ...string) func([]byte, string) bool {
		return func(head []byte, _ string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return bytes.HasPrefix(head, []byte(p)) })
		}
	}
	extension := func(extensions ...string) func([]byte, string) bool {
		return func(_ []byte, e string) bool { return slices.Contains(extensions, e) }
	}
	return []format{
		{name: "npy", matches: magic(npyMagic), matrix: openNPY, table: openNPYTable},
		{name: "parquet", matches: magic("PAR1"), matrix: openParquet, table: openParquetTable},
		{name: "arrow", matches: magic("ARROW1\x00\x00", "\xff\xff\xff\xff"), matrix: openArrow, table: openArrowTable},
		{name: "zip", matches: magic("PK\x03\x04"), advice: "an archive such as .npz or .pt; write the array itself with numpy.save"},
		{name: "gzip", matches: magic("\x1f\x8b"), advice: "unpack it first"},
		{name: "hdf5", matches: magic("\x89HDF"), advice: "write the array with numpy.save"},
		{name: "pickle", matches: magic("\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"), advice: "it can run code; write the array with numpy.save"},
		{name: "safetensors", matches: looksLikeSafetensors, matrix: openSafetensors},
		{name: "csv", matches: extension(".csv"), matrix: openCSV(','), table: openCSVTable(',')},
		{name: "tsv", matches: extension(".tsv", ".tab"), matrix: openCSV('\t'), table: openCSVTable('\t')},
		{name: "txt", matches: extension(".txt"), table: openLines},
	}
}

// looksLikeSafetensors reports whether a file begins with a small length and a JSON object.
func looksLikeSafetensors(head []byte, _ string) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= safetensorsMaxHeader
}

// formatOf returns the format of a file.
func formatOf(f *file) (format, error) {
	extension := strings.ToLower(filepath.Ext(f.path))
	for _, k := range formats() {
		if !k.matches(f.head, extension) {
			continue
		}
		if k.advice != "" {
			return k, f.errorf("a %s file: %s", k.name, k.advice)
		}
		return k, nil
	}
	return format{}, f.errorf("not known what it is; want %s, or a text file called .csv, .tsv or .txt", matrixFormats())
}

// matrixFormats names the formats of matrices, for an error.
func matrixFormats() string { return namesOf(func(k format) bool { return k.matrix != nil }) }

// tableFormats names the formats of tables, for an error.
func tableFormats() string { return namesOf(func(k format) bool { return k.table != nil }) }

// namesOf joins the names of some formats.
func namesOf(want func(format) bool) string {
	var names []string
	for _, k := range formats() {
		if want(k) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, ", ")
}
