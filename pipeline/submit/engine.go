package submit

import (
	"context"
	"fmt"
	"strings"

	"bierbench/pipeline/workspace"
)

// An engine carries out the tasks of submissions.
type engine interface {
	// limit is the most tasks of one array.
	limit(ctx context.Context) (int, error)
	// send hands the arrays of a submission over, in their order, and notes in
	// each the engine's id for it. It saves the submission after each array.
	send(ctx context.Context, s *Submission) error
	// wait returns when the submission's tasks have ended, where the engine ends
	// with this process; else at once.
	wait(ctx context.Context, s *Submission) ([]TaskEnd, error)
	// states says what the engine knows of the tasks of submissions of one run. It
	// fills in ids that it knows of and the submissions do not.
	// A task that it knows nothing of is left out; why may give the reason.
	states(ctx context.Context, submissions []*Submission) (known map[Task]TaskState, why string, err error)
}

// An EngineKind is one of the ways to carry out a submission.
type EngineKind struct {
	Name string
	Does string // one sentence for help texts
	open func(w *workspace.Workspace, o Options) engine
}

// Engines returns every engine: a file and a line each.
func Engines() []EngineKind {
	return []EngineKind{
		{"slurm", "job arrays of a Slurm cluster that this machine may submit to", newSlurm},
		{"local", "processes of this machine, --processes of them at a time", newLocal},
	}
}

func openEngine(name string, w *workspace.Workspace, o Options) (engine, error) {
	var names []string
	for _, kind := range Engines() {
		if kind.Name == name {
			return kind.open(w, o), nil
		}
		names = append(names, kind.Name)
	}
	return nil, fmt.Errorf("engine %q is not one of %s", name, strings.Join(names, ", "))
}

// A TaskState is what an engine says of a task, in its own words.
type TaskState struct {
	State  string
	Reason string // for a state that does not explain itself, or empty
	Active bool   // it is waiting, running or will run again
}

// A TaskEnd is how a task of this process's own ended.
type TaskEnd struct {
	Task     string  `json:"task"` // <array>_<number>
	Cell     string  `json:"cell"`
	Features bool    `json:"features"` // it built the features that the cell reads
	Error    string  `json:"error,omitempty"`
	Log      string  `json:"log,omitempty"`
	Seconds  float64 `json:"seconds"`
	Number   int     `json:"-"` // how many have ended, with this one
	Total    int     `json:"-"`
}

// CheckEngine says what is wrong with the name of an engine or with options for it.
func CheckEngine(name string, options []string) error {
	if _, err := openEngine(name, nil, Options{}); err != nil {
		return err
	}
	return checkOptions(options)
}
