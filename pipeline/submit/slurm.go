package submit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bierbench/pipeline/workspace"
)

// slurm submits job arrays with sbatch. It asks squeue for their states, and sacct for the states
// of tasks that squeue has forgotten.
type slurm struct {
	w       *workspace.Workspace
	options []string
}

func newSlurm(w *workspace.Workspace, o Options) engine { return &slurm{w, o.Options} }

// timeLimitSignal tells a task to save and end 60 seconds before its time limit. Slurm may send it
// up to a minute earlier.
const timeLimitSignal = "--signal=B:TERM@60"

// limit returns one less than MaxArraySize, which is the first task number that is too high.
func (e *slurm) limit(ctx context.Context) (int, error) {
	if err := checkOptions(e.options); err != nil {
		return 0, err
	}
	out, err := slurmOutput(ctx, "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) != "MaxArraySize" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 2 {
			return 0, fmt.Errorf("scontrol show config: MaxArraySize is %q; want at least 2, job arrays are off", strings.TrimSpace(value))
		}
		return n - 1, nil
	}
	return 0, errors.New("scontrol show config: no MaxArraySize")
}

// checkOptions refuses the options of sbatch that submit sets itself.
func checkOptions(options []string) error {
	for _, o := range options {
		name, _, _ := strings.Cut(o, "=")
		switch {
		case !strings.HasPrefix(o, "-") || o == "-" || o == "--":
			return fmt.Errorf("--sbatch %q: want an option of sbatch, such as --partition=gpu", o)
		case !strings.HasPrefix(o, "--") && strings.ContainsAny(o, " ="):
			return fmt.Errorf("--sbatch %q: want it in one word, such as --partition=gpu or -pgpu", o)
		case slices.Contains([]string{
			"--array", "--dependency", "--wrap", "--clusters", "--test-only", "--wait", "--parsable",
			"--output", "--error",
		}, name),
			slices.Contains([]string{"-a", "-d", "-M", "-W", "-o", "-e"}, o[:2]):
			return fmt.Errorf("--sbatch %q: submit sets this option itself", o)
		}
	}
	return nil
}

// send calls sbatch for each array.
func (e *slurm) send(ctx context.Context, s *Submission) error {
	for i := range s.Arrays {
		a := &s.Arrays[i]
		arguments, err := e.arguments(s, *a)
		if err != nil {
			return err
		}
		out, err := slurmOutput(ctx, "sbatch", arguments...)
		if err != nil {
			return fmt.Errorf("array %s of submission %s: %w", a.Name, s.Name, err)
		}
		job, _, _ := strings.Cut(strings.TrimSpace(out), ";") // <job>;<cluster> in a federation
		if _, err := strconv.Atoi(job); err != nil {
			return fmt.Errorf("array %s of submission %s: sbatch printed %q; want the job's number", a.Name, s.Name, out)
		}
		a.Job, a.Arguments = job, append([]string{"sbatch"}, arguments...)
		if err := s.save(); err != nil {
			return fmt.Errorf("job %s is queued, but: %w", job, err)
		}
	}
	return nil
}

// arguments returns the arguments of sbatch for an array.
func (e *slurm) arguments(s *Submission, a Array) ([]string, error) {
	logs := strings.ReplaceAll(s.path("logs"), "%", "%%") // sbatch replaces %A and the like
	array := fmt.Sprintf("--array=1-%d", len(a.Cells))
	if s.Parallel > 0 {
		array += fmt.Sprintf("%%%d", s.Parallel)
	}
	out := []string{
		"--parsable", "--job-name=bierbench-" + s.Run, array,
		"--output=" + filepath.Join(logs, "%A_%a.log"), "--open-mode=append",
		"--requeue", timeLimitSignal, "--kill-on-invalid-dep=yes",
	}
	if a.Seconds > 0 {
		out = append(out, fmt.Sprintf("--time=%d", (a.Seconds+59)/60))
	}
	if a.Memory > 0 {
		out = append(out, fmt.Sprintf("--mem=%dM", a.Memory>>20))
	}
	if a.Needs != nil {
		job, err := e.job(s, *a.Needs)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("--dependency=afterok:%s_%d", job, a.Needs.Number))
	}
	return append(append(out, e.options...), s.script(a)), nil // the user's options come last and win
}

// job returns the number of the job that a task belongs to.
func (e *slurm) job(s *Submission, t Task) (string, error) {
	all := []*Submission{s}
	if t.Submission != s.Name {
		var err error
		if all, err = readSubmissions(e.w, s.Run); err != nil {
			return "", err
		}
	}
	for _, s := range all {
		if a, ok := s.array(t.Array); ok && s.Name == t.Submission && a.Job != "" {
			return a.Job, nil
		}
	}
	return "", fmt.Errorf("submission %s has no job for its array %s", t.Submission, t.Array)
}

// wait returns at once: Slurm goes on without this process.
func (e *slurm) wait(context.Context, *Submission) ([]TaskEnd, error) { return nil, nil }

// states asks squeue, which also remembers tasks that ended lately, and then sacct, where
// accounting is on.
func (e *slurm) states(ctx context.Context, submissions []*Submission) (map[Task]TaskState, string, error) {
	if err := adoptJobs(ctx, submissions); err != nil {
		return nil, "", err
	}
	known := map[Task]TaskState{}
	tasks := map[string]Task{}     // by Slurm's id, <job>_<task>
	rest := map[string]TaskState{} // by job, of tasks without a line of their own
	var jobs []string
	for _, s := range submissions {
		for _, a := range s.Arrays {
			if a.Job == "" {
				continue
			}
			jobs = append(jobs, a.Job)
			for n := range a.Cells {
				tasks[fmt.Sprintf("%s_%d", a.Job, n+1)] = Task{Submission: s.Name, Array: a.Name, Number: n + 1}
			}
		}
	}
	if len(jobs) == 0 {
		return known, "", nil
	}
	list := "--jobs=" + strings.Join(jobs, ",")
	out, err := slurmOutput(ctx, "squeue", "--noheader", "--array", "--states=all", list, "--format=%F|%K|%T|%r")
	if err != nil && !strings.Contains(err.Error(), "Invalid job id") { // the only job is forgotten
		return nil, "", err
	}
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), "|", 4)
		if len(f) != 4 {
			return nil, "", fmt.Errorf("squeue printed %q; want job, task, state and reason", line)
		}
		if t, ok := tasks[f[0]+"_"+f[1]]; ok {
			known[t] = taskState(f[2], f[3])
		} else if f[1] == "N/A" {
			rest[f[0]] = taskState(f[2], f[3])
		}
	}
	spreadJobStates(known, tasks, rest)
	if len(known) == len(tasks) {
		return known, "", nil
	}
	out, err = slurmOutput(ctx, "sacct", "--noheader", "--parsable2", "--allocations", list, "--format=JobID,State")
	if err != nil { // a cluster need not have accounting
		return known, err.Error(), nil
	}
	for line := range strings.Lines(out) {
		id, state, _ := strings.Cut(strings.TrimSpace(line), "|")
		t, ours := tasks[id]
		word, reason, _ := strings.Cut(state, " ") // CANCELLED by 1000
		if _, ok := known[t]; ours && !ok {
			known[t] = taskState(word, reason)
		} else if job, _, ok := strings.Cut(id, "_["); ok {
			rest[job] = taskState(word, reason)
		}
	}
	spreadJobStates(known, tasks, rest)
	return known, "", nil
}

// adoptJobs finds the jobs of arrays without one: their submit was killed after sbatch had answered
// and before the job was noted. The script tells which array a job is of.
func adoptJobs(ctx context.Context, submissions []*Submission) error {
	jobless := map[string]*Array{} // by script
	for _, s := range submissions {
		for i := range s.Arrays {
			if a := &s.Arrays[i]; a.Job == "" {
				jobless[s.script(*a)] = a
			}
		}
	}
	if len(jobless) == 0 {
		return nil
	}
	out, err := slurmOutput(ctx, "squeue", "--noheader", "--states=all", "--me", "--format=%F|%o")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		job, script, _ := strings.Cut(strings.TrimSpace(line), "|")
		if a := jobless[script]; a != nil {
			a.Job = job
		}
	}
	return nil
}

// spreadJobStates gives tasks without a line of their own the state of the rest of their job: tasks
// that were cancelled before they began share one line.
func spreadJobStates(known map[Task]TaskState, tasks map[string]Task, rest map[string]TaskState) {
	for id, t := range tasks {
		job, _, _ := strings.Cut(id, "_")
		state, ok := rest[job]
		if _, own := known[t]; ok && !own && !state.Active {
			known[t] = state
		}
	}
}

// taskState returns a state in Slurm's words. A state is active unless it is known to be an end:
// new versions of Slurm add active ones.
func taskState(state, reason string) TaskState {
	if reason == "None" {
		reason = ""
	}
	ended := []string{
		"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "REVOKED",
	}
	return TaskState{State: state, Reason: reason, Active: !slices.Contains(ended, state)}
}

// slurmTrouble matches the beginning of the lines in which Slurm's programs say what went wrong.
var slurmTrouble = regexp.MustCompile(`(?m)^[a-z]+: (error|fatal): `)

// slurmOutput runs one of Slurm's programs and returns its output. The error holds what the program
// wrote to stderr.
func slurmOutput(ctx context.Context, program string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = withoutTask(os.Environ())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if said := strings.TrimSpace(slurmTrouble.ReplaceAllString(stderr.String(), "")); said != "" {
		return "", fmt.Errorf("%s: %s", program, strings.ReplaceAll(said, "\n", "; "))
	}
	return "", fmt.Errorf("%s: %w", program, err)
}
