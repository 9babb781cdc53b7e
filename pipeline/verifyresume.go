package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"bierbench/models/backbones"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// VerifyOptions choose the cell that VerifyResume does, and the kills.
type VerifyOptions struct {
	Only    string   // glob for the cell; the first cell that matches is taken
	Kills   int      // number of kills, at least 1
	Seed    uint64   // of the random moments of the kills
	Program []string // command line that starts bierbench; the workspace and the run are appended
	// OnKill is called with each kill; it may be nil.
	OnKill func(k Kill)
}

// Kill is one SIGKILL.
type Kill struct {
	Number int     `json:"number"`
	Stage  string  `json:"stage"` // set-up, features, train, evaluate or write, by the files of the run
	After  float64 `json:"after"` // seconds after the process began
}

// VerifyResult says whether a cell that was killed and continued ended as an uninterrupted one did.
type VerifyResult struct {
	Cell      string         `json:"cell"`
	Kills     []Kill         `json:"kills"`
	Stages    map[string]int `json:"stages"` // number of kills in each stage
	Runs      int            `json:"runs"`   // number of runs that were killed, continued to the end and compared
	Equal     bool           `json:"equal"`
	Different []string       `json:"different"` // names of the results that differ
	Seconds   float64        `json:"seconds"`
}

// The stages that a kill can hit. VerifyResume aims at them in turn.
const (
	stageSetUp    = "set-up"
	stageFeatures = "features"
	stageTrain    = "train" // selection of a model included
	stageEvaluate = "evaluate"
	stageWrite    = "write"
	stageAnywhere = "anywhere"
)

// verifyPatience is how many times as long as the uninterrupted process another one may take, plus
// a minute, before VerifyResume gives up.
const verifyPatience = 10

// mostFiles is one more than the largest number of files that a process may write before the one at
// which it is killed: the record and some of about ten checkpoints.
const mostFiles = 4

// VerifyResume does one cell of a suite without interruption. Then it does the cell again, kills
// the process at random moments and restarts it, and compares the results: metrics, the digest of
// the model, embeddings and queries. It works in a folder of its own inside the workspace and
// removes it.
func VerifyResume(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o VerifyOptions) (*VerifyResult, error) {
	began := time.Now()
	p, err := plan.New(ctx, w, s, plan.Options{Run: s.Name, Only: o.Only})
	if err != nil {
		return nil, err
	}
	if err = sweepVerifications(w.Dir); err != nil {
		return nil, fmt.Errorf("verify resume: %w", err)
	}
	dir, err := os.MkdirTemp(w.Dir, verifyFolder)
	if err != nil {
		return nil, fmt.Errorf("verify resume: %w", err)
	}
	defer os.RemoveAll(dir)
	held, err := claims.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("verify resume: %w", err)
	}
	defer held.Close()
	if err = held.Take(ctx, verifyFolder); err != nil {
		return nil, fmt.Errorf("verify resume: %w", err)
	}
	v, err := newVerification(w, s, o, p.Cells[0], dir)
	if err != nil {
		return nil, fmt.Errorf("verify resume: %w", err)
	}
	result, err := v.verify(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify resume of %s: %w", v.cell, err)
	}
	result.Seconds = time.Since(began).Seconds()
	return result, nil
}

// verifyFolder begins the names of the folders of verifications, and is the claim that one holds in
// its own.
const verifyFolder = ".verify-resume-"

// sweepVerifications removes the folders of verifications whose process was killed: nobody holds the
// claim in them.
func sweepVerifications(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), verifyFolder) {
			continue
		}
		if err := sweepVerification(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// sweepVerification removes a folder unless its claim is held. A folder without a file of claims has
// just been made, or is a small rest.
func sweepVerification(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, claims.FileName)); err != nil {
		if info, failed := os.Stat(dir); failed != nil || time.Since(info.ModTime()) < time.Minute {
			return nil // gone, or just made
		}
		return os.RemoveAll(dir)
	}
	held, err := claims.Look(dir)
	if err != nil {
		return err
	}
	defer held.Close()
	if busy, err := held.Held(verifyFolder); busy || err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// verification is the state of a VerifyResume.
type verification struct {
	options  VerifyOptions
	dir      string // its own workspace
	features string // folder of the features of the workspace that is verified
	suite    string // path of the suite file
	key      runs.Key
	cell     string
	random   *rand.Rand
	whole    time.Duration // time of the uninterrupted run
	every    time.Duration // between checkpoints
	old      []string      // temporary files that earlier processes have left
}

// newVerification fills the folder of a verification.
func newVerification(w *workspace.Workspace, s *suite.Suite, o VerifyOptions, c plan.Cell, dir string) (*verification, error) {
	raw, err := filepath.Abs(w.DatasetsDir())
	if err != nil {
		return nil, err
	}
	if err = os.Symlink(raw, filepath.Join(dir, "datasets")); err != nil {
		return nil, err
	}
	text, err := s.YAML()
	if err != nil {
		return nil, err
	}
	features, err := filepath.Abs(w.FeaturesDir())
	if err != nil {
		return nil, err
	}
	v := &verification{
		options: o, dir: dir, features: features, suite: filepath.Join(dir, "suite.yaml"), key: c.Key, cell: c.Path(),
		random: rand.New(rand.NewPCG(o.Seed, 0)), every: DefaultCheckpoint,
	}
	return v, errors.Join(os.WriteFile(v.suite, text, 0o644), v.clearModels())
}

// clearModels removes the features that were computed. Imported ones, which cannot be computed, are
// linked.
func (v *verification) clearModels() error {
	models := filepath.Join(v.dir, "models")
	if err := os.RemoveAll(models); err != nil {
		return err
	}
	name, imported := backbones.ImportName(v.key.Backbone)
	if !imported {
		return nil
	}
	features := filepath.Join(models, "features")
	if err := os.MkdirAll(features, 0o777); err != nil {
		return err
	}
	return os.Symlink(backbones.ImportDir(v.features, name), backbones.ImportDir(features, name))
}

// verify compares one uninterrupted run with killed ones, until there were enough kills.
func (v *verification) verify(ctx context.Context) (*VerifyResult, error) {
	r := &VerifyResult{Cell: v.cell, Kills: []Kill{}, Stages: map[string]int{}, Different: []string{}}
	start := time.Now()
	if err := v.finish(ctx, "whole"); err != nil {
		return nil, err
	}
	v.whole = time.Since(start)
	v.every = v.whole / 10 // so a kill in training costs little, and may hit a checkpoint being written
	want, err := v.outcome("whole")
	if err != nil {
		return nil, err
	}
	for n := 1; len(r.Kills) < v.options.Kills; n++ {
		run := fmt.Sprintf("killed-%d", n)
		// The features are computed again, so that kills hit that as well.
		if err = v.clearModels(); err != nil {
			return nil, err
		}
		before := len(r.Kills)
		if err = v.killed(ctx, run, r); err != nil {
			return nil, err
		}
		if len(r.Kills) == before && n > 10*v.options.Kills {
			return nil, fmt.Errorf("the cell was finished %d times before a kill could hit it", n)
		}
		got, err := v.outcome(run)
		if err != nil {
			return nil, err
		}
		r.Runs++
		for name := range maps.Keys(want) {
			if got[name] != want[name] {
				r.Different = append(r.Different, run+" "+name)
			}
		}
		if len(got) != len(want) {
			r.Different = append(r.Different, fmt.Sprintf("%s has %d results, want %d", run, len(got), len(want)))
		}
		if err = os.RemoveAll(filepath.Join(v.dir, "runs", run)); err != nil {
			return nil, err
		}
	}
	slices.Sort(r.Different)
	r.Equal = len(r.Different) == 0
	return r, nil
}

// killed takes a run to its end and kills its process on the way: up to five times, and no more
// often than VerifyOptions asks for in all.
func (v *verification) killed(ctx context.Context, run string, r *VerifyResult) error {
	for _, aim := range []string{stageFeatures, stageTrain, stageWrite, stageAnywhere, stageEvaluate} {
		if len(r.Kills) == v.options.Kills {
			break
		}
		k, done, err := v.kill(ctx, run, aim)
		if err != nil {
			return err
		}
		if done {
			break
		}
		k.Number = len(r.Kills) + 1
		r.Kills = append(r.Kills, k)
		r.Stages[k.Stage]++
		if v.options.OnKill != nil {
			v.options.OnKill(k)
		}
	}
	return v.finish(ctx, run)
}

// command returns the process that does the cell in a run.
func (v *verification) command(ctx context.Context, run string, output io.Writer) *exec.Cmd {
	args := append(slices.Clone(v.options.Program[1:]), "run", v.suite, "--run", run, "--only", v.cell,
		"--checkpoint", v.every.String(), "-C", v.dir, "--log-level", "warn")
	c := exec.CommandContext(ctx, v.options.Program[0], args...)
	c.Stdout, c.Stderr = output, output
	// The kernel kills the process with the one that started it. What it takes for that one is the
	// thread, so callers stay on theirs.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// finish starts the process of a run and waits for its end.
func (v *verification) finish(ctx context.Context, run string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var output strings.Builder
	if err := v.command(ctx, run, &output).Run(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", run, errors.Join(ctx.Err(), err), strings.TrimSpace(output.String()))
	}
	return nil
}

// kill starts the run's process and kills it at a random moment, or a random time after the stage
// that it aims at has begun. done is true where the process ended before.
func (v *verification) kill(ctx context.Context, run, aim string) (k Kill, done bool, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := v.command(ctx, run, io.Discard)
	v.old = v.unfinished(run)
	if err = c.Start(); err != nil {
		return k, false, err
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	x := v.random.Float64()
	// A kill that is aimed anywhere finds half of the cell done already. A kill that is aimed at a
	// stage comes after the stage has begun, mostly soon: the stage may be short.
	moment, poll := time.Duration(x*float64(v.whole)/2), 2*time.Millisecond
	switch aim {
	case stageAnywhere:
	case stageEvaluate:
		moment = time.Duration(x * x * x * float64(v.whole) / 100)
	default:
		moment = time.Duration(x * x * x * float64(v.whole) / 20)
	}
	files := v.random.IntN(mostFiles) // number of files that are written before the one that is hit
	if aim == stageWrite {            // writing a file takes about a millisecond
		moment, poll = 0, 100*time.Microsecond
	}
	var reached time.Time
	var seen []string
	for {
		select {
		case err = <-ended:
			if err != nil {
				return k, false, fmt.Errorf("run %s: %w", run, errors.Join(ctx.Err(), err))
			}
			return k, true, nil
		case <-time.After(poll):
		}
		if time.Since(began) > verifyPatience*v.whole+time.Minute {
			return k, false, errors.Join(fmt.Errorf("run %s does not end", run), c.Process.Kill())
		}
		switch {
		case !reached.IsZero():
		case aim == stageWrite:
			for _, file := range v.unfinished(run) {
				if !slices.Contains(v.old, file) && !slices.Contains(seen, file) {
					seen = append(seen, file)
				}
			}
			if len(seen) > files {
				reached = time.Now()
			}
		case aim == stageAnywhere || v.stage(run) == aim:
			reached = time.Now()
		}
		if !reached.IsZero() && time.Since(reached) >= moment {
			break
		}
	}
	k = Kill{After: time.Since(began).Seconds()}
	if err = c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return k, false, err
	}
	if err = <-ended; err == nil {
		return k, true, nil
	}
	k.Stage = v.stage(run)
	return k, false, nil
}

// stage returns the stage that the process of a run is in, or was in when it was killed, by the
// files of the run.
func (v *verification) stage(run string) string {
	there := func(pattern ...string) bool {
		found, err := filepath.Glob(filepath.Join(append([]string{v.dir}, pattern...)...))
		return err == nil && len(found) > 0
	}
	cell := filepath.Join("runs", run, filepath.FromSlash(v.cell))
	fresh := func(file string) bool { return !slices.Contains(v.old, file) }
	switch {
	case slices.ContainsFunc(v.unfinished(run), fresh):
		return stageWrite
	case there(cell, "embeddings.arrow"):
		return stageEvaluate
	case there(cell, "train.jsonl"):
		return stageTrain
	case there(cell, "cell.json") && !there("models", "features", "*.arrow"):
		return stageFeatures
	default:
		return stageSetUp
	}
}

// unfinished returns the temporary files of a run's cell.
func (v *verification) unfinished(run string) []string {
	var files []string
	for _, dir := range []string{"", "checkpoint", chosenDir} {
		found, err := filepath.Glob(filepath.Join(v.dir, "runs", run, filepath.FromSlash(v.cell), dir, ".*"))
		if err == nil { // the pattern is well formed
			files = append(files, found...)
		}
	}
	return files
}

// outcome returns what must be equal, by name: the metrics and the digest of the model in the
// record, and the digests of embeddings and queries.
func (v *verification) outcome(run string) (map[string]string, error) {
	r, err := (runs.Store{Dir: filepath.Join(v.dir, "runs")}).Open(run)
	if err != nil {
		return nil, err
	}
	c, found, err := r.Cell(v.key)
	if err != nil {
		return nil, err
	}
	if !found || c.Status != runs.Done {
		return nil, fmt.Errorf("run %s did not finish the cell: %s", run, c.Error)
	}
	evaluations, err := json.Marshal(c.Evaluations)
	if err != nil {
		return nil, err
	}
	correlation, err := json.Marshal(c.Correlation)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"evaluations": string(evaluations), "correlation": string(correlation), "model digest": c.ModelDigest,
	}
	if c.Selection != nil {
		for i := range c.Selection.Looks {
			c.Selection.Looks[i].Seconds = 0 // it always differs
		}
		selection, err := json.Marshal(c.Selection)
		if err != nil {
			return nil, err
		}
		out["selection"] = string(selection)
	}
	files := []string{r.EmbeddingsPath(v.key)}
	for _, e := range c.Evaluations {
		if e.At != runs.AtPeek { // whose queries are not kept
			files = append(files, r.QueriesPath(v.key, e.Protocol))
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		out[filepath.Base(file)] = hex.EncodeToString(sum[:])
	}
	return out, nil
}
