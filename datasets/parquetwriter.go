package datasets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
)

// ParquetExport is what WriteParquet wrote.
type ParquetExport struct {
	Dir    string       `json:"dir"`
	Splits []SplitFiles `json:"splits"`
	Images int          `json:"images"`
	Bytes  int64        `json:"bytes"` // of all files
}

// SplitFiles are the files of one split.
type SplitFiles struct {
	Split  Split    `json:"split"`
	Images int      `json:"images"`
	Files  []string `json:"files"` // slash paths below ParquetExport.Dir
}

// The sizes of what is written, which are usual for images: a viewer loads a row group to show one row.
const (
	parquetGroupRows  = 100
	parquetShardBytes = 500 << 20 // bytes of images in a file
)

// exportedFile is the name of a file of an export, below its folder.
var exportedFile = regexp.MustCompile(`^(train|test|query|gallery)-\d{5}-of-\d{5}\.parquet$`)

// WriteParquet writes an open data set into the folder dir as Parquet files that Hugging Face's datasets
// opens as images with named classes: data/<split>-00000-of-00001.parquet, ... The columns are
//
//	image     struct<bytes, path>: the stored image, a JPEG, or a PNG where raw pixels are stored, and the name
//	label     int64: the place of the class among all classes of the data set by number, counted from 0
//	id        int64: the number in the list
//	category  string: the super class; null where there is none
//
// and the metadata name the classes. The same data set gives the same bytes. The folder is written whole
// or not at all; one that holds an earlier export of the same set and variant, or nothing, is replaced,
// and any other is an error. A hidden file says of what an export is.
func WriteParquet(ctx context.Context, d *Dataset, dir string, progress func(done, total int)) (*ParquetExport, error) {
	dir = filepath.Clean(dir)
	if err := checkExportFolder(dir, exportOf(d)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	partial := hiddenDir(dir, "partial")
	if err := os.RemoveAll(partial); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(partial, "data"), 0o755); err != nil {
		return nil, err
	}
	w := &parquetWriter{d: d, dir: partial, progress: progress, out: &ParquetExport{Dir: dir, Images: d.Len()}}
	err := w.write(ctx)
	if err == nil {
		err = writeFile(filepath.Join(partial, exportMark), []byte(exportOf(d)+"\n"))
	}
	if err == nil {
		err = errors.Join(syncDir(filepath.Join(partial, "data")), syncDir(partial))
	}
	if err == nil {
		err = replaceDir(dir, partial, moves{exchange, os.Rename})
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(partial))
	}
	return w.out, nil
}

// exportMark is the file of an export that says of what it is. Programs that read a folder of Parquet files
// leave hidden files alone.
const exportMark = ".bierbench-export"

// exportOf returns what the mark of an export says.
func exportOf(d *Dataset) string { return d.Manifest.Set + "/" + d.Manifest.Variant }

// checkExportFolder returns an error where dir holds anything but an earlier export of the same.
func checkExportFolder(dir, of string) error {
	foreign := func(name string) error {
		return fmt.Errorf("%s holds %s, which export did not write: choose another folder", dir, name)
	}
	top, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(top) == 0 {
		return nil
	}
	mark, err := os.ReadFile(filepath.Join(dir, exportMark))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if got := strings.TrimSpace(string(mark)); err == nil && got != of {
		return fmt.Errorf("%s holds the export of %s: choose another folder", dir, quote(got))
	}
	for _, e := range top {
		if err == nil && e.Name() == exportMark {
			continue
		}
		if e.Name() != "data" || !e.IsDir() || err != nil {
			return foreign(e.Name())
		}
		files, failed := os.ReadDir(filepath.Join(dir, "data"))
		if failed != nil {
			return failed
		}
		for _, f := range files {
			if !exportedFile.MatchString(f.Name()) {
				return foreign(filepath.Join("data", f.Name()))
			}
		}
	}
	return nil
}

// A parquetWriter writes a data set as Parquet files.
type parquetWriter struct {
	d        *Dataset
	dir      string
	progress func(done, total int)
	labels   map[int32]int64 // by class number
	metadata string          // of Hugging Face's datasets
	done     int
	out      *ParquetExport
}

// write writes all splits.
func (w *parquetWriter) write(ctx context.Context) error {
	var err error
	if w.metadata, err = hubMetadata(w.classNames()); err != nil {
		return err
	}
	for _, split := range splitOrder() {
		rows := w.d.Rows(split)
		if len(rows) == 0 {
			continue
		}
		shards := w.shards(rows)
		files := SplitFiles{Split: split, Images: len(rows)}
		for i, shard := range shards {
			name := fmt.Sprintf("data/%s-%05d-of-%05d.parquet", split, i, len(shards))
			if err := w.file(ctx, name, shard); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			files.Files = append(files.Files, name)
		}
		w.out.Splits = append(w.out.Splits, files)
	}
	return nil
}

// classNames numbers the classes from 0 on and returns their names. Names must differ: a class whose name
// another one has, too, gets its number behind it.
func (w *parquetWriter) classNames() []string {
	byNumber := map[int32]string{}
	used := map[string]int{}
	var numbers []int32
	for i := range w.d.Len() {
		if _, known := byNumber[w.d.Class(i)]; !known {
			numbers = append(numbers, w.d.Class(i))
			used[w.d.ClassName(i)]++
		}
		byNumber[w.d.Class(i)] = w.d.ClassName(i)
	}
	slices.Sort(numbers)
	w.labels = map[int32]int64{}
	var names []string
	for k, number := range numbers {
		name := byNumber[number]
		if used[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, number)
		}
		w.labels[number] = int64(k)
		names = append(names, name)
	}
	return names
}

// hubMetadata is what datasets.Features of Hugging Face's datasets writes about the columns.
func hubMetadata(names []string) (string, error) {
	type feature struct {
		Names []string `json:"names,omitempty"`
		Dtype string   `json:"dtype,omitempty"`
		Type  string   `json:"_type"`
	}
	var about struct {
		Info struct {
			Features struct {
				Image    feature `json:"image"`
				Label    feature `json:"label"`
				ID       feature `json:"id"`
				Category feature `json:"category"`
			} `json:"features"`
		} `json:"info"`
	}
	f := &about.Info.Features
	f.Image, f.Label = feature{Type: "Image"}, feature{Names: names, Type: "ClassLabel"}
	f.ID, f.Category = feature{Dtype: "int64", Type: "Value"}, feature{Dtype: "string", Type: "Value"}
	text, err := json.Marshal(about)
	return string(text), err
}

// shards divides the rows of a split so that the images of each part have about parquetShardBytes.
func (w *parquetWriter) shards(rows []int) [][]int {
	var all [][]int
	size, start := 0, 0
	for k, i := range rows {
		if size += w.d.rows[i].size; size >= parquetShardBytes {
			all = append(all, rows[start:k+1])
			size, start = 0, k+1
		}
	}
	if start < len(rows) {
		all = append(all, rows[start:])
	}
	return all
}

// parquetSchema are the columns of an export. All of them may be null, though only categories are: Hugging
// Face's datasets takes the types in the metadata only for columns that may.
func parquetSchema() (*schema.GroupNode, error) {
	const noID = -1
	optional := parquet.Repetitions.Optional
	text := func(name string) (*schema.PrimitiveNode, error) {
		return schema.NewPrimitiveNodeLogical(name, optional, schema.StringLogicalType{}, parquet.Types.ByteArray, noID, noID)
	}
	path, err := text("path")
	if err != nil {
		return nil, err
	}
	category, err := text("category")
	if err != nil {
		return nil, err
	}
	image, err := schema.NewGroupNode("image", optional, schema.FieldList{schema.NewByteArrayNode("bytes", optional, noID), path}, noID)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
		image, schema.NewInt64Node("label", optional, noID), schema.NewInt64Node("id", optional, noID), category,
	}, noID)
}

// file writes one file. Images are not compressed once more, have no dictionary, and are not put into the
// statistics.
func (w *parquetWriter) file(ctx context.Context, name string, rows []int) error {
	columns, err := parquetSchema()
	if err != nil {
		return err
	}
	f, err := createFile(filepath.Join(w.dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	p := file.NewParquetWriter(justWriter{f}, columns, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithCompressionFor("image.bytes", compress.Codecs.Uncompressed),
		parquet.WithDictionaryFor("image.bytes", false), parquet.WithStatsFor("image.bytes", false),
	)))
	if err = p.AppendKeyValueMetadata("huggingface", w.metadata); err == nil {
		for group := range slices.Chunk(rows, parquetGroupRows) {
			if err = w.group(ctx, p.AppendRowGroup(), group); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = p.Close()
	}
	if err != nil {
		return errors.Join(err, f.abandon())
	}
	if info, failed := f.Stat(); failed == nil {
		w.out.Bytes += info.Size()
	}
	return f.commit()
}

// justWriter hides that a file can be closed: the Parquet writer would, before it is synced.
type justWriter struct{ file *newFile }

// Write writes to the file.
func (w justWriter) Write(p []byte) (int, error) { return w.file.Write(p) }

// group writes a row group, column by column.
func (w *parquetWriter) group(ctx context.Context, g file.SerialRowGroupWriter, rows []int) error {
	var paths, categories []parquet.ByteArray
	var labels, ids []int64
	var there []int16 // definition levels of categories: 0 is null
	for _, i := range rows {
		paths = append(paths, parquet.ByteArray(w.d.Name(i)))
		labels, ids = append(labels, w.labels[w.d.Class(i)]), append(ids, w.d.ID(i))
		if category := w.d.Superclass(i); category != "" {
			categories, there = append(categories, parquet.ByteArray(category)), append(there, 1)
		} else {
			there = append(there, 0)
		}
	}
	// levels says of all rows that they are not null, in a column at a depth.
	levels := func(depth int16) []int16 { return slices.Repeat([]int16{depth}, len(rows)) }
	for range g.NumColumns() {
		c, err := g.NextColumn()
		if err != nil {
			return err
		}
		switch path := c.Descr().Path(); path {
		case "image.bytes":
			err = w.images(ctx, c.(*file.ByteArrayColumnChunkWriter), rows)
		case "image.path":
			_, err = c.(*file.ByteArrayColumnChunkWriter).WriteBatch(paths, levels(2), nil)
		case "label":
			_, err = c.(*file.Int64ColumnChunkWriter).WriteBatch(labels, levels(1), nil)
		case "id":
			_, err = c.(*file.Int64ColumnChunkWriter).WriteBatch(ids, levels(1), nil)
		default:
			_, err = c.(*file.ByteArrayColumnChunkWriter).WriteBatch(categories, there, nil)
		}
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return g.Close()
}

// images writes the images of a row group one by one.
func (w *parquetWriter) images(ctx context.Context, c *file.ByteArrayColumnChunkWriter, rows []int) error {
	for _, i := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := w.image(i)
		if err != nil {
			return err
		}
		if _, err = c.WriteBatch([]parquet.ByteArray{data}, []int16{2}, nil); err != nil {
			return err
		}
		if w.done++; w.progress != nil {
			w.progress(w.done, w.d.Len())
		}
	}
	return nil
}

// image returns the image of row i: a JPEG as it is stored, or the pixels as a PNG.
func (w *parquetWriter) image(i int) ([]byte, error) {
	data, err := w.d.Image(i)
	o := w.d.Manifest.Options
	if err != nil || o.Store == StoreJPEG {
		return data, err
	}
	m := image.NewNRGBA(image.Rect(0, 0, o.Size, o.Size))
	for k := range o.Size * o.Size {
		copy(m.Pix[4*k:], data[3*k:3*k+3])
		m.Pix[4*k+3] = 0xff
	}
	var out bytes.Buffer
	err = png.Encode(&out, m)
	return out.Bytes(), err
}
