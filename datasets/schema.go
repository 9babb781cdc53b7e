package datasets

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// stored is one row as it is written.
type stored struct {
	row           *Row
	width, height int      // pixels of the original, upright
	box           *Box     // clipped to the original, nil where there is none
	source        [32]byte // SHA-256 of the source file
	image         []byte   // as it is stored; nil after it is written
	size          int      // of image in bytes
	sum           [32]byte // SHA-256 of image

	part   int   // number of the part that holds image
	offset int64 // position of image in the file of the part, bytes
}

// sharedFields are the columns that the parts and the index have in common.
func sharedFields() []arrow.Field {
	dictionaryType := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	return []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String},
		{Name: "class", Type: arrow.PrimitiveTypes.Int32},
		{Name: "class_name", Type: dictionaryType},
		{Name: "superclass", Type: dictionaryType},
		{Name: "split", Type: dictionaryType},
		{Name: "list", Type: arrow.PrimitiveTypes.Uint8},
		{Name: "width", Type: arrow.PrimitiveTypes.Int32},
		{Name: "height", Type: arrow.PrimitiveTypes.Int32},
		{Name: "box", Type: arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Int32), Nullable: true},
		{Name: "sha256", Type: &arrow.FixedSizeBinaryType{ByteWidth: 32}},
	}
}

// partSchema is the schema of the parts: image is a JPEG, or RGB [size][size][3].
func partSchema(o Options, metadata arrow.Metadata) *arrow.Schema {
	var image arrow.DataType = arrow.BinaryTypes.Binary
	if o.Store == StoreRGB {
		image = &arrow.FixedSizeBinaryType{ByteWidth: o.Size * o.Size * 3}
	}
	return arrow.NewSchema(append(sharedFields(), arrow.Field{Name: "image", Type: image}), &metadata)
}

// indexSchema is the schema of the index. image_sha256 is the digest of the stored image, which
// lies in part-<part>.arrow: size bytes from offset on.
func indexSchema(metadata arrow.Metadata) *arrow.Schema {
	return arrow.NewSchema(append(sharedFields(),
		arrow.Field{Name: "image_sha256", Type: &arrow.FixedSizeBinaryType{ByteWidth: 32}},
		arrow.Field{Name: "part", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "offset", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Int32},
	), &metadata)
}

// metadata returns what the files say about themselves.
func (m Manifest) metadata() (arrow.Metadata, error) {
	options, err := json.Marshal(m.Options)
	if err != nil {
		return arrow.Metadata{}, err
	}
	lists, err := json.Marshal(m.Lists)
	if err != nil {
		return arrow.Metadata{}, err
	}
	pairs := [][2]string{
		{"schema", fmt.Sprint(m.Schema)},
		{"dataset", m.Set},
		{"release", m.Release},
		{"variant", m.Variant},
		{"layout", m.Layout},
		{"preprocessing", string(options)},
		{"lists", string(lists)},
		{"tool_version", m.ToolVersion},
	}
	var keys, values []string
	for _, p := range pairs {
		keys, values = append(keys, p[0]), append(values, p[1])
	}
	return arrow.NewMetadata(keys, values), nil
}

// dictionary numbers the distinct values of a column.
type dictionary struct {
	index  map[string]int32
	values arrow.Array
}

// newDictionary numbers values in the order in which they first occur.
func newDictionary(values []string) dictionary {
	d := dictionary{index: make(map[string]int32)}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if _, found := d.index[v]; !found {
			d.index[v] = int32(len(d.index))
			b.Append(v)
		}
	}
	d.values = b.NewArray()
	return d
}

// column encodes one value per row.
func (d dictionary) column(rows []stored, value func(*Row) string) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	for _, s := range rows {
		b.Append(d.index[value(s.row)])
	}
	t := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	return array.NewDictionaryArray(t, b.NewArray(), d.values)
}

// dictionaries are those of the dictionary columns. Every part has the same ones, with all values
// of the data set.
type dictionaries struct{ className, superclass, split dictionary }

// newDictionaries collects the values of rows. The splits are always all four, in their order.
func newDictionaries(rows []*Row) dictionaries {
	var classes, superclasses []string
	for _, r := range rows {
		classes, superclasses = append(classes, r.ClassName), append(superclasses, r.Superclass)
	}
	var splits []string
	for _, s := range splitOrder() {
		splits = append(splits, string(s))
	}
	return dictionaries{newDictionary(classes), newDictionary(superclasses), newDictionary(splits)}
}

// sharedColumns builds the columns of sharedFields.
func (d dictionaries) sharedColumns(rows []stored) []arrow.Array {
	mem := memory.DefaultAllocator
	id, name := array.NewInt64Builder(mem), array.NewStringBuilder(mem)
	class, list := array.NewInt32Builder(mem), array.NewUint8Builder(mem)
	width, height := array.NewInt32Builder(mem), array.NewInt32Builder(mem)
	box := array.NewBuilder(mem, arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Int32)).(*array.FixedSizeListBuilder)
	corner := box.ValueBuilder().(*array.Int32Builder)
	source := array.NewFixedSizeBinaryBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: 32})
	for _, s := range rows {
		id.Append(s.row.ID)
		name.Append(s.row.Name)
		class.Append(s.row.Class)
		list.Append(s.row.List)
		width.Append(int32(s.width))
		height.Append(int32(s.height))
		box.Append(s.box != nil)
		b := Box{}
		if s.box != nil {
			b = *s.box
		}
		corner.AppendValues([]int32{int32(b.X0), int32(b.Y0), int32(b.X1), int32(b.Y1)}, nil)
		source.Append(s.source[:])
	}
	return []arrow.Array{
		id.NewArray(), name.NewArray(), class.NewArray(),
		d.className.column(rows, func(r *Row) string { return r.ClassName }),
		d.superclass.column(rows, func(r *Row) string { return r.Superclass }),
		d.split.column(rows, func(r *Row) string { return string(r.Split) }),
		list.NewArray(), width.NewArray(), height.NewArray(), box.NewArray(), source.NewArray(),
	}
}

// partRecord builds a batch of a part.
func (d dictionaries) partRecord(schema *arrow.Schema, rows []stored) arrow.Record {
	b := array.NewBuilder(memory.DefaultAllocator, schema.Field(schema.NumFields()-1).Type)
	for _, s := range rows {
		switch b := b.(type) {
		case *array.BinaryBuilder:
			b.Append(s.image)
		case *array.FixedSizeBinaryBuilder:
			b.Append(s.image)
		}
	}
	return array.NewRecord(schema, append(d.sharedColumns(rows), b.NewArray()), int64(len(rows)))
}

// indexRecord builds a batch of the index.
func (d dictionaries) indexRecord(schema *arrow.Schema, rows []stored) arrow.Record {
	mem := memory.DefaultAllocator
	sum := array.NewFixedSizeBinaryBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: 32})
	part, offset, size := array.NewInt32Builder(mem), array.NewInt64Builder(mem), array.NewInt32Builder(mem)
	for _, s := range rows {
		sum.Append(s.sum[:])
		part.Append(int32(s.part))
		offset.Append(s.offset)
		size.Append(int32(s.size))
	}
	columns := append(d.sharedColumns(rows), sum.NewArray(), part.NewArray(), offset.NewArray(), size.NewArray())
	return array.NewRecord(schema, columns, int64(len(rows)))
}

// splitOrder returns the splits in the order in which rows are sorted.
func splitOrder() []Split { return []Split{Train, Test, Query, Gallery} }

// splitRank returns the position of a split in splitOrder; another one is the last.
func splitRank(s Split) int {
	switch s {
	case Train:
		return 0
	case Test:
		return 1
	case Query:
		return 2
	case Gallery:
		return 3
	}
	return 4
}
