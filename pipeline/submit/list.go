package submit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// list writes the command line of each task into a file, for schedulers that bierbench does not
// know. Tasks that compute features are in a file of their own, which comes first.
type list struct {
	handedOver
	w       *workspace.Workspace
	options Options
}

func newList(w *workspace.Workspace, o Options) engine {
	return &list{handedOver{"nobody tells what becomes of a list"}, w, o}
}

// The files of a list in the folder of its submission.
const (
	tasksFile = "tasks.json"
	tasksForm = 1 // version of its format
)

// A TaskList is tasks.json: the tasks of a submission for programs that start them.
type TaskList struct {
	Schema     int    `json:"schema"`
	Run        string `json:"run"`
	Submission string `json:"submission"`
	// Parallel is how many tasks the user wants at a time; 0 stands for no limit.
	Parallel int          `json:"parallel,omitempty"`
	Tasks    []ListedTask `json:"tasks"` // those of stage 1 first
}

// A ListedTask is a task with all that is needed to start it. Its command can be started from any
// folder, on any machine that sees the workspace and the cache at their paths.
type ListedTask struct {
	ID    string `json:"id"`    // <array>_<number>
	Stage int    `json:"stage"` // 1, or 2 for cells where there are tasks that compute features
	// Kind is features for a task that computes the features that its cell and others read, else cell.
	Kind        string            `json:"kind"`
	Cell        string            `json:"cell"` // path
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"` // variables that the command needs
	// Seconds and Memory are limits: twice the expected seconds and 120, one and a half times the
	// expected memory and 256 MiB, both rounded up; 0 stands for unknown.
	Seconds int64 `json:"time_limit_seconds,omitempty"`
	Memory  int64 `json:"memory_limit_bytes,omitempty"`
	// After are the tasks that must have succeeded. A task that is started sooner computes their
	// features itself, or waits for the process that does.
	After []string `json:"after"`
}

// The kinds of a ListedTask.
const (
	kindFeatures = "features"
	kindCell     = "cell"
)

func (*list) limit(context.Context) (int, error) { return 1 << 30, nil }

// send writes commands-features.txt and commands-cells.txt, where there are such tasks, and
// tasks.json. Line n of a file of commands is its n-th task: there is no heading, so that the arrays
// of other schedulers can take their line.
func (e *list) send(_ context.Context, s *Submission) error {
	all := TaskList{Schema: tasksForm, Run: s.Run, Submission: s.Name, Parallel: s.Parallel, Tasks: []ListedTask{}}
	lines := map[string][]string{}
	for i := range s.Arrays {
		a := &s.Arrays[i]
		a.Job = a.Name
		command, err := taskCommand(e.w, s, e.options, *a)
		if err != nil {
			return err
		}
		for n, cell := range a.Cells {
			t := ListedTask{
				ID: taskID(a.Name, n+1), Stage: 1, Kind: kindCell, Cell: cell, Command: append(slices.Clone(command), "--only", cell),
				Environment: map[string]string{"BIERBENCH_CACHE": e.w.Cache.Dir},
				Seconds:     a.Seconds, Memory: a.Memory, After: []string{},
			}
			switch {
			case a.Features != nil:
				t.Kind = kindFeatures
			case lines[kindFeatures] != nil:
				t.Stage = 2
			}
			if a.Needs != nil {
				t.After = append(t.After, taskID(a.Needs.Array, a.Needs.Number))
			}
			line := workspace.ShellLine(append([]string{"env", "BIERBENCH_CACHE=" + e.w.Cache.Dir}, t.Command...)...)
			if strings.ContainsAny(line, "\r\n") {
				return fmt.Errorf("a command of more than one line cannot be listed: %q", line)
			}
			lines[t.Kind] = append(lines[t.Kind], line)
			all.Tasks = append(all.Tasks, t)
		}
	}
	for _, file := range []struct{ kind, name string }{{kindFeatures, "commands-features.txt"}, {kindCell, "commands-cells.txt"}} {
		if lines[file.kind] == nil {
			continue
		}
		if err := runs.WriteFile(s.path(file.name), []byte(strings.Join(lines[file.kind], "\n")+"\n"), 0o644); err != nil {
			return err
		}
		s.Files = append(s.Files, s.path(file.name))
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err = runs.WriteFile(s.path(tasksFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	s.Files = append(s.Files, s.path(tasksFile))
	return s.save()
}
