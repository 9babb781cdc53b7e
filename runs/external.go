package runs

import (
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// LabelSet is the dataset of cells whose images are known by a table of labels alone. Their variant is
// the name of the table.
const LabelSet = "labels"

// The similarities by which the vectors of other programs are ranked.
const (
	Cosine    = "cosine"    // the stored vectors have unit length; products are scores
	Dot       = "dot"       // the stored vectors are as they were; products are scores
	Euclidean = "euclidean" // as they were; the score is the squared distance with a minus before it
)

// An External says where the vectors of a cell come from that bierbench did not make.
type External struct {
	Similarity string `json:"similarity"` // cosine, dot or euclidean
	// Recalls are the K of R@K, and Groups says that a query never sees other images of its own group.
	// A prepared data set has rules of its own.
	Recalls []int    `json:"recalls,omitempty"`
	Groups  bool     `json:"groups,omitempty"`
	LeftOut int      `json:"left_out"` // rows of training images, which are not stored
	Sources []Source `json:"sources"`
}

// A Source is a file that a cell was made from.
type Source struct {
	Role   string `json:"role"` // embeddings, labels or ids
	File   string `json:"file"` // its name, without the folder
	Format string `json:"format"`
	Name   string `json:"name,omitempty"` // of the tensor or the column in it
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Labels say what the rows of embeddings.arrow are, where no data set does. All slices have one entry
// for each image, in the order of the embeddings.
type Labels struct {
	IDs          []int64
	Names        []string // ids as the table has them
	Labels       []string // classes as the table has them
	Superclasses []string // empty texts where the table has none
	Groups       []int32  // equal for the images of a group; -1 where the table has no groups
}

// labelsFile is beside the record of a cell of the dataset LabelSet.
const labelsFile = "labels.arrow"

// labelsSchema is the schema of labels.arrow.
func labelsSchema() *arrow.Schema {
	return arrowSchema("labels 1", []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String},
		{Name: "label", Type: arrow.BinaryTypes.String},
		{Name: "superclass", Type: arrow.BinaryTypes.String},
		{Name: "group", Type: arrow.PrimitiveTypes.Int32},
	})
}

// LabelsPath returns the file of a cell's labels.
func (r *Run) LabelsPath(k Key) string { return filepath.Join(r.CellDir(k), labelsFile) }

// WriteLabels writes the labels of a cell and keeps their SHA-256 in c, which is not written.
func (r *Run) WriteLabels(c *Cell, l Labels) error {
	n := len(l.IDs)
	if len(l.Names) != n || len(l.Labels) != n || len(l.Superclasses) != n || len(l.Groups) != n {
		return fmt.Errorf("write labels: %d ids, %d names, %d labels, %d superclasses and %d groups, want as many of each", n,
			len(l.Names), len(l.Labels), len(l.Superclasses), len(l.Groups))
	}
	schema := labelsSchema()
	texts := func(values []string) arrow.Array {
		b := array.NewStringBuilder(memory.NewGoAllocator())
		b.AppendValues(values, nil)
		return b.NewArray()
	}
	const batch = 1 << 16
	digest, err := writeArrow(r.LabelsPath(c.Key), schema, n, batch, func(from, to int) arrow.Record {
		return array.NewRecord(schema, []arrow.Array{
			array.NewInt64Data(fixedWidth(arrow.PrimitiveTypes.Int64, to-from, arrow.Int64Traits.CastToBytes(l.IDs[from:to]))),
			texts(l.Names[from:to]), texts(l.Labels[from:to]), texts(l.Superclasses[from:to]),
			array.NewInt32Data(fixedWidth(arrow.PrimitiveTypes.Int32, to-from, arrow.Int32Traits.CastToBytes(l.Groups[from:to]))),
		}, int64(to-from))
	})
	if err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	c.record(labelsFile, digest)
	return nil
}

// Labels reads the labels of a cell, which must be those that its record has the SHA-256 of.
func (r *Run) Labels(c Cell) (Labels, error) {
	path, digest, err := r.recorded(c, labelsFile)
	if err != nil {
		return Labels{}, fmt.Errorf("read labels: %w", err)
	}
	return readLabels(path, digest)
}

// readLabels reads labels.arrow, whose SHA-256 is compared where it is not empty.
func readLabels(path, digest string) (l Labels, err error) {
	err = readArrow(path, digest, labelsSchema(), func(_ int64, record arrow.Record) error {
		l.IDs = append(l.IDs, record.Column(0).(*array.Int64).Int64Values()...)
		for i, into := range []*[]string{&l.Names, &l.Labels, &l.Superclasses} {
			column := record.Column(1 + i).(*array.String)
			for k := range column.Len() {
				*into = append(*into, column.Value(k))
			}
		}
		l.Groups = append(l.Groups, record.Column(4).(*array.Int32).Int32Values()...)
		return nil
	})
	if err != nil {
		return Labels{}, fmt.Errorf("read labels: %w", err)
	}
	return l, nil
}
