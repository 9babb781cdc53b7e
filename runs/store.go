package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// Store is the folder of a workspace that holds its runs. It may also hold Go source, testdata and
// internal, which are not runs.
type Store struct{ Dir string }

// Info is a run in a list: its record and the number of its cells in each state. Planned cells
// without a record have not been started.
type Info struct {
	ID      string
	Dir     string
	Record  Record
	Planned int
	Done    int
	Failed  int
	Running int
	Peeked  int // of the done ones, whose model was chosen by its test results
	Broken  []Broken
}

// List returns the runs, in the order of their ids. Runs with a broken record are left out and
// named in the error, which then comes with the rest. A store that does not exist yet has no runs.
func (s Store) List() ([]Info, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var list []Info
	var errs []error
	for _, e := range entries {
		if CheckID(e.Name()) != nil || !e.IsDir() {
			continue
		}
		info, err := s.info(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // a folder without run.json is no run
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, info)
	}
	return list, errors.Join(errs...)
}

// info reads a run for the list.
func (s Store) info(id string) (Info, error) {
	r, err := s.open(id)
	if err != nil {
		return Info{}, err
	}
	info := Info{ID: id, Dir: r.Dir, Record: r.Record, Planned: len(r.Record.Cells)}
	cells, broken, err := r.Survey()
	if err != nil {
		return Info{}, err
	}
	info.Broken = broken
	for _, c := range cells {
		switch c.Status {
		case Done:
			info.Done++
			if c.Selection.At() == AtPeek {
				info.Peeked++
			}
		case Failed:
			info.Failed++
		default:
			info.Running++
		}
	}
	return info, nil
}

// Open reads a run. If there is no such run, the error is fs.ErrNotExist and names the existing
// ones.
func (s Store) Open(id string) (*Run, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	r, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open run %q: %w in %s; %s", id, fs.ErrNotExist, s.Dir, s.known())
	}
	return r, err
}

// Reopen is Open for a run whose run.json may be broken: it then returns the run with a record made
// of those of its cells, which lacks the suite and the cells that have not begun. broken is the error
// of run.json, nil where it is whole.
func (s Store) Reopen(id string) (r *Run, broken, err error) {
	r, err = s.Open(id)
	if err == nil || errors.Is(err, fs.ErrNotExist) || CheckID(id) != nil || !IsBroken(err) {
		return r, nil, err
	}
	broken = err
	r = &Run{Dir: s.Path(id), Record: Record{Schema: Schema, ID: id}}
	cells, _, err := r.Survey()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range cells {
		r.Record.Cells = append(r.Record.Cells, c.Key)
		if r.Record.Created.IsZero() || c.Started.Before(r.Record.Created) {
			r.Record.Created = c.Started
		}
	}
	return r, broken, nil
}

// Path returns the folder of a run, whether it is there or not.
func (s Store) Path(id string) string { return filepath.Join(s.Dir, id) }

// open reads a run whose id is valid.
func (s Store) open(id string) (*Run, error) {
	r := &Run{Dir: s.Path(id)}
	file := filepath.Join(r.Dir, recordFile)
	if _, err := readJSON(file, &r.Record, &r.Record.Schema); err != nil {
		return nil, err
	}
	if r.Record.ID != id {
		return nil, fmt.Errorf("%s: the record is of run %q, want %q", file, r.Record.ID, id)
	}
	return r, nil
}

// known names the existing runs, for an error.
func (s Store) known() string {
	files, err := filepath.Glob(filepath.Join(s.Dir, "*", recordFile))
	if err != nil || len(files) == 0 {
		return "there are no runs"
	}
	ids := make([]string, len(files))
	for i, f := range files {
		ids[i] = filepath.Base(filepath.Dir(f))
	}
	return "there is " + strings.Join(ids, ", ")
}

// Create makes a new run. It returns fs.ErrExist if the id is taken.
func (s Store) Create(id string, record Record) (*Run, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	for _, k := range record.Cells {
		if err := k.validate(); err != nil {
			return nil, fmt.Errorf("create run %s: %w", id, err)
		}
	}
	r := &Run{Dir: s.Path(id), Record: record}
	r.Record.Schema, r.Record.ID = Schema, id
	file := filepath.Join(r.Dir, recordFile)
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("create run %s: %w: %s", id, fs.ErrExist, file)
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run %s: %w", id, err)
	}
	if err := writeJSON(file, r.Record); err != nil {
		return nil, fmt.Errorf("create run %s: %w", id, err)
	}
	return r, nil
}

// CheckID returns an error if a run cannot have a name. The folder runs/ is a Go package too, and
// two of its folders are source.
func CheckID(id string) error {
	if err := checkName(id); err != nil {
		return fmt.Errorf("run id %w", err)
	}
	for _, source := range []string{"testdata", "internal"} {
		if strings.EqualFold(id, source) {
			return fmt.Errorf("run id %q: the folder is part of the source, choose another name", id)
		}
	}
	return nil
}

// CheckName returns an error if a method, a variant or a backbone cannot have a name: it is, or is part of,
// a folder's.
func CheckName(name string) error { return checkName(name) }

// checkName refuses names that cannot be one folder on every system.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New(`"": want a name`)
	case len(name) > 200:
		return fmt.Errorf("%.20q...: %d bytes, want at most 200", name, len(name))
	case strings.HasPrefix(name, "."):
		return fmt.Errorf("%q: begins with a dot", name)
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("%q: begins with a dash, as an option does", name)
	}
	for _, c := range name {
		if strings.ContainsRune(`/\:*?"<>|[]`, c) || unicode.IsControl(c) || unicode.IsSpace(c) || c == unicode.ReplacementChar {
			return fmt.Errorf("%q: has the character %q, want letters, digits and . _ + -", name, c)
		}
	}
	return nil
}
