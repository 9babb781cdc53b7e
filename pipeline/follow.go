package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// A Follower watches a run that other processes work on. It reads the files in the folder of the
// run and writes nothing.
type Follower struct {
	w     *workspace.Workspace
	id    string
	only  string // path of the one cell to follow; empty for all
	run   *runs.Run
	file  fs.FileInfo // of run.json when it was read last
	cells map[string]*followedCell
}

// followedCell is what a Follower knows of a cell.
type followedCell struct {
	file   fs.FileInfo // of the record when it was read last; nil where there is none
	record runs.Cell
	fault  error // of a broken record
	state  string
	steps  fs.FileInfo // of train.jsonl when it was read last
	offset int64       // of the end of what was read of it, in bytes
	last   int         // number of the step that was seen last
}

// Followed is a change that a Follower saw: a new state of a cell, or a step of its training.
type Followed struct {
	Cell   string // path
	State  string // the new state; empty for a step
	Record runs.Cell
	Fault  error // of a broken record
	Step   *runs.TrainStep
}

// FollowSummary counts the followed cells by state.
type FollowSummary struct {
	Run         string `json:"run"`
	Cells       int    `json:"cells"`
	Done        int    `json:"done"`
	Failed      int    `json:"failed"`
	Running     int    `json:"running"`
	Interrupted int    `json:"interrupted"`
	Planned     int    `json:"planned"`
	Broken      int    `json:"broken,omitempty"` // cells whose record cannot be read
}

// Ended reports whether every cell is done or failed.
func (s FollowSummary) Ended() bool { return s.Done+s.Failed == s.Cells }

// Summarize counts cells by state.
func Summarize(run string, cells []plan.LiveCell) FollowSummary {
	s := FollowSummary{Run: run}
	for _, c := range cells {
		s.count(c.State)
	}
	return s
}

// count counts a cell in a state.
func (s *FollowSummary) count(state string) {
	s.Cells++
	switch state {
	case plan.Done:
		s.Done++
	case plan.Failed:
		s.Failed++
	case plan.Running:
		s.Running++
	case plan.Interrupted:
		s.Interrupted++
	case plan.Broken:
		s.Broken++
	default:
		s.Planned++
	}
}

// Follow begins to watch an existing run, or one of its planned cells.
func Follow(w *workspace.Workspace, id, cell string) (*Follower, error) {
	f := &Follower{w: w, id: id, only: cell, cells: map[string]*followedCell{}}
	keys, err := f.keys()
	if err != nil {
		return nil, err
	}
	if cell != "" && len(keys) == 0 {
		var known []string
		for _, k := range f.run.Record.Cells {
			known = append(known, k.Path())
		}
		return nil, fmt.Errorf("run %s: %w", id, noCell(w, f.run, cell, known))
	}
	return f, nil
}

// keys returns the cells to follow. A run may get more of them.
func (f *Follower) keys() ([]runs.Key, error) {
	if f.run != nil {
		file, err := os.Stat(filepath.Join(f.run.Dir, "run.json"))
		if err != nil {
			return nil, fmt.Errorf("follow run %s: %w", f.id, err)
		}
		if !isUnchanged(file, f.file) {
			f.run = nil
		}
		f.file = file
	}
	if f.run == nil {
		r, _, err := f.w.Runs().Reopen(f.id)
		if err != nil {
			return nil, err
		}
		f.run = r
	}
	if f.only == "" {
		return f.run.Record.Cells, nil
	}
	for _, k := range f.run.Record.Cells {
		if k.Path() == f.only {
			return []runs.Key{k}, nil
		}
	}
	return nil, nil
}

// isUnchanged reports whether a file is the same as before. Records are replaced, never written in
// place.
func isUnchanged(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Poll returns what has changed since the last Poll, in the order of the run: each new state, and
// the latest step of each cell that trains. The first Poll returns the cells that are running or
// interrupted; of a single cell, its state.
func (f *Follower) Poll() ([]Followed, FollowSummary, error) {
	keys, err := f.keys()
	if err != nil {
		return nil, FollowSummary{}, err
	}
	held, err := claims.Look(f.run.Dir)
	if err != nil {
		return nil, FollowSummary{}, err
	}
	defer held.Close()
	summary := FollowSummary{Run: f.id}
	var seen []Followed
	for _, k := range keys {
		path := k.Path()
		c := f.cells[path]
		first := c == nil
		if first {
			c = &followedCell{}
			f.cells[path] = c
		}
		before := c.state
		if err := f.look(c, k, held); err != nil {
			return nil, FollowSummary{}, err
		}
		changed := c.state != before && (!first || f.only != "" || c.state == runs.Running || c.state == plan.Interrupted)
		state := Followed{Cell: path, State: c.state, Record: c.record, Fault: c.fault}
		if changed && c.state == runs.Running {
			seen = append(seen, state)
		}
		if c.state == runs.Running || (before == runs.Running && c.state != plan.Planned) {
			step, err := c.step(f.run.StepsPath(k))
			if err != nil {
				return nil, FollowSummary{}, fmt.Errorf("follow cell %s: %w", path, err)
			}
			if step != nil {
				seen = append(seen, Followed{Cell: path, Step: step})
			}
		}
		if changed && c.state != runs.Running {
			seen = append(seen, state)
		}
		summary.count(c.state)
	}
	return seen, summary, nil
}

// look brings the record and the state of a cell up to date. The claim comes first: a process that
// ends in between has written its record.
func (f *Follower) look(c *followedCell, k runs.Key, held *claims.File) error {
	busy, err := held.Held(k.Path())
	if err != nil {
		return err
	}
	if err := f.read(c, k); err != nil {
		return err
	}
	if c.fault != nil && !busy {
		c.state = plan.Broken
		return nil
	}
	c.state = plan.Live(c.record, c.file != nil, busy)
	return nil
}

// read reads a cell's record, unless it has not changed.
func (f *Follower) read(c *followedCell, k runs.Key) error {
	file, err := os.Stat(filepath.Join(f.run.CellDir(k), "cell.json"))
	if errors.Is(err, fs.ErrNotExist) {
		c.file, c.record, c.fault = nil, runs.Cell{}, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("follow cell %s: %w", k.Path(), err)
	}
	if isUnchanged(file, c.file) {
		return nil
	}
	record, there, err := f.run.Cell(k)
	if c.fault = err; err != nil && !runs.IsBroken(err) {
		return err
	}
	if !there && err == nil {
		file = nil // removed meanwhile
	}
	c.file, c.record = file, record
	return nil
}

// step returns the latest training step, nil where there is no new one.
func (c *followedCell) step(path string) (*runs.TrainStep, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if c.steps == nil || !os.SameFile(info, c.steps) || info.Size() < c.offset {
		c.offset = 0 // another file: training began again or continues from a checkpoint
	}
	c.steps = info
	added, err := io.ReadAll(io.NewSectionReader(file, c.offset, info.Size()-c.offset))
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(added, '\n')
	if whole < 0 {
		return nil, nil // at most a line that is being written
	}
	lines := added[:whole]
	c.offset += int64(whole) + 1
	line := lines[bytes.LastIndexByte(lines, '\n')+1:]
	step, err := runs.ParseStep(line)
	if err != nil {
		return nil, fmt.Errorf("%s: before byte %d: %w", path, c.offset, err)
	}
	if step.Step == c.last {
		return nil, nil
	}
	c.last = step.Step
	return &step, nil
}
