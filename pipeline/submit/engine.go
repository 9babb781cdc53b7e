package submit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bierbench/pipeline/workspace"
)

// An engine carries out the tasks of submissions.
type engine interface {
	// limit returns the largest number of tasks in an array.
	limit(ctx context.Context) (int, error)
	// send hands over the arrays of a submission, in their order, and notes the engine's id of
	// each. It saves the submission after each array.
	send(ctx context.Context, s *Submission) error
	// wait returns when the submission's tasks have ended, if the engine ends with this process.
	// Otherwise it returns at once.
	wait(ctx context.Context, s *Submission) ([]TaskEnd, error)
	// states returns what the engine knows of the tasks of submissions of one run. It also fills in
	// ids that the submissions lack. A task that the engine does not know is left out; why may give
	// the reason.
	states(ctx context.Context, submissions []*Submission) (known map[Task]TaskState, why string, err error)
}

// An EngineKind is one of the ways to carry out a submission.
type EngineKind struct {
	Name string
	Does string // a phrase for help texts
	Logs bool   // the output of a task goes to the folder of its submission
	open func(w *workspace.Workspace, o Options) engine
}

// Engines returns every engine. A new one takes a file and a line here.
func Engines() []EngineKind {
	return []EngineKind{
		{"slurm", "job arrays of a Slurm cluster that this machine may submit to", true, newSlurm},
		{"local", "processes of this machine, --processes of them at a time", true, newLocal},
		{"list", "files with a command line for each task, for any scheduler; nothing is started", false, newList},
		{"kubernetes", "a file with an Indexed Job for each array; nothing is started", false, newKubernetes},
	}
}

// keepsLogs reports whether the tasks of an engine write logs into the folder of their submission.
func keepsLogs(name string) bool {
	return slices.ContainsFunc(Engines(), func(kind EngineKind) bool { return kind.Name == name && kind.Logs })
}

// openEngine returns the engine of a name.
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
	Reason string // why the task is in this state; empty where the state explains itself
	Active bool   // the task waits, runs, or will run again
}

// A TaskEnd is the end of a task that ran below this process.
type TaskEnd struct {
	Task     string  `json:"task"` // <array>_<number>
	Cell     string  `json:"cell"`
	Features bool    `json:"features"` // the task computed the features that the cell reads
	Error    string  `json:"error,omitempty"`
	Log      string  `json:"log,omitempty"`
	Seconds  float64 `json:"seconds"`
	Number   int     `json:"-"` // of the tasks that have ended, this one included
	Total    int     `json:"-"`
}

// CheckEngine returns an error where the name of an engine or the options for it are wrong.
func CheckEngine(o Options) error {
	if _, err := openEngine(o.Engine, nil, o); err != nil {
		return err
	}
	if o.Engine == "kubernetes" {
		return o.Kubernetes.check()
	}
	return checkOptions(o.Options)
}

// A handedOver engine writes files that somebody else hands over. It has no program to ask, so it
// knows no state of a task.
type handedOver struct{ why string }

// wait returns at once: nothing was started.
func (handedOver) wait(context.Context, *Submission) ([]TaskEnd, error) { return nil, nil }

// states knows nothing. So submitting again writes every cell that is neither done nor claimed.
func (e handedOver) states(context.Context, []*Submission) (map[Task]TaskState, string, error) {
	return nil, e.why, nil
}
