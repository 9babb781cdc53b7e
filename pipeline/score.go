package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/xla"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/vectors"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// ScoreOptions say what is scored, and which cell of which run it becomes.
type ScoreOptions struct {
	Run        string
	Embeddings string // file with a vector a row
	Tensor     string // the tensor or column in it; may be empty where there is only one
	Similarity string // runs.Cosine, runs.Dot or runs.Euclidean

	// Either a table of labels with a row for each vector, ...
	Labels  string
	Name    string // of the table; empty stands for the name of its file
	Columns ScoreColumns
	Recalls []int // the K of R@K

	// ... or a prepared data set and the ids or names of its test images, in the order of the vectors.
	Dataset string
	IDs     string

	// The key of the cell. Empty names stand for the name of the file of vectors, "external" and
	// "vectors".
	Method, Backbone, Mode string
	Seed                   int

	Replace bool // a cell that other vectors made is replaced
}

// DefaultScoreOptions returns cosines and R@1, R@5, R@10.
func DefaultScoreOptions() ScoreOptions {
	return ScoreOptions{
		Similarity: runs.Cosine, Recalls: []int{1, 5, 10}, Backbone: "external", Mode: "vectors", Columns: DefaultScoreColumns(),
	}
}

// ScoreResult is what Score did.
type ScoreResult struct {
	Run   string       `json:"run"`
	Dir   string       `json:"dir"`
	Cells []ScoredCell `json:"cells"` // one for each seed of the table
}

// ScoredCell is a cell that was scored.
type ScoredCell struct {
	Cell        string            `json:"cell"`
	Before      bool              `json:"before"`   // it was there already, of the same files
	LeftOut     int               `json:"left_out"` // rows of training images
	Evaluations []runs.Evaluation `json:"evaluations"`
}

// Check fills in the names that files give, and returns an error where options do not go together.
func (o *ScoreOptions) Check() error {
	stem := func(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }
	switch {
	case o.Embeddings == "":
		return errors.New("no file of vectors")
	case (o.Labels == "") == (o.Dataset == ""):
		return errors.New("want either labels or a data set")
	case (o.Dataset == "") != (o.IDs == ""):
		return errors.New("want a data set and the ids of its images together")
	case !slices.Contains([]string{runs.Cosine, runs.Dot, runs.Euclidean}, o.Similarity):
		return fmt.Errorf("similarity %q, want %s, %s or %s", o.Similarity, runs.Cosine, runs.Dot, runs.Euclidean)
	case len(o.Recalls) == 0 || slices.Min(o.Recalls) < 1:
		return fmt.Errorf("recalls %v, want ranks of at least 1", o.Recalls)
	case o.Seed < 0:
		return fmt.Errorf("seed %d, want at least 0", o.Seed)
	}
	o.Recalls = slices.Compact(slices.Sorted(slices.Values(o.Recalls)))
	if o.Method == "" {
		o.Method = stem(o.Embeddings)
	}
	if o.Name == "" {
		o.Name = stem(o.Labels)
	}
	// The cell's folder has these names, so nothing is read or removed before they are checked.
	for _, part := range []struct{ option, name string }{{"method", o.Method}, {"name", o.Name}, {"mode", o.Mode}} {
		if part.name == "" || part.option == "name" && o.Dataset != "" {
			continue
		}
		if err := runs.CheckName(part.name); err != nil {
			return fmt.Errorf("%s %w; --%s gives another", part.option, err, part.option)
		}
	}
	return nil
}

// Score evaluates vectors that another program made and writes them as a cell of a run, with the
// records of a trained one. It makes the run where there is none. A cell that the same files made
// before is left as it is.
func Score(ctx context.Context, w *workspace.Workspace, o ScoreOptions) (result *ScoreResult, err error) {
	if err = o.Check(); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if err = runs.CheckID(o.Run); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	m, err := vectors.Open(o.Embeddings, vectors.Options{Name: o.Tensor})
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	defer m.Close()
	s := &scorer{w: w, options: o, matrix: m, sources: []runs.Source{{
		Role: "embeddings", File: filepath.Base(m.Path), Format: m.Format, Name: o.Tensor, Rows: m.Rows, SHA256: m.SHA256,
	}}}
	var sets []*scoredSet
	if o.Dataset != "" {
		sets, err = s.datasetImages()
	} else {
		sets, err = s.tableImages()
	}
	defer s.close()
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if s.backend, err = w.OpenBackend(ctx); err != nil {
		return nil, err
	}
	if s.run, err = w.Runs().Open(o.Run); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("score: %w", err)
	}
	result = &ScoreResult{Run: o.Run, Dir: w.Runs().Path(o.Run)}
	for _, set := range sets {
		cell, err := s.score(ctx, set)
		if err != nil {
			return nil, fmt.Errorf("score %s/%s: %w", o.Run, set.key.Path(), err)
		}
		result.Cells = append(result.Cells, cell)
	}
	return result, nil
}

// scorer is what a Score works with.
type scorer struct {
	w       *workspace.Workspace
	options ScoreOptions
	matrix  *vectors.Matrix
	sources []runs.Source
	data    *datasets.Dataset // nil for labels
	backend *xla.Backend
	run     *runs.Run // nil until there is one
}

// close closes the data set.
func (s *scorer) close() {
	if s.data != nil {
		_ = s.data.Close() // it was only read
	}
}

// scoredSet is the images of one cell, in the order in which they are stored.
type scoredSet struct {
	key        runs.Key
	rows       []int // of the matrix
	embeddings runs.Embeddings
	labels     runs.Labels // zero for a prepared data set
	groups     bool
	test       []int // rows of the prepared data set
	dataHash   string
	leftOut    int
}

// group returns the key of the cells without their seed.
func (s *scorer) group(dataset, variant string) runs.Group {
	o := s.options
	return runs.Group{Dataset: dataset, Variant: variant, Backbone: o.Backbone, Mode: o.Mode, Method: o.Method, Size: s.matrix.Width}
}

// externalConfig is the configuration of a scored cell, in place of a models.Config.
type externalConfig struct {
	Backbone   string `json:"backbone"`
	Mode       string `json:"mode"`
	Size       int    `json:"size"`
	Similarity string `json:"similarity"`
	Recalls    []int  `json:"recalls,omitempty"`
	Groups     bool   `json:"groups,omitempty"`
}

// score evaluates and writes one cell.
func (s *scorer) score(ctx context.Context, set *scoredSet) (scored ScoredCell, err error) {
	began := time.Now()
	o := s.options
	config := externalConfig{Backbone: o.Backbone, Mode: o.Mode, Size: s.matrix.Width, Similarity: o.Similarity, Groups: set.groups}
	external := &runs.External{Similarity: o.Similarity, Groups: set.groups, LeftOut: set.leftOut, Sources: s.sources}
	if s.data == nil {
		config.Recalls, external.Recalls = o.Recalls, o.Recalls
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return scored, err
	}
	hash := sha256.Sum256(raw)
	record := runs.Cell{
		Schema: runs.Schema, Key: set.key, Config: raw, ConfigHash: hex.EncodeToString(hash[:]), DataHash: set.dataHash,
		External: external, Started: workspace.Timestamp(), Status: runs.Done, Timing: map[string]float64{}, Throughput: map[string]float64{},
	}
	if before, done, failed := s.before(record); failed != nil || done {
		return ScoredCell{Cell: set.key.Path(), Before: true, LeftOut: set.leftOut, Evaluations: before.Evaluations}, failed
	}
	if err = s.load(ctx, set); err != nil { // before anything is written
		return scored, err
	}
	if s.run == nil {
		if s.run, err = openScoredRun(ctx, s.w, o.Run); err != nil {
			return scored, err
		}
	}
	claimed, err := claims.Open(s.run.Dir)
	if err != nil {
		return scored, err
	}
	defer claimed.Close()
	if err = claimed.Take(ctx, set.key.Path()); err != nil {
		return scored, err
	}
	if _, _, err = s.before(record); err != nil { // by another process, meanwhile
		return scored, err
	}
	record.Timing["embed"] = time.Since(began).Seconds()
	record.Environment = s.w.Environment(ctx, "")
	dir := s.run.CellDir(set.key)
	if err = setAside(dir); err != nil {
		return scored, err
	}
	defer func() { err = errors.Join(err, putBack(dir, err == nil)) }()
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return scored, err
	}
	if err = s.run.WriteEmbeddings(&record, set.embeddings); err != nil {
		return scored, err
	}
	evaluated := time.Now()
	if s.data != nil {
		err = evaluateTest(ctx, s.w, s.backend, s.run, &record, models.Config{Size: s.matrix.Width}, s.data, set.test, set.embeddings)
	} else if err = s.run.WriteLabels(&record, set.labels); err == nil {
		err = evaluateLabelled(ctx, s.w, s.backend, s.run, &record, set.embeddings, set.labels)
	}
	if err != nil {
		return scored, err
	}
	record.Timing["evaluate"] = time.Since(evaluated).Seconds()
	record.Memory = workspace.PeakMemory()
	addTotals(record.Timing, time.Since(began).Seconds())
	if err = s.run.WriteCell(record); err != nil {
		return scored, err
	}
	if err = addToRun(ctx, s.run, set.key); err != nil {
		return scored, err
	}
	return ScoredCell{Cell: set.key.Path(), LeftOut: set.leftOut, Evaluations: record.Evaluations}, nil
}

// asideOf returns where a cell's folder lies while another cell is written in its place.
func asideOf(dir string) string {
	return filepath.Join(filepath.Dir(dir), ".replaced-"+filepath.Base(dir))
}

// setAside moves the folder of a cell away that is to be replaced. One that a killed command moved away
// goes back first, unless a whole record is in its place.
func setAside(dir string) error {
	aside := asideOf(dir)
	if _, err := os.Lstat(aside); err == nil {
		_, lost := os.Stat(filepath.Join(dir, "cell.json"))
		if err = putBack(dir, lost == nil); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// putBack removes what setAside moved away, where the new cell is whole, and else moves it back.
func putBack(dir string, whole bool) error {
	aside := asideOf(dir)
	if whole {
		return os.RemoveAll(aside)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(aside, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// before returns the record that is in the cell's place. done says that the same files made it in the
// same way; a record of anything else is an error, unless it is to be replaced.
func (s *scorer) before(record runs.Cell) (before runs.Cell, done bool, err error) {
	if s.run == nil {
		return before, false, nil
	}
	before, found, err := s.run.Cell(record.Key)
	if err != nil && (!s.options.Replace || !runs.IsBroken(err)) {
		return before, false, err
	}
	if !found || s.options.Replace {
		return before, false, nil
	}
	same := before.External != nil && before.Status == runs.Done && before.ConfigHash == record.ConfigHash &&
		before.DataHash == record.DataHash && reflect.DeepEqual(before.External.Sources, record.External.Sources)
	if same {
		return before, true, nil
	}
	what := "another file, or with other settings"
	if before.External == nil {
		what = "a training of this program"
	}
	return before, false, fmt.Errorf("there is such a cell of %s: choose another --method or --seed, or --replace it", what)
}

// loadRows is how many numbers are read at a time.
const loadRows = 1 << 20

// load reads the vectors of a set into the order in which they are stored, and gives them unit length
// where cosines are asked for.
func (s *scorer) load(ctx context.Context, set *scoredSet) error {
	m := s.matrix
	position := make([]int32, m.Rows) // in the set, counted from 1
	for i, row := range set.rows {
		position[row] = int32(i + 1)
	}
	set.embeddings.Width = m.Width
	set.embeddings.Values = make([]float32, len(set.rows)*m.Width)
	step := max(1, loadRows/m.Width)
	buffer := make([]float32, min(step, m.Rows)*m.Width)
	s.w.Progress.Start("read", m.Rows)
	defer s.w.Progress.Finish()
	for lo := 0; lo < m.Rows; lo += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+step, m.Rows)
		part := buffer[:(hi-lo)*m.Width]
		if err := m.Read(lo, hi, part); err != nil {
			return err
		}
		for row := lo; row < hi; row++ {
			at := int(position[row]) - 1
			if at < 0 {
				continue
			}
			v := set.embeddings.Values[at*m.Width:][:m.Width]
			copy(v, part[(row-lo)*m.Width:])
			if s.options.Similarity == runs.Cosine && !toUnit(v) {
				return fmt.Errorf("%s: row %d (image %d): a vector of zeros has no direction, so it has no cosine; "+
					"leave the row out, or rank by --similarity dot or euclidean", m.Path, row, set.embeddings.IDs[at])
			}
		}
		s.w.Progress.Advance(hi, "")
	}
	return nil
}

// toUnit scales a vector to length 1. It returns false for a vector of zeros.
func toUnit(v []float32) bool {
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if square == 0 {
		return false
	}
	length := math.Sqrt(square)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return true
}

// datasetImages joins vectors with the test images of a prepared data set by their ids or names.
func (s *scorer) datasetImages() ([]*scoredSet, error) {
	o := s.options
	entry, err := s.w.Dataset(o.Dataset)
	if err != nil {
		return nil, err
	}
	if s.data, err = datasets.Open(entry.Dir); err != nil {
		return nil, err
	}
	t, err := vectors.OpenTable(o.IDs)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	s.sources = append(s.sources, tableSource("ids", t))
	name, err := o.Columns.only(t, o.Columns.ID)
	if err != nil {
		return nil, err
	}
	ids, err := t.Column(name)
	if err != nil {
		return nil, err
	}
	if t.Rows != s.matrix.Rows {
		return nil, fmt.Errorf("%s has %d vectors, %s has %d ids; want as many", o.Embeddings, s.matrix.Rows, o.IDs, t.Rows)
	}
	set := &scoredSet{
		key:  runs.Key{Group: s.group(entry.Set, entry.Variant), Seed: o.Seed},
		test: s.data.Rows(datasets.Test, datasets.Query, datasets.Gallery), dataHash: s.data.Manifest.Digest,
	}
	byText := map[string]int{}
	for i := range s.data.Len() {
		if text := s.data.Name(i); ids.Strings != nil {
			if _, twice := byText[text]; twice {
				return nil, fmt.Errorf("data set %s has two images called %q: give their ids", o.Dataset, text)
			}
			byText[text] = i
		} else {
			byText[fmt.Sprint(s.data.ID(i))] = i
		}
	}
	rowOf := map[int]int{} // row of the data set -> row of the matrix
	for row := range t.Rows {
		text := ids.Text(row)
		i, ok := byText[text]
		if !ok {
			return nil, fmt.Errorf("%s: row %d: data set %s has no image %q", o.IDs, row, o.Dataset, text)
		}
		if earlier, twice := rowOf[i]; twice {
			return nil, fmt.Errorf("%s: row %d: image %q is already in row %d", o.IDs, row, text, earlier)
		}
		rowOf[i] = row
		if s.data.Split(i) == datasets.Train {
			set.leftOut++
		}
	}
	for _, i := range set.test {
		row, ok := rowOf[i]
		if !ok {
			return nil, fmt.Errorf("%s: image %d (%s) of data set %s is missing: all %d test images are needed", o.IDs, s.data.ID(i),
				s.data.Name(i), o.Dataset, len(set.test))
		}
		set.rows = append(set.rows, row)
		set.embeddings.IDs = append(set.embeddings.IDs, s.data.ID(i))
		set.embeddings.Classes = append(set.embeddings.Classes, s.data.Class(i))
		set.embeddings.Splits = append(set.embeddings.Splits, string(s.data.Split(i)))
		set.embeddings.Lists = append(set.embeddings.Lists, s.data.List(i))
	}
	return []*scoredSet{set}, nil
}

// tableSource describes a table for a record.
func tableSource(role string, t *vectors.Table) runs.Source {
	return runs.Source{Role: role, File: filepath.Base(t.Path), Format: t.Format, Rows: t.Rows, SHA256: t.SHA256}
}

// openScoredRun opens the run that a cell is written into, and makes it where there is none.
func openScoredRun(ctx context.Context, w *workspace.Workspace, id string) (*runs.Run, error) {
	r, err := w.Runs().Open(id)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	held, err := claims.Open(w.Runs().Path(id))
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if err = held.Take(ctx, runRecordClaim); err != nil {
		return nil, err
	}
	r, err = w.Runs().Create(id, runs.Record{
		Suite: "score", Created: workspace.Timestamp(), Config: json.RawMessage("{}"), Command: w.Command,
		Environment: w.Environment(ctx, ""), Cells: []runs.Key{},
	})
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return w.Runs().Open(id)
	}
	return r, err
}

// addToRun adds a cell to the record of its run.
func addToRun(ctx context.Context, r *runs.Run, k runs.Key) error {
	held, err := claims.Open(r.Dir)
	if err != nil {
		return err
	}
	defer held.Close()
	if err = held.Take(ctx, runRecordClaim); err != nil {
		return err
	}
	latest, err := (runs.Store{Dir: filepath.Dir(r.Dir)}).Open(r.Record.ID)
	if err != nil {
		return err
	}
	if slices.Contains(latest.Record.Cells, k) {
		return nil
	}
	record := latest.Record
	record.Cells = append(record.Cells, k)
	return r.Update(record)
}
