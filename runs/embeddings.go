package runs

import (
	"fmt"
	"os"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Embeddings are the test-time vectors of a cell: concatenated and scaled, so that a plain dot
// product is the score. All slices have one entry for each image.
type Embeddings struct {
	IDs     []int64
	Classes []int32
	Splits  []string // test, query or gallery
	Lists   []uint8  // VehicleID: 1 = 800, 2 = 1600, 4 = 2400; 0 elsewhere
	Width   int
	Values  []float32 // row-major [len(IDs), Width]
}

// splitNames returns the dictionary of the column split, which is that of the data sets' files.
func splitNames() []string { return []string{"train", "test", "query", "gallery"} }

// embeddingSchema is the schema of embeddings.arrow.
func embeddingSchema(width int) *arrow.Schema {
	return arrowSchema("embeddings 1", []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "class", Type: arrow.PrimitiveTypes.Int32},
		{Name: "split", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}},
		{Name: "list", Type: arrow.PrimitiveTypes.Uint8},
		{Name: "embedding", Type: arrow.FixedSizeListOfNonNullable(int32(width), arrow.PrimitiveTypes.Float32)},
	})
}

// check returns an error if the shapes of e do not fit.
func (e Embeddings) check() error {
	n := len(e.IDs)
	switch {
	case e.Width < 1:
		return fmt.Errorf("embeddings are %d wide, want at least 1", e.Width)
	case len(e.Classes) != n || len(e.Splits) != n || len(e.Lists) != n:
		return fmt.Errorf("%d ids, %d classes, %d splits and %d lists, want as many of each", n, len(e.Classes), len(e.Splits), len(e.Lists))
	case len(e.Values) != n*e.Width:
		return fmt.Errorf("%d values, want %d x %d", len(e.Values), n, e.Width)
	}
	return nil
}

// WriteEmbeddings writes embeddings.arrow, an Arrow file with the columns id int64, class int32,
// split dictionary<int32, utf8>, list uint8 and embedding fixed_size_list<float32>[Width]. The
// values are not copied.
func WriteEmbeddings(path string, e Embeddings) error {
	_, err := writeEmbeddings(path, e)
	return err
}

// writeEmbeddings is WriteEmbeddings that returns the file's SHA-256, hex.
func writeEmbeddings(path string, e Embeddings) (digest string, err error) {
	if err = e.check(); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	indices := make([]int32, len(e.Splits))
	for i, s := range e.Splits {
		k := slices.Index(splitNames(), s)
		if k < 0 {
			return "", fmt.Errorf("write %s: image %d has split %q, want one of %q", path, e.IDs[i], s, splitNames())
		}
		indices[i] = int32(k)
	}
	b := array.NewStringBuilder(memory.NewGoAllocator())
	b.AppendValues(splitNames(), nil)
	names := b.NewArray()
	schema := embeddingSchema(e.Width)
	batch := max(1, (16<<20)/(4*e.Width))
	digest, err = writeArrow(path, schema, len(e.IDs), batch, func(from, to int) arrow.Record {
		n := to - from
		split := array.NewInt32Data(fixedWidth(arrow.PrimitiveTypes.Int32, n, arrow.Int32Traits.CastToBytes(indices[from:to])))
		values := fixedWidth(arrow.PrimitiveTypes.Float32, n*e.Width, arrow.Float32Traits.CastToBytes(e.Values[from*e.Width:to*e.Width]))
		rows := array.NewData(schema.Field(4).Type, n, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 0)
		return array.NewRecord(schema, []arrow.Array{
			array.NewInt64Data(fixedWidth(arrow.PrimitiveTypes.Int64, n, arrow.Int64Traits.CastToBytes(e.IDs[from:to]))),
			array.NewInt32Data(fixedWidth(arrow.PrimitiveTypes.Int32, n, arrow.Int32Traits.CastToBytes(e.Classes[from:to]))),
			array.NewDictionaryArray(schema.Field(2).Type, split, names),
			array.NewUint8Data(fixedWidth(arrow.PrimitiveTypes.Uint8, n, e.Lists[from:to])),
			array.NewFixedSizeListData(rows),
		}, int64(n))
	})
	if err != nil {
		return "", fmt.Errorf("write embeddings %s: %w", path, err)
	}
	return digest, nil
}

// fixedWidth returns array data of n values without nulls over their bytes.
func fixedWidth(t arrow.DataType, n int, bytes []byte) *array.Data {
	return array.NewData(t, n, []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
}

// ReadEmbeddings reads embeddings.arrow.
func ReadEmbeddings(path string) (Embeddings, error) { return readEmbeddings(path, "") }

// readEmbeddings is ReadEmbeddings for a file with a known SHA-256; an empty one is not compared.
func readEmbeddings(path, digest string) (Embeddings, error) {
	var e Embeddings
	var size int64 // of the file, which holds no more values than fit in it
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	err := readArrow(path, digest, embeddingSchema(1), func(_ int64, r arrow.Record) error {
		list := r.Column(4).(*array.FixedSizeList)
		width := int(list.DataType().(*arrow.FixedSizeListType).Len())
		if e.Width = width; width < 1 {
			return fmt.Errorf("embeddings are %d wide, want at least 1", width)
		}
		e.IDs = append(e.IDs, r.Column(0).(*array.Int64).Int64Values()...)
		e.Classes = append(e.Classes, r.Column(1).(*array.Int32).Int32Values()...)
		e.Lists = append(e.Lists, r.Column(3).(*array.Uint8).Uint8Values()...)
		split := r.Column(2).(*array.Dictionary)
		names := split.Dictionary().(*array.String)
		for i := range int(r.NumRows()) {
			e.Splits = append(e.Splits, names.Value(split.GetValueIndex(i)))
		}
		if e.Values == nil { // growing step by step would take twice the memory
			e.Values = make([]float32, 0, size/4)
		}
		first := list.Data().Offset() * width
		values := list.ListValues().(*array.Float32).Float32Values()
		e.Values = append(e.Values, values[first:first+int(r.NumRows())*width]...)
		return nil
	})
	if err == nil && e.Width == 0 {
		err = fmt.Errorf("%s: no batch, want at least one", path)
	}
	if err != nil {
		return Embeddings{}, fmt.Errorf("read embeddings: %w", err)
	}
	return e, nil
}
