package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
)

// parquetFiles are Parquet files of images as Hugging Face's datasets writes them: a column struct<bytes,
// path>, a column of labels, whose names are in the metadata, and a split in the names of the files. The
// other columns of a table of images are read, too.
func parquetFiles() Set { return ownSet("parquet", "Parquet files of images", readParquet) }

// A parquetReader holds what was read so far.
type parquetReader struct {
	dir   string   // that the names of files are relative to
	files []string // slash paths
	sums  []List
	rows  []ownRow
	names []string // of the classes, by label; nil: the labels are the names
	heap  map[string]string
}

// readParquet reads the file o.Raw, or all Parquet files at or below the folder o.Raw.
func readParquet(ctx context.Context, o IngestOptions) (*Layout, *Source, error) {
	r := &parquetReader{heap: map[string]string{}}
	var err error
	if r.dir, r.files, err = parquetIn(o.Raw); err != nil {
		return nil, nil, err
	}
	for i, name := range r.files {
		err = r.each(name, func(p *parquetTable) error { return r.readRows(ctx, i, p) })
		if err != nil {
			return nil, nil, err
		}
	}
	layout, err := ownLayout(ctx, "parquet", o, r.rows)
	if err != nil {
		return nil, nil, err
	}
	layout.Root, layout.Found = r.dir, "Parquet files"
	if len(r.files) == 1 {
		layout.Found = "a Parquet file"
	}
	layout.Lists = append(r.sums, layout.Lists...)
	store, err := newSpool(filepath.Join(o.Out, "parquet"), len(r.rows))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range r.files {
		err = r.each(name, func(p *parquetTable) error { return r.copyImages(ctx, p, store) })
		if err != nil {
			break
		}
	}
	if err == nil {
		err = store.flush()
	}
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return layout, &Source{name: r.dir, base: ".", layers: []layer{store}, folded: folded{}}, nil
}

// parquetIn returns the Parquet files that raw stands for, sorted by the bytes of their paths, which are
// relative to dir.
func parquetIn(raw string) (dir string, files []string, err error) {
	info, err := os.Stat(raw)
	if err != nil {
		return "", nil, err
	}
	if !info.IsDir() {
		return filepath.Dir(raw), []string{filepath.Base(raw)}, nil
	}
	err = fs.WalkDir(os.DirFS(raw), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && isHidden(e.Name()):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && strings.EqualFold(path.Ext(name), ".parquet"):
			files = append(files, name)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no .parquet file in %s or below it", raw)
	}
	slices.Sort(files)
	return raw, files, err
}

// fileSplit returns the split that the name of a file says, as in train-00000-of-00002.parquet, or that of
// a folder on the way to it; "" where none does.
func fileSplit(name string) string {
	parts := strings.Split(name, "/")
	slices.Reverse(parts)
	for _, part := range parts {
		word, _, _ := strings.Cut(strings.TrimSuffix(part, path.Ext(name)), "-")
		if split := splitWord(word); split != "" {
			return split
		}
	}
	return ""
}

// A parquetTable is an open file and its columns.
type parquetTable struct {
	name         string // slash path
	file         *os.File
	size         int64
	allocator    memory.Allocator
	reader       *file.Reader
	columns      map[string]int // leaves by path, such as image.bytes
	image, label string         // columns
	labels       []string       // names of the classes, by label; nil: the labels are the names
}

// each opens a file and calls use. Arrow's reader panics on some damaged files, which becomes an error.
func (r *parquetReader) each(name string, use func(*parquetTable) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged Parquet file: %v", name, p)
		}
	}()
	at := filepath.Join(r.dir, filepath.FromSlash(name))
	f, size, err := openRegular(at)
	if err != nil {
		return err
	}
	defer f.Close()
	if err = vetParquetFooter(f, size); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	p := &parquetTable{name: name, file: f, size: size, allocator: boundedMemory{memory.DefaultAllocator, mostPageBytes}}
	if p.reader, err = file.NewParquetReader(f, file.WithReadProps(parquet.NewReaderProperties(p.allocator))); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if err = p.describe(); err == nil {
		err = use(p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// describe finds the columns of the images and of the labels.
func (p *parquetTable) describe() error {
	const leastImage = 16 // bytes
	if n := p.reader.NumRows(); n < 0 || n > p.size/leastImage {
		return fmt.Errorf("file claims %d rows in %d bytes", n, p.size)
	}
	schema := p.reader.MetaData().Schema
	p.columns = map[string]int{}
	for i := range schema.NumColumns() {
		if c := schema.Column(i); c.MaxRepetitionLevel() == 0 {
			p.columns[c.Path()] = i
		}
	}
	names, types, err := p.features()
	if err != nil {
		return err
	}
	var images, labels []string
	for column := range p.columns {
		top, leaf, nested := strings.Cut(column, ".")
		if nested && leaf == "bytes" && (types[top] == "" || types[top] == "Image") {
			images = append(images, top)
		}
		if !nested && types[column] == "ClassLabel" {
			labels = append(labels, column)
		}
	}
	if p.image, err = oneColumn("image", images); err != nil {
		return fmt.Errorf("no column of images: %w (struct of bytes and path, as of Hugging Face's Image); columns are %s", err, p.columnList())
	}
	if _, there := p.columns["label"]; there {
		labels = []string{"label"}
	}
	if p.label, err = oneColumn("label", labels); err != nil {
		return fmt.Errorf("no column of labels: %w; columns are %s", err, p.columnList())
	}
	p.labels = names[p.label]
	return nil
}

// oneColumn returns the column called name, or the only one that there is.
func oneColumn(name string, found []string) (string, error) {
	switch {
	case slices.Contains(found, name) || len(found) == 0:
		if len(found) > 0 {
			return name, nil
		}
		return "", fmt.Errorf("want one called %s", name)
	case len(found) == 1:
		return found[0], nil
	}
	slices.Sort(found)
	return "", fmt.Errorf("want one called %s, or a single one, but there are %s", name, strings.Join(found, " and "))
}

// columnList returns the names of the columns in words.
func (p *parquetTable) columnList() string {
	return someNames(slices.Sorted(maps.Keys(p.columns)))
}

// features reads what Hugging Face's datasets writes about the columns into the metadata: the type of each
// and, of a ClassLabel, the names.
func (p *parquetTable) features() (names map[string][]string, types map[string]string, err error) {
	names, types = map[string][]string{}, map[string]string{}
	text := p.reader.MetaData().KeyValueMetadata().FindValue("huggingface")
	if text == nil {
		return names, types, nil
	}
	var about struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if err = json.Unmarshal([]byte(*text), &about); err != nil {
		return nil, nil, fmt.Errorf("metadata huggingface: %w", err)
	}
	for column, raw := range about.Info.Features {
		var feature struct {
			Type  string   `json:"_type"`
			Names []string `json:"names"`
		}
		if json.Unmarshal(raw, &feature) != nil {
			continue // a list of features
		}
		types[column] = feature.Type
		if feature.Type == "ClassLabel" && len(feature.Names) > 0 {
			names[column] = feature.Names
		}
	}
	return names, types, nil
}

// readRows reads everything of a file but its images. i is the number of the file.
func (r *parquetReader) readRows(ctx context.Context, i int, p *parquetTable) error {
	if i > 0 && !slices.Equal(r.names, p.labels) {
		return fmt.Errorf("the names of the classes differ from those in %s", r.files[0])
	}
	r.names = p.labels
	if sorted := slices.Sorted(slices.Values(p.labels)); len(slices.Compact(sorted)) < len(p.labels) {
		return errors.New("two classes have the same name in the metadata")
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.file, 0, p.size)); err != nil {
		return err
	}
	before, split := len(r.rows), fileSplit(p.name)
	err := p.eachGroup(ctx, func(group *file.RowGroupReader, first int64) error {
		columns := map[string][]string{}
		for _, name := range append(columnNames()[2:], p.label, p.image+".path") {
			at, there := p.columns[name]
			if !there {
				continue
			}
			values := make([]string, 0, group.NumRows())
			err := p.eachValue(group, at, func(_ int64, v value) error {
				values = append(values, r.intern(v.String()))
				return nil
			})
			if err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
			columns[name] = values
		}
		for k := range group.NumRows() {
			if err := r.row(p, split, first+k, columns, int(k)); err != nil {
				return err
			}
		}
		return nil
	})
	r.sums = append(r.sums, List{Name: p.name, SHA256: hex.EncodeToString(sum.Sum(nil)), Rows: len(r.rows) - before})
	return err
}

// intern returns equal texts as one.
func (r *parquetReader) intern(text string) string {
	const most = 1 << 16
	if known, ok := r.heap[text]; ok {
		return known
	}
	if len(r.heap) < most {
		r.heap[text] = text
	}
	return text
}

// row adds row k of a row group, which is row at of its file, counted from 0.
func (r *parquetReader) row(p *parquetTable, split string, at int64, columns map[string][]string, k int) error {
	field := func(name string) string {
		if values := columns[name]; values != nil {
			return values[k]
		}
		return ""
	}
	row := ownRow{
		place: fmt.Sprintf("%s:row %d", p.name, at+1), file: fmt.Sprintf("%s#%d", p.name, len(r.rows)),
		name: field(p.image + ".path"), number: -1,
	}
	if row.name == "" {
		row.name = fmt.Sprintf("%s#%d", p.name, at+1)
	}
	if !utf8.ValidString(row.name) || strings.ContainsFunc(row.name, isControl) {
		return row.errorf("path is no text: %s", quote(row.name))
	}
	f := ownFields{
		label: field(p.label), split: field("split"), isQuery: field("is_query"), isGallery: field("is_gallery"),
		category: field("category"), id: field("id"), corners: [4]string{field("x_1"), field("y_1"), field("x_2"), field("y_2")},
	}
	if p.labels != nil && f.label != "" {
		n, err := strconv.ParseInt(f.label, 10, 32)
		switch {
		case err == nil && n == -1:
			return row.errorf("label is -1, which stands for an image without a label; leave such rows out")
		case err != nil || n < 0 || n >= int64(len(p.labels)):
			return row.errorf("label, want 0 to %d, which have names in the metadata, got %s", len(p.labels)-1, quote(f.label))
		}
		f.label, row.number = p.labels[n], int32(n+1)
	}
	if !utf8.ValidString(f.label) || !utf8.ValidString(f.category) {
		return row.errorf("label or category is no text in UTF-8: %s", quote(f.label))
	}
	if err := f.fill(&row); err != nil {
		return err
	}
	switch {
	case row.split == "":
		row.split = split
	case row.split == string(Train) && split != "" && split != row.split: // files may all be called train, not all be called test
		return row.errorf("column split says %s, but the name of the file or its folder says %s", row.split, split)
	}
	r.rows = append(r.rows, row)
	return nil
}

// copyImages copies the images of a file to the store.
func (r *parquetReader) copyImages(ctx context.Context, p *parquetTable, store *spool) error {
	at, there := p.columns[p.image+".bytes"]
	if !there {
		return fmt.Errorf("column %s has no bytes", p.image)
	}
	return p.eachGroup(ctx, func(group *file.RowGroupReader, first int64) error {
		return p.eachValue(group, at, func(k int64, v value) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !v.valid {
				return store.skip()
			}
			if len(v.bytes) > byteLimit {
				v.bytes = v.bytes[:byteLimit+1] // it is quarantined
			}
			if err := store.add(v.bytes); err != nil {
				return fmt.Errorf("row %d: %w", first+k+1, err)
			}
			return nil
		})
	})
}

// eachGroup calls use with each row group and the number of rows before it.
func (p *parquetTable) eachGroup(ctx context.Context, use func(group *file.RowGroupReader, first int64) error) error {
	first := int64(0)
	for i := range p.reader.NumRowGroups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		group := p.reader.RowGroup(i)
		n := group.NumRows()
		if n < 0 || first+n > p.reader.NumRows() {
			return fmt.Errorf("row group %d claims %d rows, but the file has %d", i, n, p.reader.NumRows())
		}
		if err := use(group, first); err != nil {
			return err
		}
		first += n
	}
	if first != p.reader.NumRows() {
		return fmt.Errorf("the row groups have %d rows, but the file claims %d", first, p.reader.NumRows())
	}
	return nil
}

// A value is one of a column: bytes or a number.
type value struct {
	bytes  []byte // valid until the next value
	number string
	valid  bool
}

// String returns the value as text; empty where there is none.
func (v value) String() string {
	if v.number != "" {
		return v.number
	}
	return string(v.bytes)
}

// eachValue calls use with each value of column i of a row group.
func (p *parquetTable) eachValue(group *file.RowGroupReader, i int, use func(k int64, v value) error) error {
	pages, err := newPageReader(p.file, p.size, group, i)
	if err != nil {
		return err
	}
	descriptor := p.reader.MetaData().Schema.Column(i)
	column := file.NewColumnReader(descriptor, pages, p.allocator, p.reader.BufferPool())
	const batch = 64
	levels := make([]int16, batch)
	most := descriptor.MaxDefinitionLevel()
	seen := int64(0)
	for seen < group.NumRows() {
		n := min(batch, group.NumRows()-seen)
		values, total, err := readValues(column, n, levels)
		if err != nil {
			return err
		}
		if total == 0 {
			if err = pages.Err(); err != nil {
				return err
			}
			break
		}
		for k := range total {
			v := value{}
			if most == 0 || levels[k] == most {
				if len(values) == 0 {
					return errors.New("column has fewer values than it says")
				}
				v, values = values[0], values[1:]
			}
			if err = use(seen+k, v); err != nil {
				return err
			}
		}
		seen += total
	}
	if seen != group.NumRows() {
		return fmt.Errorf("column has %d values in %d rows", seen, group.NumRows())
	}
	return nil
}

// readValues reads up to n rows of a column: their values, without those that are null, the number of
// rows, and the definition level of each.
func readValues(column file.ColumnChunkReader, n int64, levels []int16) (out []value, total int64, err error) {
	var read int
	switch c := column.(type) {
	case *file.ByteArrayColumnChunkReader:
		values := make([]parquet.ByteArray, n)
		if total, read, err = c.ReadBatch(n, values, levels, nil); err == nil {
			for _, v := range values[:read] {
				out = append(out, value{bytes: v, valid: true})
			}
		}
	case *file.Int64ColumnChunkReader:
		values := make([]int64, n)
		total, read, err = c.ReadBatch(n, values, levels, nil)
		out = numbers(values[:read], func(v int64) string { return strconv.FormatInt(v, 10) })
	case *file.Int32ColumnChunkReader:
		values := make([]int32, n)
		total, read, err = c.ReadBatch(n, values, levels, nil)
		out = numbers(values[:read], func(v int32) string { return strconv.FormatInt(int64(v), 10) })
	case *file.Float64ColumnChunkReader:
		values := make([]float64, n)
		total, read, err = c.ReadBatch(n, values, levels, nil)
		out = numbers(values[:read], func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) })
	case *file.BooleanColumnChunkReader:
		values := make([]bool, n)
		total, read, err = c.ReadBatch(n, values, levels, nil)
		out = numbers(values[:read], strconv.FormatBool)
	default:
		err = fmt.Errorf("values of type %v are not read", column.Type())
	}
	return out, total, err
}

// numbers returns numbers as values.
func numbers[T any](values []T, text func(T) string) []value {
	out := make([]value, len(values))
	for i, v := range values {
		out[i] = value{number: text(v), valid: true}
	}
	return out
}
