package backbones

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"bierbench/models/internal/sealed"
)

// Features are the pooled backbone features of a data set's images.
type Features struct {
	Key    string    // FeaturesKey: a digest of everything on which the values depend
	IDs    []int64   // image ids, one a row
	Width  int       // of a feature, at least 1
	Values []float32 // row-major [len(IDs), Width]
}

// The Arrow file of cached features: columns id int64 and feature
// fixed_size_list<float32>[Width]; the schema's metadata holds the key
// and the seal.
const (
	featuresKeyField = "bierbench.features.key"
	featuresBatch    = 4096 // rows of a record batch
)

// FeaturesKey returns the cache key of a backbone's features, 32 hexadecimal digits: a digest of
// the data (a digest of its content), the weights (their SHA-256; empty for a network from
// scratch), the network, its input in pixels, and the version of this computation.
func FeaturesKey(data, weights string, net Backbone, input int) string {
	const version = 1 // to be raised when a network's numbers change
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s\x00%s\x00%d", version, data, weights, net.Name, input))
	return hex.EncodeToString(sum[:16])
}

// WriteFeatures writes f to an Arrow file at path, which appears whole or not
// at all.
func WriteFeatures(path string, f Features) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("write features %s: %w", path, err)
	}
	metadata := arrow.NewMetadata([]string{featuresKeyField, sealed.Field}, []string{f.Key, sealed.Placeholder()})
	schema := featuresSchema(f.Width, &metadata)
	return sealed.Replace(path, func(w *os.File) error {
		file, err := ipc.NewFileWriter(w, ipc.WithSchema(schema))
		if err != nil {
			return err
		}
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer builder.Release()
		ids := builder.Field(0).(*array.Int64Builder)
		lists := builder.Field(1).(*array.FixedSizeListBuilder)
		values := lists.ValueBuilder().(*array.Float32Builder)
		for lo := 0; lo < len(f.IDs); lo += featuresBatch {
			hi := min(lo+featuresBatch, len(f.IDs))
			ids.AppendValues(f.IDs[lo:hi], nil)
			for range hi - lo {
				lists.Append(true)
			}
			values.AppendValues(f.Values[lo*f.Width:hi*f.Width], nil)
			record := builder.NewRecord()
			err := file.Write(record)
			record.Release()
			if err != nil {
				return err
			}
		}
		if err := file.Close(); err != nil {
			return err
		}
		return sealed.Seal(w)
	})
}

// featuresSchema is the schema of an Arrow file of features of the given width.
func featuresSchema(width int, metadata *arrow.Metadata) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "feature", Type: arrow.FixedSizeListOf(int32(width), arrow.PrimitiveTypes.Float32)},
	}, metadata)
}

// ErrOtherFeatures says that a file of features has another key than the wanted one.
var ErrOtherFeatures = errors.New("features of another key")

// ReadFeatures reads an Arrow file of features and checks that it has the key, that its columns
// agree in length, and that no byte has changed since it was written.
func ReadFeatures(path, key string) (f Features, err error) {
	file, err := sealed.Open(path)
	if err != nil {
		return Features{}, fmt.Errorf("read features: %w", err)
	}
	defer func() { _ = file.Close() }()
	// The library trusts the lengths in a file, and a failed allocation ends the process, so the
	// seal is checked first.
	if err = sealed.Check(file); err != nil {
		return Features{}, fmt.Errorf("read features %s: %w", path, err)
	}
	info, err := file.Stat()
	if err != nil {
		return Features{}, fmt.Errorf("read features: %w", err)
	}
	if f, err = decodeFeatures(file, info.Size(), key); err != nil {
		return Features{}, fmt.Errorf("read features %s: %w", path, err)
	}
	return f, nil
}

// decodeFeatures reads an Arrow file of size bytes. The library panics on some broken files.
func decodeFeatures(r ipc.ReadAtSeeker, size int64, key string) (f Features, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("broken Arrow file: %v", v)
		}
	}()
	reader, err := ipc.NewFileReader(r)
	if err != nil {
		return Features{}, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	schema := reader.Schema()
	metadata := schema.Metadata()
	if i := metadata.FindKey(featuresKeyField); i < 0 || metadata.Values()[i] != key {
		return Features{}, fmt.Errorf("%w, want %s", ErrOtherFeatures, key)
	}
	f.Key = key
	if schema.NumFields() != 2 {
		return Features{}, fmt.Errorf("%d columns, want id and feature", schema.NumFields())
	}
	list, ok := schema.Field(1).Type.(*arrow.FixedSizeListType)
	if !ok || list.Elem().ID() != arrow.FLOAT32 || schema.Field(0).Type.ID() != arrow.INT64 || list.Len() < 1 {
		return Features{}, fmt.Errorf("columns %v, want id int64 and feature fixed_size_list<float32>", schema.Fields())
	}
	f.Width = int(list.Len())
	if reader.NumRecords() > 0 { // growing would take twice the memory
		f.Values = make([]float32, 0, size/4)
	}
	for i := range reader.NumRecords() {
		record, err := reader.Record(i)
		if err != nil {
			return Features{}, fmt.Errorf("record batch %d: %w", i, err)
		}
		ids := record.Column(0).(*array.Int64)
		lists := record.Column(1).(*array.FixedSizeList)
		values := lists.ListValues().(*array.Float32)
		if ids.Len() != lists.Len() || values.Len() != ids.Len()*f.Width || ids.NullN()+lists.NullN()+values.NullN() > 0 {
			return Features{}, fmt.Errorf("record batch %d: %d ids and %d values, want %d values an id and no nulls", i, ids.Len(),
				values.Len(), f.Width)
		}
		f.IDs = append(f.IDs, ids.Int64Values()...)
		f.Values = append(f.Values, values.Float32Values()...)
	}
	return f, f.check()
}

func (f Features) check() error {
	if f.Width < 1 || len(f.Values) != len(f.IDs)*f.Width {
		return fmt.Errorf("%d values, want %d ids of width %d", len(f.Values), len(f.IDs), f.Width)
	}
	return nil
}
