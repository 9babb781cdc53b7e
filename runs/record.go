package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// The names of files inside a run's or a cell's folder.
const (
	recordFile     = "run.json"
	cellFile       = "cell.json"
	stepsFile      = "train.jsonl"
	embeddingsFile = "embeddings.arrow"
)

// Record is run.json: what the run was asked to do.
type Record struct {
	Schema      int             `json:"schema"`
	ID          string          `json:"id"`
	Suite       string          `json:"suite"`
	Created     time.Time       `json:"created"`
	Config      json.RawMessage `json:"config"` // the resolved suite
	Command     []string        `json:"command"`
	Environment Environment     `json:"environment"`
	Cells       []Key           `json:"cells"` // planned, in the suite's order
	// Bases has, by the path of a group, the method that it is compared with where the suite names
	// one.
	Bases map[string]string `json:"bases,omitempty"`
}

// Base returns the method with which the suite compares a group; empty where it names none.
func (r Record) Base(g Group) string { return r.Bases[g.Path()] }

// Run is an open run. Its methods read and write its folder and keep nothing in memory, so several
// processes may use one run.
type Run struct {
	Dir    string
	Record Record
}

// Update replaces run.json after a suite was extended.
func (r *Run) Update(record Record) error {
	record.Schema, record.ID = Schema, r.Record.ID
	if err := writeJSON(filepath.Join(r.Dir, recordFile), record); err != nil {
		return fmt.Errorf("update run %s: %w", record.ID, err)
	}
	r.Record = record
	return nil
}

// A Broken is a record that cannot be read, or that is not as it was written.
type Broken struct {
	Cell string // path of its folder, relative to the run's
	Err  error  // names the file
}

// Cells returns the cells that have a record, in the order of their paths. A broken record is an
// error that names its file.
func (r *Run) Cells() ([]Cell, error) {
	cells, broken, err := r.Survey()
	if err == nil && len(broken) > 0 {
		err = broken[0].Err
	}
	if err != nil {
		return nil, err
	}
	return cells, nil
}

// Survey returns the cells that have a record and, apart from them, the broken records, both in the
// order of their paths. A record of another version of bierbench is an error, as is one that this
// process may not read.
func (r *Run) Survey() ([]Cell, []Broken, error) {
	// Four levels above the record, no deeper: checkpoints are not walked.
	names, err := fs.Glob(os.DirFS(r.Dir), "*/*/*/seed-*/"+cellFile)
	if err != nil {
		return nil, nil, fmt.Errorf("list cells of %s: %w", r.Dir, err)
	}
	if len(names) == 0 {
		return nil, nil, nil
	}
	cells, faults := make([]Cell, len(names)), make([]error, len(names))
	var group errgroup.Group // decoding takes most of the time where there are thousands
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for from := 0; from < len(names); from += chunk {
		group.Go(func() error {
			for i := from; i < min(from+chunk, len(names)); i++ {
				cells[i], faults[i] = r.readCell(path.Dir(names[i]))
				if faults[i] != nil && !IsBroken(faults[i]) {
					return faults[i]
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	whole, broken := cells[:0], []Broken(nil)
	for i, fault := range faults {
		switch {
		case errors.Is(fault, fs.ErrNotExist): // removed since its name was read
		case fault != nil:
			broken = append(broken, Broken{path.Dir(names[i]), fault})
		default:
			whole = append(whole, cells[i])
		}
	}
	return whole, broken, nil
}

// IsBroken reports whether an error of reading a record means that the record is lost: its file is
// damaged, and no other version of bierbench, and no other user, could read it.
func IsBroken(err error) bool {
	return err != nil && !errors.Is(err, ErrVersion) && !errors.Is(err, fs.ErrPermission)
}

// CellDir returns the folder of a cell.
func (r *Run) CellDir(k Key) string {
	return filepath.Join(r.Dir, filepath.FromSlash(k.Path()))
}

// queriesFile returns the name of the file of a cell's queries on a protocol.
func queriesFile(protocol string) string { return "queries-" + protocol + ".arrow" }

// QueriesPath returns the file of a cell's queries on a protocol.
func (r *Run) QueriesPath(k Key, protocol string) string {
	return filepath.Join(r.CellDir(k), queriesFile(protocol))
}

// EmbeddingsPath returns the file of a cell's embeddings.
func (r *Run) EmbeddingsPath(k Key) string {
	return filepath.Join(r.CellDir(k), embeddingsFile)
}

// StepsPath returns the file of a cell's training steps.
func (r *Run) StepsPath(k Key) string {
	return filepath.Join(r.CellDir(k), stepsFile)
}

// Cell reads a cell's record. It returns false without an error where there is none.
func (r *Run) Cell(k Key) (Cell, bool, error) {
	c, err := r.readCell(k.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return Cell{}, false, nil
	}
	if err != nil {
		return Cell{}, false, err
	}
	return c, true, nil
}

// CopiedCell reads the record of a cell in a folder that is not its own, as a copy has before it is
// put in its place.
func (r *Run) CopiedCell(dir string, k Key) (Cell, error) {
	return r.readRecord(filepath.Join(dir, cellFile), k.Path())
}

// readCell reads the record in the folder dir, a slash path below the run.
func (r *Run) readCell(dir string) (Cell, error) {
	return r.readRecord(filepath.Join(r.Dir, filepath.FromSlash(dir), cellFile), dir)
}

// readRecord reads the record of the cell with the path dir.
func (r *Run) readRecord(file, dir string) (Cell, error) {
	var c Cell
	sealed, err := readJSON(file, &c, &c.Schema)
	if err != nil {
		return Cell{}, err
	}
	if c.Path() != dir {
		return Cell{}, fmt.Errorf("%s: the record is of cell %s, want %s", file, c.Path(), dir)
	}
	if c.Run != "" && r.Record.ID != "" && c.Run != r.Record.ID {
		return Cell{}, fmt.Errorf("%s: the record is of run %q, want %q", file, c.Run, r.Record.ID)
	}
	if !sealed { // an older record
		if err = checkConfigHash(c.Config, c.ConfigHash); err != nil {
			return Cell{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	switch c.Status {
	case Running, Done, Failed:
	default:
		return Cell{}, fmt.Errorf("%s: status %q, want %s, %s or %s", file, c.Status, Running, Done, Failed)
	}
	return c, nil
}

// Sweep removes the files that killed processes left half written in a cell's folder. No other
// process may be writing there.
func (r *Run) Sweep(k Key) error {
	left, err := filepath.Glob(filepath.Join(r.CellDir(k), temporaryPrefix+"*"))
	if err != nil {
		return fmt.Errorf("sweep cell %s: %w", k.Path(), err)
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("sweep cell %s: %w", k.Path(), err)
		}
	}
	return nil
}

// WriteCell writes a cell's record, replacing an earlier one.
func (r *Run) WriteCell(c Cell) error {
	c.Schema, c.Run = Schema, r.Record.ID
	if err := c.validate(); err != nil {
		return err
	}
	dir := r.CellDir(c.Key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write cell %s: %w", c.Path(), err)
	}
	if err := writeJSON(filepath.Join(dir, cellFile), c); err != nil {
		return fmt.Errorf("write cell %s: %w", c.Path(), err)
	}
	return nil
}

// validate refuses a key whose path would leave its place in the run's folder.
func (k Key) validate() error {
	for _, part := range []struct{ what, name string }{
		{"dataset", k.Dataset}, {"variant", k.Variant}, {"backbone", k.backboneFolder()}, {"mode", k.Mode}, {"method", k.Method},
	} {
		if err := checkName(part.name); err != nil {
			return fmt.Errorf("cell %s: %s %w", k.Path(), part.what, err)
		}
	}
	if k.Seed < 0 {
		return fmt.Errorf("cell %s: seed %d, want at least 0", k.Path(), k.Seed)
	}
	return nil
}
