package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// MergeOptions say which cells Merge takes.
type MergeOptions struct {
	Only      string // glob: only the cells whose path, or one of its folders, matches; empty stands for all
	SameBuild bool   // refuses cells that another build of bierbench made
	Replace   bool   // takes a cell where this workspace has another result of it
}

// MergeResult is what Merge did with the cells of the folders. Cells are named by their paths.
type MergeResult struct {
	Run        string        `json:"run"`
	Dir        string        `json:"dir"`
	Merged     []string      `json:"merged"`     // taken now
	Equal      []string      `json:"equal"`      // here already, with the same result
	Unfinished []MergedCell  `json:"unfinished"` // not done there; nothing of them is taken
	Refused    []MergedCell  `json:"refused"`    // not what the plan asks for, damaged, or in another process's hands
	Conflicts  []MergedCell  `json:"conflicts"`  // done here with another result
	Missing    int           `json:"missing"`    // cells of the plan that are not done here after the merge
	Sources    []MergeSource `json:"sources"`
}

// MergedCell is a cell of a folder, and why it was not taken.
type MergedCell struct {
	Cell   string `json:"cell"`
	Dir    string `json:"dir"` // folder of the run that it is in
	Reason string `json:"reason"`
}

// MergeSource is a folder that cells were taken from.
type MergeSource struct {
	Dir  string `json:"dir"` // of the run
	Done int    `json:"done"`
}

// Merge brings finished cells of other workspaces into a run of this one. A dir is a workspace, or
// its folder runs/RUN. A cell is taken whole, with its model, and only where it is what the plan of
// the run asks for: the same configuration, data set and weights, an unbroken seal, and files that
// match the digests in the record. The plan is that of the run's suite here or, where the run is not
// here yet, of the suite in the first folder, with the data sets of this workspace.
//
// Each cell is copied beside its place and then renamed, under its claim, so that a merge that is
// killed leaves nothing half taken, and the next one goes on.
func Merge(ctx context.Context, w *workspace.Workspace, run string, dirs []string, o MergeOptions) (*MergeResult, error) {
	sources, err := openSources(w, run, dirs)
	if err != nil {
		return nil, fmt.Errorf("merge %s: %w", run, err)
	}
	p, err := mergePlan(ctx, w, run, sources[0], o)
	if err != nil {
		return nil, fmt.Errorf("merge %s: %w", run, err)
	}
	m := merger{
		plan: p, options: o, planned: map[runs.Key]plan.Cell{},
		result: &MergeResult{Run: run, Merged: []string{}, Equal: []string{}, Unfinished: []MergedCell{}, Refused: []MergedCell{}, Conflicts: []MergedCell{}},
	}
	for _, c := range p.Cells {
		m.planned[c.Key] = c
	}
	if m.run, err = openMerged(ctx, w, p); err != nil {
		return nil, fmt.Errorf("merge %s: %w", run, err)
	}
	m.result.Dir = m.run.Dir
	if m.claims, err = claims.Open(m.run.Dir); err != nil {
		return nil, fmt.Errorf("merge %s: %w", run, err)
	}
	defer m.claims.Close()
	for _, from := range sources {
		if err = m.mergeRun(ctx, w, from); err != nil {
			return nil, fmt.Errorf("merge %s: %w", run, err)
		}
	}
	records, err := plan.RecordedCells(w, run)
	if err != nil {
		return nil, fmt.Errorf("merge %s: %w", run, err)
	}
	for _, c := range p.Cells {
		record, recorded := records[c.Key]
		if state, _ := p.State(c, record, recorded); state != plan.Done {
			m.result.Missing++
		}
	}
	return m.result, nil
}

// openSources opens the run in each of the folders.
func openSources(w *workspace.Workspace, run string, dirs []string) ([]*runs.Run, error) {
	if err := runs.CheckID(run); err != nil {
		return nil, err
	}
	own, err := os.Stat(w.Runs().Path(run))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []*runs.Run
	for _, dir := range dirs {
		store := runs.Store{Dir: filepath.Join(dir, "runs")}
		if _, err := os.Stat(filepath.Join(dir, "run.json")); err == nil {
			absolute, err := filepath.Abs(dir)
			if err != nil {
				return nil, err
			}
			if name := filepath.Base(absolute); name != run {
				return nil, fmt.Errorf("%s is the run %q; only cells of a run of the same name can be merged", dir, name)
			}
			store.Dir = filepath.Dir(absolute)
		}
		r, err := store.Open(run)
		if err != nil {
			return nil, err
		}
		if there, err := os.Stat(r.Dir); err == nil && own != nil && os.SameFile(own, there) {
			return nil, fmt.Errorf("%s is the run itself", dir)
		}
		out = append(out, r)
	}
	return out, nil
}

// mergePlan plans the run by its suite here, else by that of another folder.
func mergePlan(ctx context.Context, w *workspace.Workspace, run string, other *runs.Run, o MergeOptions) (*plan.Plan, error) {
	file := filepath.Join(w.Runs().Path(run), suiteFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		file = filepath.Join(other.Dir, suiteFile)
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("run %s has no suite: its vectors are of another program, and are scored in each workspace anew", run)
	}
	s, err := suite.Load(file)
	if err != nil {
		return nil, err
	}
	s.Name = other.Record.Suite // the file is called suite.yaml
	return plan.New(ctx, w, s, plan.Options{Run: run, Only: o.Only, SameBuild: o.SameBuild})
}

// openMerged opens the run of a plan, and creates it where it is not here. Its record then lists the
// cells in the plan's order, as that of a run which did all of them.
func openMerged(ctx context.Context, w *workspace.Workspace, p *plan.Plan) (*runs.Run, error) {
	r, err := OpenRun(ctx, w, p, false)
	if err != nil {
		return nil, err
	}
	keys := appendNewCells(nil, p.Cells)
	for _, k := range r.Record.Cells {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if slices.Equal(keys, r.Record.Cells) {
		return r, nil
	}
	held, err := claims.Open(r.Dir)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if err = held.Take(ctx, runRecordClaim); err != nil {
		return nil, err
	}
	if r, err = w.Runs().Open(p.Run); err != nil {
		return nil, err
	}
	record := r.Record
	for _, k := range record.Cells { // another process may have added some
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	record.Cells = keys
	return r, r.Update(record)
}

// merger merges folders into a run.
type merger struct {
	run     *runs.Run
	plan    *plan.Plan
	options MergeOptions
	planned map[runs.Key]plan.Cell
	claims  *claims.File
	result  *MergeResult
}

// mergeRun takes the finished cells of a folder, in the order of their paths.
func (m *merger) mergeRun(ctx context.Context, w *workspace.Workspace, from *runs.Run) error {
	cells, broken, err := from.Survey()
	if err != nil {
		return err
	}
	for _, b := range broken {
		if m.options.Only != "" && !plan.MatchPath(m.options.Only, b.Cell) {
			continue
		}
		m.result.Refused = append(m.result.Refused, MergedCell{b.Cell, from.Dir, b.Err.Error()})
	}
	w.Progress.Start("merge", len(cells))
	defer w.Progress.Finish()
	source := MergeSource{Dir: from.Dir}
	for i, c := range cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.Status == runs.Done {
			source.Done++
		}
		if err := m.mergeCell(ctx, from, c); err != nil {
			return fmt.Errorf("cell %s: %w", c.Path(), err)
		}
		w.Progress.Advance(i+1, c.Path())
	}
	m.result.Sources = append(m.result.Sources, source)
	return nil
}

// mergeCell takes one cell, or says why not.
func (m *merger) mergeCell(ctx context.Context, from *runs.Run, c runs.Cell) error {
	told := MergedCell{Cell: c.Path(), Dir: from.Dir}
	if m.options.Only != "" && !plan.MatchPath(m.options.Only, c.Path()) {
		return nil
	}
	if c.Status != runs.Done {
		told.Reason = "it is " + c.Status
		m.result.Unfinished = append(m.result.Unfinished, told)
		return nil
	}
	planned, ok := m.planned[c.Key]
	if !ok {
		told.Reason = "the plan has no such cell"
		if c.External != nil {
			told.Reason = "its vectors are of another program: score them here"
		}
		m.result.Refused = append(m.result.Refused, told)
		return nil
	}
	if state, why := m.plan.State(planned, c, true); state != plan.Done {
		told.Reason = "not as planned: " + why
		m.result.Refused = append(m.result.Refused, told)
		return nil
	}
	mine, err := m.claims.Try(c.Path())
	if err != nil {
		return err
	}
	if !mine {
		told.Reason = "another process works on it here"
		m.result.Refused = append(m.result.Refused, told)
		return nil
	}
	err = m.place(ctx, from, c, planned, told)
	return errors.Join(err, m.claims.Release(c.Path()))
}

// place puts a cell that the plan asks for into its folder, unless there is one. The caller holds its
// claim.
func (m *merger) place(ctx context.Context, from *runs.Run, c runs.Cell, planned plan.Cell, told MergedCell) error {
	own, recorded, err := m.run.Cell(c.Key)
	if err != nil && !runs.IsBroken(err) {
		return err
	}
	if state, _ := m.plan.State(planned, own, recorded); err == nil && state == plan.Done {
		differs := differentFiles(own, c)
		switch {
		case differs == "":
			m.result.Equal = append(m.result.Equal, c.Path())
			return nil
		case !m.options.Replace:
			told.Reason = "it is done here with another result: " + differs
			m.result.Conflicts = append(m.result.Conflicts, told)
			return nil
		}
	}
	to := m.run.CellDir(c.Key)
	// Nobody takes the name for a cell's: what a killed merge left in it is removed.
	beside := filepath.Join(filepath.Dir(to), ".merged-"+filepath.Base(to))
	if err = os.RemoveAll(beside); err != nil {
		return err
	}
	err = m.copyCell(ctx, from.CellDir(c.Key), beside, planned)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(beside))
		if refused, ok := errors.AsType[refusedError](err); ok {
			told.Reason = refused.Error()
			m.result.Refused = append(m.result.Refused, told)
			return nil
		}
		return err
	}
	// What was here is unfinished, stale, broken or to be replaced.
	if err = errors.Join(os.RemoveAll(to), os.Rename(beside, to), runs.SyncFolder(filepath.Dir(to))); err != nil {
		return err
	}
	m.result.Merged = append(m.result.Merged, c.Path())
	return nil
}

// differentFiles names the results of two finished cells that differ: embeddings, and queries by
// protocol. Times differ always.
func differentFiles(a, b runs.Cell) string {
	results := func(c runs.Cell) map[string]string {
		out := maps.Clone(c.Files)
		maps.DeleteFunc(out, func(name, _ string) bool { return !strings.HasSuffix(name, ".arrow") })
		return out
	}
	x, y := results(a), results(b)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if x[name] != y[name] {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		if _, ok := x[name]; !ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// A refusedError says why a cell that the plan asks for cannot be taken.
type refusedError struct{ reason string }

func (e refusedError) Error() string { return e.reason }

// copyCell copies the folder of a finished cell, and compares the files with the digests in the record
// that came with them. Nothing but files and folders is copied, and no file that a killed process
// left half written.
func (m *merger) copyCell(ctx context.Context, from, to string, planned plan.Cell) error {
	digests := map[string]string{} // by path below the folder, with slashes
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		case runs.IsTemporary(entry.Name()):
			return nil
		case !entry.Type().IsRegular():
			return refusedError{fmt.Sprintf("%s is no file (%s)", path, entry.Type())}
		}
		digests[filepath.ToSlash(name)], err = copyFile(path, filepath.Join(to, name))
		return err
	})
	if err != nil {
		return err
	}
	// The record may have been written anew since it was read first.
	c, err := m.run.CopiedCell(to, planned.Key)
	switch state, why := m.plan.State(planned, c, true); {
	case err != nil:
		return refusedError{err.Error()}
	case state != plan.Done:
		return refusedError{"not as planned: " + cmp.Or(why, "it is "+state)}
	case len(c.Files) == 0:
		return refusedError{"its record has no digests of its files: another version of bierbench wrote it"}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		switch got, ok := digests[name]; {
		case !ok:
			return refusedError{fmt.Sprintf("%s is missing", filepath.Join(from, name))}
		case got != c.Files[name]:
			return refusedError{fmt.Sprintf("%s: SHA-256 %.12s, the record of the cell has %.12s: the file was changed or damaged after "+
				"it was written", filepath.Join(from, name), got, c.Files[name])}
		}
	}
	return nil
}

// copyFile copies a file whole, and returns its SHA-256, hex.
func copyFile(from, to string) (digest string, err error) {
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	err = runs.WriteFileFunc(to, 0o644, func(w io.Writer) error {
		_, failed := io.Copy(io.MultiWriter(w, h), f)
		return failed
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
