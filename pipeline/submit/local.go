package submit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// local runs the tasks of a submission in processes of this machine, by the scripts that Slurm
// would get.
type local struct {
	w         *workspace.Workspace
	processes int
	onTask    func(TaskEnd)
	alive     *claims.File // its claim tells others that this process works on its submission
}

func newLocal(w *workspace.Workspace, o Options) engine {
	e := &local{w: w, processes: max(o.Processes, 1), onTask: o.OnTask}
	if e.onTask == nil {
		e.onTask = func(TaskEnd) {}
	}
	return e
}

// taskVariable is the environment variable with the number of the task, where Slurm does not set
// its own.
const taskVariable = "BIERBENCH_TASK"

// withoutTask returns an environment without the variables of a task.
func withoutTask(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(v string) bool {
		return strings.HasPrefix(v, taskVariable+"=") || strings.HasPrefix(v, "SLURM_ARRAY_TASK_ID=")
	})
}

func (e *local) limit(context.Context) (int, error) { return 1 << 30, nil }

// claimName is the claim of the process that carries out a submission.
func (e *local) claimName(s *Submission) string { return "submission/" + s.Name }

// send takes the claim of the submission. The ids of the arrays are their names.
func (e *local) send(_ context.Context, s *Submission) (err error) {
	if e.alive, err = claims.Open(e.w.Runs().Path(s.Run)); err != nil {
		return err
	}
	if _, err = e.alive.Try(e.claimName(s)); err != nil {
		return err
	}
	for i := range s.Arrays {
		s.Arrays[i].Job = s.Arrays[i].Name
	}
	return s.save()
}

// A process is a task with what it needs.
type process struct {
	Task
	array Array
	cell  string
}

func (p process) id() string { return taskID(p.array.Job, p.Number) }

// wait starts every task whose needs are met, in order, and returns how each ended. A task that
// needs a failed one is not started. When ctx ends, the running tasks are told to save and end.
func (e *local) wait(ctx context.Context, s *Submission) ([]TaskEnd, error) {
	defer e.alive.Close()
	var pending []process
	for _, a := range s.Arrays {
		for n, cell := range a.Cells {
			pending = append(pending, process{Task{s.Name, a.Name, n + 1}, a, cell})
		}
	}
	type end struct {
		process
		slot    int
		err     error
		seconds float64
	}
	var ends []TaskEnd
	total, running := len(pending), 0
	failed := map[Task]bool{} // by task that has ended
	ended := make(chan end)
	free := make([]int, e.processes) // slots that no process has
	for i := range free {
		free[i] = i
	}
	note := func(p process, err error, seconds float64) {
		failed[p.Task] = err != nil
		t := TaskEnd{Task: p.id(), Cell: p.cell, Features: p.array.Features != nil, Seconds: seconds, Number: len(ends) + 1, Total: total}
		if err != nil {
			t.Error = err.Error()
		}
		if seconds > 0 {
			t.Log = s.log(p.array.Job, p.Number)
		}
		ends = append(ends, t)
		e.onTask(t)
	}
	for len(pending) > 0 || running > 0 {
		var later []process
		for _, p := range pending {
			ready, wrong := true, false
			if p.array.Needs != nil && p.array.Needs.Submission == s.Name {
				wrong, ready = failed[*p.array.Needs]
			}
			switch {
			case wrong:
				note(p, fmt.Errorf("not started: task %s_%d failed", p.array.Needs.Array, p.array.Needs.Number), 0)
			case !ready || running == e.processes || ctx.Err() != nil:
				later = append(later, p)
			default:
				running++
				slot := free[0]
				free = free[1:]
				go func() {
					began := time.Now()
					err := e.do(ctx, s, p, slot)
					ended <- end{p, slot, err, time.Since(began).Seconds()}
				}()
			}
		}
		pending = later
		if running == 0 {
			break // interrupted: nothing is left to wait for
		}
		p := <-ended
		running--
		free = append(free, p.slot)
		if ctx.Err() == nil {
			note(p.process, p.err, p.seconds)
		}
	}
	return ends, ctx.Err()
}

// do runs the script of a task in a slot. The output goes to the task's log, the exit code to a
// file beside it.
func (e *local) do(ctx context.Context, s *Submission, p process, slot int) error {
	// The kernel signals the script when the thread that started it ends. So the thread must last
	// as long as the script: it ends with this goroutine.
	runtime.LockOSThread()
	log, err := os.Create(s.log(p.array.Job, p.Number))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the script has written it
	command := exec.CommandContext(ctx, s.script(p.array))
	command.Env = append(e.environment(os.Environ(), "/dev", slot), fmt.Sprintf("%s=%d", taskVariable, p.Number))
	command.Stdout, command.Stderr = log, log
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	// With a process group of its own the script does not get the interrupt of the terminal, which
	// this process gets and passes on once. Should this process be killed, the kernel tells the
	// script to save and end.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	err = command.Run()
	if command.ProcessState == nil {
		return err
	}
	said := command.ProcessState.String() // exit status 1, signal: killed
	if writeErr := runs.WriteFile(e.ending(s, p.array, p.Number), []byte(said+"\n"), 0o644); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return err
}

// ending returns the file that says how a task ended.
func (e *local) ending(s *Submission, a Array, number int) string {
	return strings.TrimSuffix(s.log(a.Job, number), ".log") + ".ended"
}

// states learns from a submission's claim whether its process is alive, and from the files of its
// tasks how far they are.
func (e *local) states(_ context.Context, submissions []*Submission) (map[Task]TaskState, string, error) {
	known := map[Task]TaskState{}
	if len(submissions) == 0 {
		return known, "", nil
	}
	c, err := claims.Open(e.w.Runs().Path(submissions[0].Run))
	if err != nil {
		return nil, "", err
	}
	defer c.Close()
	for _, s := range submissions {
		alive, err := c.Held(e.claimName(s))
		if err != nil {
			return nil, "", err
		}
		for _, a := range s.Arrays {
			if a.Job == "" {
				continue
			}
			for n := 1; n <= len(a.Cells); n++ {
				state := TaskState{State: "queued", Active: alive}
				said, err := os.ReadFile(e.ending(s, a, n))
				switch {
				case err == nil:
					state = TaskState{State: strings.TrimSpace(string(said))}
				case !errors.Is(err, fs.ErrNotExist):
					return nil, "", err
				case !alive:
					state.State = "left" // not run: submit was interrupted or killed
				default:
					if _, err := os.Stat(s.log(a.Job, n)); err == nil {
						state.State = "running"
					}
				}
				known[Task{s.Name, a.Name, n}] = state
			}
		}
	}
	return known, "", nil
}
