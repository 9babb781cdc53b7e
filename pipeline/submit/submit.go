package submit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bierbench/models/xla"
	"bierbench/pipeline"
	"bierbench/pipeline/cost"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// Options choose the cells that Submit hands over, and the engine.
type Options struct {
	Plan        plan.Options
	Engine      string        // one of Engines
	Options     []string      // further options of sbatch, for the engine slurm
	Processes   int           // number at a time, for the engine local; 0 stands for 1
	Parallel    int           // tasks of an array at a time, for the other engines; 0 stands for no limit
	Kubernetes  Kubernetes    // for the engine kubernetes
	RetryFailed bool          // also submit the cells that failed before
	Checkpoint  time.Duration // between checkpoints of a training; 0 stands for pipeline.DefaultCheckpoint
	OnTask      func(TaskEnd) // called from one goroutine with each task that ends here; may be nil
}

// Result is what Submit did.
type Result struct {
	Run        string  `json:"run"`
	Engine     string  `json:"engine"`
	Submission string  `json:"submission"` // empty where nothing was left to submit
	Dir        string  `json:"dir"`
	Cells      int     `json:"cells"`
	Done       int     `json:"done"`     // cells that were done before
	Failed     int     `json:"failed"`   // cells that failed before and were left alone
	Active     int     `json:"active"`   // cells that wait or run in an engine, of earlier submissions
	Running    int     `json:"running"`  // cells that are claimed by a process that no engine knows of
	Sent       int     `json:"sent"`     // cells that were handed over now
	Features   int     `json:"features"` // tasks that compute features first
	Arrays     []Array `json:"arrays"`
	Parallel   int     `json:"parallel,omitempty"` // tasks at a time; 0 stands for no limit
	// Files are what the user hands over, in this order, where the engine starts nothing itself.
	Files []string  `json:"files,omitempty"`
	Ended []TaskEnd `json:"ended,omitempty"` // tasks that ended here, with the engine local
}

// submittingClaim is the claim of a run while a submission is put together: two of them must not
// send the same cells.
const submittingClaim = "submissions"

// Submit hands the cells of a suite to an engine, without those that are done, have failed, or are
// with an engine already. Features that are not cached and that several cells read are computed
// first, by a task of their own. Claims keep a cell that is submitted and run at once from being
// done twice.
func Submit(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o Options) (*Result, error) {
	if o.Plan.Run == "" {
		o.Plan.Run = s.Name
	}
	e, err := openEngine(o.Engine, w, o)
	if err != nil {
		return nil, err
	}
	result := &Result{Run: o.Plan.Run, Engine: o.Engine}
	submission, err := submitSuite(ctx, w, s, o, e, result)
	if err != nil || submission == nil {
		return result, err
	}
	result.Ended, err = e.wait(ctx, submission)
	return result, err
}

// submitSuite makes a submission and hands it over. It returns nil where there is nothing to do.
func submitSuite(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o Options, e engine, result *Result) (*Submission, error) {
	limit, err := e.limit(ctx)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", s.Name, err)
	}
	p, err := plan.New(ctx, w, s, o.Plan)
	if err != nil {
		return nil, err
	}
	if err = cost.Estimate(w, p); err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	claimed, err := claims.Open(w.Runs().Path(p.Run))
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	defer claimed.Close()
	if err = claimed.Take(ctx, submittingClaim); err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	active, err := findActiveTasks(ctx, w, p.Run, o)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	cells, err := cellsToSend(p, o.RetryFailed, active, claimed, result)
	if err != nil || len(cells) == 0 {
		return nil, err
	}
	// Weights and plugin are installed here: a task would install them again, or stop for want of
	// them.
	if err = pipeline.NeedWeights(ctx, w, cells); err != nil {
		return nil, fmt.Errorf("suite %s: %w", s.Name, err)
	}
	if w.Backend == xla.CPU || w.Backend == "" {
		if _, err = w.Cache.Plugin(ctx, w.Log); err != nil {
			return nil, fmt.Errorf("submit %s: %w", p.Run, err)
		}
	}
	if _, err = pipeline.OpenRun(ctx, w, p, true); err != nil {
		return nil, err
	}
	submission, err := newSubmission(w, p.Run)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	submission.Engine, submission.Options, submission.Parallel = o.Engine, o.Options, o.Parallel
	if submission.Arrays, err = arrangeTasks(w, submission.Name, p.Cells, cells, active.features, limit); err != nil {
		return nil, fmt.Errorf("submit %s: %w", p.Run, err)
	}
	if err = writeSubmission(w, submission, s, o); err != nil {
		return nil, fmt.Errorf("submission %s: %w", submission.Name, err)
	}
	if err = submission.save(); err != nil {
		return nil, err
	}
	err = e.send(ctx, submission)
	result.Submission, result.Dir, result.Arrays = submission.Name, submission.dir, submission.Arrays
	result.Parallel, result.Files = submission.Parallel, submission.Files
	for _, a := range submission.Arrays {
		switch {
		case a.Job == "": // it was not sent
		case a.Features != nil:
			result.Features += len(a.Cells)
		default:
			result.Sent += len(a.Cells)
		}
	}
	return submission, err
}

// cellsToSend returns the cells of a plan that are left to submit, and counts the others in result.
func cellsToSend(p *plan.Plan, retryFailed bool, active *activeTasks, claimed *claims.File, result *Result) ([]plan.Cell, error) {
	result.Cells = len(p.Cells)
	var cells []plan.Cell
	for _, c := range p.Cells {
		held, err := claimed.Held(c.Path())
		switch {
		case err != nil:
			return nil, err
		case c.State == plan.Done:
			result.Done++
		case active.cells[c.Path()]:
			result.Active++
		case held:
			result.Running++
		case c.State == plan.Failed && !retryFailed:
			result.Failed++
		default:
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// activeTasks are the tasks of a run that wait or run in engines: the cells by path, and the tasks
// that compute features by key.
type activeTasks struct {
	cells    map[string]bool
	features map[string]Task
}

// findActiveTasks asks the engines of the earlier submissions of a run. Where the engine of the new
// submission cannot be asked, that is an error. For another engine it is a warning: claims keep the
// two apart.
func findActiveTasks(ctx context.Context, w *workspace.Workspace, run string, o Options) (*activeTasks, error) {
	submissions, err := readSubmissions(w, run)
	if err != nil {
		return nil, err
	}
	out := &activeTasks{map[string]bool{}, map[string]Task{}}
	for _, kind := range Engines() {
		own := slices.DeleteFunc(slices.Clone(submissions), func(s *Submission) bool { return s.Engine != kind.Name })
		if len(own) == 0 {
			continue
		}
		known, _, err := kind.open(w, o).states(ctx, own)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && kind.Name == o.Engine:
			return nil, fmt.Errorf("ask %s which cells it has already: %w", kind.Name, err)
		case err != nil:
			w.Log.Warn("an engine cannot be asked which cells it has already", "engine", kind.Name, "error", err)
		}
		for _, s := range own {
			for _, a := range s.Arrays {
				for i, cell := range a.Cells {
					t := Task{s.Name, a.Name, i + 1}
					switch {
					case !known[t].Active:
					case a.Features == nil:
						out.cells[cell] = true
					case kind.Name == o.Engine:
						out.features[a.Features[i]] = t
					}
				}
			}
		}
	}
	return out, nil
}

// writeSubmission fills a submission's folder with all that its tasks need: a copy of this program,
// the suite as it was resolved, the lists of cells and the scripts.
func writeSubmission(w *workspace.Workspace, submission *Submission, s *suite.Suite, o Options) error {
	program, err := keptProgram(filepath.Dir(submission.dir))
	if err != nil {
		return err
	}
	text, err := s.YAML()
	if err != nil {
		return err
	}
	submission.Program, submission.Suite = program, submission.path(s.Name+".yaml") // a run of this file has the name of the suite
	if err = runs.WriteFile(submission.Suite, text, 0o644); err != nil {
		return err
	}
	for _, a := range submission.Arrays {
		command, err := taskCommand(w, submission, o, a)
		if err != nil {
			return err
		}
		script := taskScript(submission.cellsFile(a), w.Cache.Dir, command)
		if err = errors.Join(
			runs.WriteFile(submission.cellsFile(a), []byte(strings.Join(a.Cells, "\n")+"\n"), 0o644),
			runs.WriteFile(submission.script(a), []byte(script), 0o755),
		); err != nil {
			return err
		}
	}
	return nil
}

// taskCommand returns the command line of the tasks of an array, without the choice of their cell.
func taskCommand(w *workspace.Workspace, submission *Submission, o Options, a Array) ([]string, error) {
	dir, err := filepath.Abs(w.Dir)
	if err != nil {
		return nil, err
	}
	command := []string{submission.Program, "-C", dir}
	if w.Backend != "" {
		command = append(command, "--backend", w.Backend)
	}
	if w.Devices > 1 {
		command = append(command, "--devices", fmt.Sprint(w.Devices))
	}
	if w.GPUMemory > 0 {
		command = append(command, "--gpu-memory", fmt.Sprint(w.GPUMemory))
	}
	if a.Features != nil {
		command = append(command, "features")
	} else {
		command = append(command, "run")
		if o.RetryFailed {
			command = append(command, "--retry-failed")
		}
		if o.Plan.SameBuild {
			command = append(command, "--same-build")
		}
		if o.Checkpoint > 0 {
			command = append(command, "--checkpoint", o.Checkpoint.String())
		}
	}
	return append(command, "--run", submission.Run, submission.Suite), nil
}

// taskScript returns the shell script of an array. It ends by becoming the command, so that signals
// reach the command. Tasks count from 1; Kubernetes counts the indexes of a Job from 0.
func taskScript(list, cache string, command []string) string {
	for i, word := range command {
		command[i] = shellQuoted(word)
	}
	return fmt.Sprintf(`#!/bin/sh
# Task n is of the cell in line n of the list.
list=%s
task=${%s:-$SLURM_ARRAY_TASK_ID}
if [ -z "$task" ] && [ -n "$JOB_COMPLETION_INDEX" ]; then
	task=$((JOB_COMPLETION_INDEX + 1))
fi
cell=$(sed -n "${task}p" "$list")
if [ -z "$cell" ]; then
	echo "$list has no line $task" >&2
	exit 2
fi
export BIERBENCH_CACHE=%s
exec %s --only "$cell"
`, shellQuoted(list), taskVariable, shellQuoted(cache), strings.Join(command, " "))
}

// shellQuoted returns a word in quotes, as a shell reads it back.
func shellQuoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// keptProgram copies this program below dir, once for each version of it, and returns the path of
// the copy. Tasks run the copy hours later, when the original may be of another version, or gone:
// "go tool" runs programs from a cache that is cleaned up. A link would not do, because it follows
// a file that is rewritten in place.
func keptProgram(dir string) (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(own)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		return "", err
	}
	folder := filepath.Join(dir, "program-"+hex.EncodeToString(h.Sum(nil))[:16])
	kept := filepath.Join(folder, workspace.ModulePath)
	if _, err = os.Stat(kept); err == nil {
		return kept, nil
	}
	if err = os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	return kept, runs.WriteFileFunc(kept, 0o755, func(w io.Writer) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(w, f)
		return err
	})
}
