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
	"bierbench/runs"
)

// submissionSchema is the version of the format of submission.json.
const submissionSchema = 1

// submissionFile is the file with a submission's record. It is written before the engine gets the
// first array, and again after each array.
const submissionFile = "submission.json"

// A Submission is what an engine gets at one time. The package documentation shows its folder.
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
	// Parallel is the largest number of tasks of an array, or of a list, at a time; 0 stands for no limit.
	Parallel int `json:"parallel,omitempty"`
	// Files are what the user hands over, in this order, where the engine starts nothing itself.
	Files []string `json:"files,omitempty"`
	dir   string
}

// An Array is tasks with the same limits. Task n, counted from 1, is about Cells[n-1]. It does that
// cell; in an array with Features it computes the features with the key Features[n-1], which that
// cell and others read.
type Array struct {
	Name      string   `json:"name"`                // features-01, cells-01, ...: its files are <name>.sh and <name>.txt
	Job       string   `json:"job,omitempty"`       // the engine's id; empty until the engine has it
	Seconds   int64    `json:"seconds,omitempty"`   // time limit of a task; 0 stands for none
	Memory    int64    `json:"memory,omitempty"`    // memory limit of a task in bytes; 0 stands for none
	Needs     *Task    `json:"needs,omitempty"`     // task that must succeed first
	Arguments []string `json:"arguments,omitempty"` // command line that handed it over
	Features  []string `json:"features,omitempty"`
	Cells     []string `json:"cells"` // paths
}

// A Task is a task of an array.
type Task struct {
	Submission string `json:"submission"`
	Array      string `json:"array"`
	Number     int    `json:"number"` // from 1
}

// taskID returns the engine's id of a task: 12_3 is task 3 of job 12.
func taskID(job string, number int) string { return fmt.Sprintf("%s_%d", job, number) }

// path returns a file in the folder of the submission.
func (s *Submission) path(name string) string { return filepath.Join(s.dir, name) }

// script and cellsFile return the files of an array, log that of a task.
func (s *Submission) script(a Array) string    { return s.path(a.Name + ".sh") }
func (s *Submission) cellsFile(a Array) string { return s.path(a.Name + ".txt") }
func (s *Submission) log(id string, number int) string {
	return filepath.Join(s.dir, "logs", fmt.Sprintf("%s_%d.log", id, number))
}

// array returns the array of a name.
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
	if err = runs.WriteFile(s.path(submissionFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("submission %s: %w", s.Name, err)
	}
	return nil
}

// submissionsDir returns the folder of the submissions of a run.
func submissionsDir(w *workspace.Workspace, run string) string {
	return filepath.Join(w.Runs().Path(run), "submissions")
}

// readSubmissions returns the submissions of a run, oldest first. A folder without a record is left
// out: its submit was killed before the engine got anything.
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
		data, err := runs.ReadFile(s.path(submissionFile))
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

// submissionName returns the name of the n-th submission.
func submissionName(n int) string { return fmt.Sprintf("%03d", n) }

// lastNumber returns the highest number of a submission folder, 0 where there is none.
func lastNumber(entries []fs.DirEntry) int {
	last := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && submissionName(n) == e.Name() {
			last = max(last, n)
		}
	}
	return last
}

// newSubmission makes the folder of a run's next submission. The caller holds submittingClaim.
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
