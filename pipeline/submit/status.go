package submit

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

// RunStatus is the state of the cells of a run.
type RunStatus struct {
	Run      string         `json:"run"`
	Counts   map[string]int `json:"counts"` // cells by state
	Cells    []CellStatus   `json:"cells"`
	Features []TaskStatus   `json:"features,omitempty"` // tasks that compute features, of the latest submission with such tasks
	Notes    []string       `json:"notes,omitempty"`    // what could not be found out
}

// CellStatus is the state of a cell by its record and its claim, with the task that it was
// submitted with last.
type CellStatus struct {
	Cell  string      `json:"cell"`
	State string      `json:"state"` // done, failed, running, interrupted, planned, or broken: its record cannot be read
	Error string      `json:"error,omitempty"`
	Task  *TaskStatus `json:"task,omitempty"`
}

// TaskStatus is what an engine says of a task. State is in the engine's words, and empty where the
// engine does not know the task any more.
type TaskStatus struct {
	Task
	Engine   string `json:"engine"`
	ID       string `json:"id"` // the engine's: 12_3 is task 3 of job 12
	State    string `json:"state"`
	Reason   string `json:"reason,omitempty"`
	Active   bool   `json:"active"`
	Log      string `json:"log,omitempty"`      // file with its output; empty where the engine keeps it elsewhere
	Features string `json:"features,omitempty"` // key of the features that the task computes
}

// States returns the states of a CellStatus, in the order in which they are summed up.
func (*RunStatus) States() []string {
	return []string{plan.Done, plan.Failed, plan.Running, plan.Interrupted, plan.Planned, plan.Broken}
}

// LatestRun returns the run that was submitted last or, where none was submitted, created last.
func LatestRun(w *workspace.Workspace) (string, error) {
	infos, err := w.Runs().List()
	if len(infos) == 0 && err != nil {
		return "", err
	}
	if len(infos) == 0 {
		return "", fmt.Errorf("workspace %q has no run yet: \"%s\" makes one", w.Dir, w.CommandLine("run", "SUITE"))
	}
	latest, submitted := infos[0], false
	when := latest.Record.Created
	for _, info := range infos {
		submissions, err := readSubmissions(w, info.ID)
		if err != nil {
			w.Log.Warn("what was submitted is not known", "run", info.ID, "error", err)
		}
		made, has := info.Record.Created, len(submissions) > 0
		if has {
			made = submissions[len(submissions)-1].Created
		}
		if has && !submitted || has == submitted && made.After(when) {
			latest, submitted, when = info, has, made
		}
	}
	return latest.ID, nil
}

// Status looks at every cell of a run: its record, whether a process holds its claim, and what the
// engine says of its latest task.
func Status(ctx context.Context, w *workspace.Workspace, run string) (*RunStatus, error) {
	r, fault, err := w.Runs().Reopen(run)
	if err != nil {
		return nil, err
	}
	out := &RunStatus{Run: run, Counts: map[string]int{}, Cells: []CellStatus{}}
	submissions, err := readSubmissions(w, run)
	if err != nil { // the cells are known without them
		out.Notes = append(out.Notes, fmt.Sprintf("what was submitted is not known: %v", err))
	}
	if fault != nil {
		out.Notes = append(out.Notes, fault.Error())
	}
	tasks, why, err := taskStates(ctx, w, submissions, out)
	if err != nil {
		return nil, err
	}
	cells, err := plan.LiveCells(r)
	if err != nil {
		return nil, err
	}
	forgotten := 0
	for _, c := range cells {
		cell := CellStatus{Cell: c.Path(), State: c.State, Task: tasks[c.Path()]}
		switch c.State {
		case plan.Failed:
			cell.Error = c.Record.Error
		case plan.Broken:
			cell.Error = c.Fault.Error()
		}
		if cell.State != plan.Done && cell.Task != nil && cell.Task.State == "" {
			forgotten++
		}
		out.Counts[cell.State]++
		out.Cells = append(out.Cells, cell)
	}
	if forgotten > 0 && why != "" {
		out.Notes = append(out.Notes, fmt.Sprintf("tasks of cells that are not done and whose state is not kept any more: %d (%s)",
			forgotten, why))
	}
	return out, nil
}

// taskStates returns the state of the latest task of each cell, by the cell's path, and adds the
// tasks that compute features to the status. why is the reason why an engine does not know a task
// any more.
func taskStates(ctx context.Context, w *workspace.Workspace, submissions []*Submission,
	out *RunStatus,
) (tasks map[string]*TaskStatus, why string, err error) {
	known := map[Task]TaskState{}
	for _, kind := range Engines() {
		own := slices.DeleteFunc(slices.Clone(submissions), func(s *Submission) bool { return s.Engine != kind.Name })
		if len(own) == 0 {
			continue
		}
		states, reason, err := kind.open(w, Options{}).states(ctx, own)
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		if err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("what %s says is not known: %v", kind.Name, err))
		}
		if reason != "" {
			why = reason
		}
		maps.Copy(known, states)
	}
	tasks = map[string]*TaskStatus{}
	for _, s := range submissions {
		var features []TaskStatus
		for _, a := range s.Arrays {
			if a.Job == "" {
				continue // the engine never got it
			}
			for i, cell := range a.Cells {
				t := Task{s.Name, a.Name, i + 1}
				status := TaskStatus{
					Task: t, Engine: s.Engine, ID: taskID(a.Job, i+1),
					State: known[t].State, Reason: known[t].Reason, Active: known[t].Active,
				}
				if keepsLogs(s.Engine) {
					status.Log = s.log(a.Job, i+1)
				}
				if a.Features != nil {
					status.Features = a.Features[i]
					features = append(features, status)
				} else {
					tasks[cell] = &status
				}
			}
		}
		if features != nil {
			out.Features = features
		}
	}
	return tasks, why, nil
}
