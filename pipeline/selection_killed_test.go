package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// snapshots is a Progress that copies a run's folder whenever something happens:
// what a kill would leave at that moment.
type snapshots struct {
	workspace.NoProgress
	t   *testing.T
	run string // folder
	to  string
	now string // stage
	all []string
}

func (s *snapshots) take(what string) {
	if _, err := os.Stat(s.run); err != nil {
		return
	}
	dir := filepath.Join(s.to, fmt.Sprintf("%02d-%s", len(s.all), what))
	if err := os.CopyFS(dir, os.DirFS(s.run)); err != nil {
		s.t.Error(err)
	}
	s.all = append(s.all, dir)
}

func (s *snapshots) Start(stage string, _ int) {
	if s.now, _, _ = strings.Cut(stage, " "); s.now != "train" { // that begins as a look ends
		s.take("begin-" + s.now)
	}
}

func (s *snapshots) Finish() {
	if s.now == "select" {
		s.take("end-select")
	}
}

// Wherever a kill hits, the same command ends with the same choice and bits:
// a run's folder as it is at each stage's begin and end, and in the midst of
// what a look writes, is continued. Of the states that differ in the look alone
// the first is tried.
func TestSelectionKilled(t *testing.T) { checkSelectionKilled(t, false) }

func checkSelectionKilled(t *testing.T, every bool) {
	t.Helper()
	dir := t.TempDir()
	watch := &snapshots{t: t, run: filepath.Join(dir, "runs", "s"), to: t.TempDir()}
	w := miniWorkspace(t, dir, watch)
	suite := selectionOf(t, "frozen", 7, "validation", 2)
	want := only(t, w, suite, "s")
	bits := outputs(t, w, "s")
	w.Progress = workspace.NoProgress{}

	cell := filepath.FromSlash(want.Path())
	type state struct {
		name   string
		from   string
		change func(cell string) error
	}
	var states []state
	looks := 0
	for _, from := range watch.all {
		states = append(states, state{filepath.Base(from), from, func(string) error { return nil }})
		lines, err := runs.ReadLooks(filepath.Join(from, cell, "selection.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) > looks { // the look's model and line are there, its checkpoint is not
			looks = len(lines)
			states = append(states, state{filepath.Base(from) + ", line cut", from, func(cell string) error {
				return cutLine(filepath.Join(cell, "selection.jsonl"), 5)
			}}, state{filepath.Base(from) + ", line missing", from, func(cell string) error {
				return cutLine(filepath.Join(cell, "selection.jsonl"), 1<<20)
			}})
		}
	}
	last := watch.all[len(watch.all)-1]
	states = append(
		states,
		state{"chosen model lost", last, func(cell string) error { return os.RemoveAll(filepath.Join(cell, chosenDir)) }},
		state{"chosen model broken", last, func(cell string) error {
			files, err := filepath.Glob(filepath.Join(cell, chosenDir, "step-*"))
			if err != nil || len(files) == 0 {
				return errors.New("no chosen model")
			}
			return os.Truncate(files[0], 3000)
		}},
		state{"looks lost", last, func(cell string) error { return os.Remove(filepath.Join(cell, "selection.jsonl")) }},
	)
	if looks != 4 || len(states) < 15 {
		t.Fatalf("%d states, %d looks", len(states), looks)
	}
	tried := map[string]bool{}
	for _, s := range states {
		_, kind, numbered := strings.Cut(s.name, "-")
		if numbered && tried[kind] && !every {
			continue
		}
		tried[kind] = numbered
		t.Run(s.name, func(t *testing.T) {
			if err := os.RemoveAll(watch.run); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(watch.run, os.DirFS(s.from)); err != nil {
				t.Fatal(err)
			}
			if err := s.change(filepath.Join(watch.run, cell)); err != nil {
				t.Fatal(err)
			}
			got := only(t, w, suite, "s")
			if choice(t, got) != choice(t, want) || got.ModelDigest != want.ModelDigest {
				t.Errorf("another choice:\n%s\n%s", choice(t, got), choice(t, want))
			}
			if d := cmp.Diff(bits, outputs(t, w, "s")); d != "" {
				t.Errorf("other files (-want +got):\n%s", d)
			}
			if got.Timing["overhead"] < 0 {
				t.Errorf("timing %v", got.Timing)
			}
		})
	}
}

// cutLine takes bytes from the end of a file, at most its last line.
func cutLine(path string, n int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rest := strings.LastIndexByte(string(data[:len(data)-1]), '\n') + 1
	return os.WriteFile(path, data[:max(rest, len(data)-n)], 0o600)
}
