package vectors

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// arrowFile is an Arrow file or stream whose batches are read in any order.
type arrowFile struct {
	file     *file
	schema   *arrow.Schema
	messages []arrowMessage
	batches  []int   // positions in messages
	first    []int64 // row that each batch begins with, and the number of rows
}

// openArrowFile reads the schema and finds the batches.
func openArrowFile(f *file) (*arrowFile, error) {
	a := &arrowFile{file: f, first: []int64{0}}
	var err error
	if a.messages, err = arrowMessages(f); err != nil {
		return nil, err
	}
	if len(a.messages) == 0 || a.messages[0].kind != messageSchema {
		return nil, f.errorAt(0, "no schema at the beginning")
	}
	total := int64(0)
	for i, m := range a.messages {
		if m.kind != messageBatch {
			continue
		}
		if total += m.rows; total > f.mostValues() {
			return nil, f.errorAt(m.meta, "%d rows in %d bytes: more than it can hold", total, f.size)
		}
		a.batches, a.first = append(a.batches, i), append(a.first, total)
	}
	r, err := a.reader(a.messages[:1])
	if err != nil {
		return nil, err
	}
	defer r.Release()
	if a.schema = r.Schema(); a.schema.NumFields() == 0 {
		return nil, f.errorf("no columns")
	}
	return a, nil
}

// reader reads some messages, of which the first is the schema.
func (a *arrowFile) reader(queue []arrowMessage) (*ipc.Reader, error) {
	mem := &boundedMemory{limit: a.file.mostBytes()}
	r, err := ipc.NewReaderFromMessageReader(&messageSource{file: a.file, next: queue}, ipc.WithAllocator(mem))
	if err != nil {
		return nil, a.file.errorf("%w", err)
	}
	return r, nil
}

// batch reads one batch, with the dictionaries before it.
func (a *arrowFile) batch(i int) (arrow.Record, error) {
	queue := []arrowMessage{a.messages[0]}
	for _, m := range a.messages[:a.batches[i]] {
		if m.kind == messageDictionary {
			queue = append(queue, m)
		}
	}
	r, err := a.reader(append(queue, a.messages[a.batches[i]]))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	if !r.Next() {
		if err = r.Err(); err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, a.file.errorAt(a.messages[a.batches[i]].meta, "batch %d: %w", i, err)
	}
	record := r.Record()
	if rows := a.first[i+1] - a.first[i]; record.NumRows() != rows {
		return nil, a.file.errorf("batch %d has %d rows, want %d", i, record.NumRows(), rows)
	}
	for k, c := range record.Columns() { // the Arrow reader lets a column claim any length
		if int64(c.Len()) != record.NumRows() {
			return nil, a.file.errorf("batch %d: column %s has %d rows, want %d", i, record.ColumnName(k), c.Len(), record.NumRows())
		}
	}
	record.Retain()
	return record, nil
}

// floatElements returns the element type of an Arrow type, false where it is no float.
func floatElements(t arrow.DataType) (elements, bool) {
	switch t.ID() { //nolint:exhaustive // the others are no floats
	case arrow.FLOAT16:
		return half(), true
	case arrow.FLOAT32:
		return single(), true
	case arrow.FLOAT64:
		return double(), true
	}
	return elements{}, false
}

// arrowNumbers is a column of lists.
type arrowNumbers struct {
	*arrowFile
	column int
	name   string
	kind   elements
	width  int
	held   int // number of the batch in values, -1 where there is none
	values []float32
}

// openArrow opens a column of lists as a matrix.
func openArrow(f *file, o Options) (numbers, error) {
	a, err := openArrowFile(f)
	if err != nil {
		return nil, err
	}
	kinds := map[string]elements{}
	var names []string
	for _, field := range a.schema.Fields() {
		list, ok := field.Type.(arrow.ListLikeType)
		if !ok {
			continue
		}
		if kind, ok := floatElements(list.Elem()); ok && listReadable(field.Type) {
			kinds[field.Name], names = kind, append(names, field.Name)
		}
	}
	name, err := chosenColumn(f, o.Name, names, arrowCells{a}.names())
	if err != nil {
		return nil, err
	}
	n := &arrowNumbers{arrowFile: a, column: a.schema.FieldIndices(name)[0], name: name, kind: kinds[name], held: -1}
	if list, ok := a.schema.Field(n.column).Type.(*arrow.FixedSizeListType); ok {
		n.width = int(list.Len())
		return n, nil
	}
	for i := range a.batches { // the first row says how long the lists are
		if a.first[i+1] > a.first[i] {
			return n, n.load(i)
		}
	}
	return n, nil
}

// listReadable reports whether lists of a type are read.
func listReadable(t arrow.DataType) bool {
	switch t.ID() { //nolint:exhaustive // the others are not read
	case arrow.FIXED_SIZE_LIST, arrow.LIST, arrow.LARGE_LIST:
		return true
	}
	return false
}

// chosenColumn returns the name of the column that is meant, one of the lists of floats among all
// columns.
func chosenColumn(f *file, name string, found, all []string) (string, error) {
	if name == "" {
		var err error
		if name, err = onlyOne(f, "column with lists of floats", found); err != nil {
			return "", err
		}
	}
	if !slices.Contains(found, name) {
		return "", f.errorf("no column %q with lists of floats; there is %v", name, found)
	}
	return name, calledOnce(f, name, all)
}

// calledOnce returns an error where several columns have a name: which is meant is not known.
func calledOnce(f *file, name string, all []string) error {
	if i := slices.Index(all, name); i >= 0 && slices.Contains(all[i+1:], name) {
		return f.errorf("two columns are called %q", name)
	}
	return nil
}

func (n *arrowNumbers) shape() (rows, width int64) { return n.first[len(n.first)-1], int64(n.width) }

func (n *arrowNumbers) read(lo, hi int, dst []float32) error {
	for row := int64(lo); row < int64(hi); {
		i := sort.Search(len(n.batches), func(i int) bool { return n.first[i+1] > row })
		if i != n.held {
			if err := n.load(i); err != nil {
				return err
			}
		}
		to := min(int64(hi), n.first[i+1])
		copy(dst[(row-int64(lo))*int64(n.width):], n.values[(row-n.first[i])*int64(n.width):(to-n.first[i])*int64(n.width)])
		row = to
	}
	return nil
}

// load decodes a batch.
func (n *arrowNumbers) load(i int) error {
	n.held = -1
	record, err := n.batch(i)
	if err != nil {
		return err
	}
	defer record.Release()
	rows, column := int(record.NumRows()), record.Column(n.column)
	list, ok := column.(array.ListLike)
	if !ok {
		return n.file.errorf("column %s of batch %d is %v, want lists", n.name, i, column.DataType())
	}
	if list.NullN() > 0 || list.ListValues().NullN() > 0 {
		return n.file.errorf("row %d: column %s has null", n.first[i]+int64(nullRow(list)), n.name)
	}
	values := list.ListValues()
	raw := values.Data().Buffers()[1].Bytes()[values.Data().Offset()*n.kind.size:]
	for r := range rows {
		from, to := list.ValueOffsets(r)
		if n.width == 0 {
			n.width = int(to - from)
		}
		if to-from != int64(n.width) {
			return n.file.errorf("row %d: %d numbers, want %d as in the rows before", n.first[i]+int64(r), to-from, n.width)
		}
		if n.values == nil || r == 0 {
			if int64(rows)*int64(n.width) > n.file.mostValues() {
				return n.file.errorf("batch %d: %d rows of %d numbers: more than it can hold", i, rows, n.width)
			}
			n.values = resized(n.values, rows*n.width)
		}
		size := int64(n.kind.size)
		n.kind.decode(binary.LittleEndian, raw[from*size:to*size], n.values[r*n.width:], 1)
	}
	n.held = i
	return nil
}

// resized returns a slice of a length, in the memory of old where that is enough.
func resized(old []float32, length int) []float32 {
	if cap(old) >= length {
		return old[:length]
	}
	return make([]float32, length)
}

// nullRow returns the first row that is null or has a null.
func nullRow(list array.ListLike) int {
	values := list.ListValues()
	for r := range list.Len() {
		if list.IsNull(r) {
			return r
		}
		from, to := list.ValueOffsets(r)
		for k := from; k < to; k++ {
			if values.IsNull(int(k)) {
				return r
			}
		}
	}
	return 0
}

// arrowCells is the columns of an Arrow file.
type arrowCells struct{ *arrowFile }

// openArrowTable opens an Arrow file or stream as a table.
func openArrowTable(f *file) (cells, error) {
	a, err := openArrowFile(f)
	if err != nil {
		return nil, err
	}
	return arrowCells{a}, nil
}

func (a arrowCells) names() []string {
	var names []string
	for _, field := range a.schema.Fields() {
		names = append(names, field.Name)
	}
	return names
}

func (a arrowCells) rows() int64 { return a.first[len(a.first)-1] }

func (a arrowCells) column(i int) (Column, error) {
	var c Column
	for k := range a.batches {
		record, err := a.batch(k)
		if err != nil {
			return Column{}, err
		}
		err = appendArrow(&c, record.Column(i), a.first[k])
		record.Release()
		if err != nil {
			return Column{}, a.file.errorf("column %s: %w", a.schema.Field(i).Name, err)
		}
	}
	return c, nil
}

// appendArrow appends the cells of an array, whose first is in a row of the table.
func appendArrow(c *Column, values arrow.Array, first int64) error {
	for r := range values.Len() {
		if values.IsNull(r) {
			return fmt.Errorf("row %d: null", first+int64(r))
		}
	}
	for r := range values.Len() {
		switch v := values.(type) {
		case *array.Int8:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Int16:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Int32:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Int64:
			c.Ints = append(c.Ints, v.Value(r))
		case *array.Uint8:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Uint16:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Uint32:
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Uint64:
			if int64(v.Value(r)) < 0 {
				return fmt.Errorf("row %d: %d does not fit in an int64", first+int64(r), v.Value(r))
			}
			c.Ints = append(c.Ints, int64(v.Value(r)))
		case *array.Boolean:
			bit := int64(0)
			if v.Value(r) {
				bit = 1
			}
			c.Ints = append(c.Ints, bit)
		case *array.String:
			c.Strings = append(c.Strings, strings.Clone(v.Value(r))) // not to keep the batch
		case *array.LargeString:
			c.Strings = append(c.Strings, strings.Clone(v.Value(r))) // not to keep the batch
		case *array.Dictionary:
			if err := appendArrow(c, array.NewSlice(v.Dictionary(), int64(v.GetValueIndex(r)), int64(v.GetValueIndex(r))+1), first+int64(r)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%v, want whole numbers or strings", values.DataType())
		}
	}
	return nil
}
