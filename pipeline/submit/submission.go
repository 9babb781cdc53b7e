package submit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"bierbench/pipeline/workspace"
)

// submissionSchema is the version of submission.json.
const submissionSchema = 1

// submissionFile is a submission's record. It is written before the engine gets
// the first array and again after each.
const submissionFile = "submission.json"

// A Submission is tasks that an engine got at one time. Its folder,
// runs/<run>/submissions/<name>/, also holds the suite as it was resolved, the
// cells and the script of each array, and the tasks' logs.
type Submission struct {
	Schema  int       `json:"schema"`
	Run     string    `json:"run"`
	Name    string    `json:"name"` // 001, 002, ...
	Engine  string    `json:"engine"`
	Created time.Time `json:"created"`
	Command []string  `json:"command"`           // the command line that made it
	Options []string  `json:"options,omitempty"` // further options for the engine
	Program string    `json:"program"`           // the copy of this program that the tasks run
	Suite   string    `json:"suite"`             // file with the resolved suite
	Arrays  []Array   `json:"arrays"`
	dir     string
}

// An Array is tasks with the same needs. Task n, counted from 1, is that of
// Cells[n-1]: it does the cell or, in an array that has Features, builds the
// cached features with the key Features[n-1], which the cell and others read.
type Array struct {
	Name      string   `json:"name"`              // features, cells-01, ...: its files are <name>.sh and <name>.txt
	Job       string   `json:"job,omitempty"`     // the engine's id; empty until the engine has it
	Seconds   int64    `json:"seconds,omitempty"` // time limit of a task; 0 where its need is not known
	Memory    int64    `json:"memory,omitempty"`  // memory limit of a task, bytes; 0 where its need is not known
	Needs     *Task    `json:"needs,omitempty"`   // task that must have succeeded before
	Arguments []string `json:"arguments,omitempty"`
	Features  []string `json:"features,omitempty"`
	Cells     []string `json:"cells"` // paths
}

// A Task is one of an array.
type Task struct {
	Submission string `json:"submission"`
	Array      string `json:"array"`
	Number     int    `json:"number"` // from 1
}

func (s *Submission) path(name string) string { return filepath.Join(s.dir, name) }

// script and list are the files of an array, log that of one of its tasks.
func (s *Submission) script(a Array) string    { return s.path(a.Name + ".sh") }
func (s *Submission) cellsFile(a Array) string { return s.path(a.Name + ".txt") }
func (s *Submission) log(id string, number int) string {
	return filepath.Join(s.dir, "logs", fmt.Sprintf("%s_%d.log", id, number))
}

// array finds an array by its name.
func (s *Submission) array(name string) (Array, bool) {
	for _, a := range s.Arrays {
		if a.Name == name {
			return a, true
		}
	}
	return Array{}, false
}

// save writes the submission's record.
func (s *Submission) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("submission %s: %w", s.Name, err)
	}
	if err = workspace.WriteFile(s.path(submissionFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("submission %s: %w", s.Name, err)
	}
	return nil
}

func submissionsDir(w *workspace.Workspace, run string) string {
	return filepath.Join(w.Runs().Path(run), "submissions")
}

// readSubmissions returns those of a run, oldest first. A folder without a record
// is of one that was killed before an engine got anything.
func readSubmissions(w *workspace.Workspace, run string) ([]*Submission, error) {
	dir, err := filepath.Abs(submissionsDir(w, run))
	if err != nil {
		return nil, fmt.Errorf("submissions of %s: %w", run, err)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("submissions of %s: %w", run, err)
	}
	var out []*Submission
	for n := 1; n <= lastNumber(entries); n++ {
		s := &Submission{dir: filepath.Join(dir, submissionName(n))}
		data, err := os.ReadFile(s.path(submissionFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(data, s)
		}
		if err == nil && s.Schema != submissionSchema {
			err = fmt.Errorf("schema version %d, want %d: another version of bierbench wrote it", s.Schema, submissionSchema)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path(submissionFile), err)
		}
		out = append(out, s)
	}
	return out, nil
}

func submissionName(n int) string { return fmt.Sprintf("%03d", n) }

// lastNumber is the highest number of a submission's folder, 0 without one.
func lastNumber(entries []fs.DirEntry) int {
	last := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && submissionName(n) == e.Name() {
			last = max(last, n)
		}
	}
	return last
}

// newSubmission makes the folder of a run's next submission. The caller holds
// the run's claim of submitting.
func newSubmission(w *workspace.Workspace, run string) (*Submission, error) {
	dir, err := filepath.Abs(submissionsDir(w, run))
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	name := submissionName(lastNumber(entries) + 1)
	s := &Submission{
		Schema: submissionSchema, Run: run, Name: name, Created: workspace.Timestamp(), Command: w.Command,
		dir: filepath.Join(dir, name),
	}
	return s, os.MkdirAll(filepath.Join(s.dir, "logs"), 0o777)
}
