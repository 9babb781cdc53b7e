package pipeline

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// The bytes are those that numpy 2.4 writes for the same arrays, as version 1.0.
func TestArrayBytes(t *testing.T) {
	header := func(text string) string {
		return "\x93NUMPY\x01\x00v\x00" + text + strings.Repeat(" ", 0x76-len(text)-1) + "\n"
	}
	matrix := []float32{1, 2, 3, 4, 5, -6.5}
	var out bytes.Buffer
	err := writeArray(&out, "<f4", []int{2, 3}, func(b []byte, i int) []byte {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(matrix[i]))
	})
	want := header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }") +
		"\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@\x00\x00\xa0@\x00\x00\xd0\xc0"
	if err != nil || out.String() != want {
		t.Errorf("matrix %q, %v; want %q", out.String(), err, want)
	}
	out.Reset()
	err = writeArray(&out, "<i8", []int{2}, func(b []byte, i int) []byte {
		return binary.LittleEndian.AppendUint64(b, uint64([]int64{7, -1}[i]))
	})
	want = header("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }") + "\x07\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
	if err != nil || out.String() != want {
		t.Errorf("vector %q, %v; want %q", out.String(), err, want)
	}
}

// Whatever is in the way of an export, no file is lost that export did not write,
// and a failure leaves the folder as it was.
func TestReplaceFolder(t *testing.T) {
	mine := ModelCard{Schema: 1, Run: "r", Cell: "c"}
	other := ModelCard{Schema: 1, Run: "r", Cell: "d"}
	card := func(c ModelCard) string {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	broken := errors.New("disk is full")
	for _, tt := range []struct {
		name   string
		before map[string]string // nil: no folder
		force  bool
		fails  error // of writing
		want   string
	}{
		{name: "no folder"},
		{name: "empty folder", before: map[string]string{}},
		{name: "the same cell", before: map[string]string{cardFile: card(mine), idsFile: "old"}},
		{name: "another cell", before: map[string]string{cardFile: card(other)}, want: "holds the model of r/d; --force"},
		{name: "another cell, by force", before: map[string]string{cardFile: card(other), modelFile: "old"}, force: true},
		{name: "a user's file", before: map[string]string{cardFile: card(mine), "notes.txt": "mine"}, force: true, want: "holds notes.txt, which export did not write"},
		{name: "no export", before: map[string]string{"main.go": "package main"}, want: "holds main.go"},
		{name: "without a card", before: map[string]string{idsFile: "ids"}, force: true, want: "is not a whole export"},
		{name: "a page that a user changed", before: map[string]string{cardFile: card(mine), readmeFile: "mine"}, force: true, want: "README.md is not as export wrote it"},
		{name: "another card", before: map[string]string{cardFile: "{}"}, force: true, want: "is not the card of a model"},
		{name: "failure, no folder", fails: broken, want: "disk is full"},
		{name: "failure, the same cell", before: map[string]string{cardFile: card(mine), idsFile: "old"}, fails: broken, want: "disk is full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "b")
			if tt.before != nil {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for name, text := range tt.before {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := replaceFolder(modelTarget(dir, &mine, tt.force), func(dir string) error {
				return errors.Join(os.WriteFile(filepath.Join(dir, cardFile), []byte("new"), 0o600), tt.fails)
			})
			want := map[string]string{cardFile: "new"}
			if tt.want != "" {
				want = tt.before
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			} else if err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(want, textsIn(t, dir)); d != "" {
				t.Errorf("folder (-want +got):\n%s", d)
			}
			if left, failed := filepath.Glob(filepath.Join(parent, "a", ".tmp-*")); failed != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, failed)
			}
		})
	}
}

// textsIn returns the files of a folder; nil where there is none.
func textsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(text)
	}
	return out
}

// The model of a cell is the selected one where one was selected; where none is
// there, the error names the command that makes one.
func TestEvaluatedModel(t *testing.T) {
	r := &runs.Run{Dir: t.TempDir(), Record: runs.Record{ID: "r"}}
	c := runs.Cell{Key: runs.Key{Group: runs.Group{Dataset: "cub", Variant: "v", Backbone: "convnet", Mode: "frozen", Method: "m", Size: 2}}}
	if got, want := evaluatedModel(r, c), filepath.Join(r.CellDir(c.Key), "checkpoint"); got != want {
		t.Errorf("without a selection %s, want %s", got, want)
	}
	c.Selection = &runs.Selection{Step: 10}
	if got, want := evaluatedModel(r, c), filepath.Join(r.CellDir(c.Key), "selected"); got != want {
		t.Errorf("with a selection %s, want %s", got, want)
	}
	_, err := testModel(workspace.New(workspace.Workspace{}), r, c, models.Config{Backbone: "convnet"})
	if !errors.Is(err, models.ErrNoCheckpoint) || !strings.Contains(err.Error(), "bierbench run "+filepath.Join(r.Dir, "suite.yaml")+" --run r") {
		t.Errorf("without a checkpoint: %v; want the command that makes one", err)
	}
}

// A variant's name says all that ingest did to the images' pixels.
func TestPreparedBy(t *testing.T) {
	for variant, want := range map[string]Prepared{
		"official-s256-jpeg":        {Size: 256, Store: "jpeg"},
		"official+box-s256-jpeg":    {Box: true, Size: 256, Store: "jpeg"},
		"my-s1-set+box+pad-s64-rgb": {Box: true, Pad: true, Size: 64, Store: "rgb"},
	} {
		want.Variant, want.Resize = variant, resizeRule
		if got, err := preparedBy(variant); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", variant, got, err, want)
		}
	}
	if _, err := preparedBy("official"); err == nil {
		t.Error("a variant without a size is taken")
	}
}

// A path that no cell has is answered with what is nearest to what was meant.
func TestNoCell(t *testing.T) {
	group := runs.Group{Dataset: "cub", Variant: "v", Backbone: "lite0", Mode: "frozen", Method: "bier", Size: 8}
	r := &runs.Run{Dir: "runs/r", Record: runs.Record{ID: "r"}}
	cells := []runs.Cell{{Key: runs.Key{Group: group}}}
	planned := runs.Key{Group: group, Seed: 1}
	r.Record.Cells = []runs.Key{cells[0].Key, planned}
	w := workspace.New(workspace.Workspace{Dir: "ws"})
	for _, tt := range []struct{ name, path, want string }{
		{"no seed", "cub.v/lite0-frozen/bier-8", "is not the whole path of a cell: want one such as r/cub.v/lite0-frozen/bier-8/seed-0, " +
			"or 'r/cub.v/lite0-frozen/bier-8/*' for all of them"},
		{"the beginning of a path", "cub.v", "or 'r/cub.v/*/*/*' for all of them"},
		{"one folder", "bier-8", "want one such as r/cub.v/lite0-frozen/bier-8/seed-0, or 'r/*/*/bier-8/*' for all of them"},
		{"half of a folder name", "cub.v/lite0-frozen/bier", `there is no cell "cub.v/lite0-frozen/bier"; "bierbench -C ws show r" lists them`},
		{"a letter", "cub.v/lite0-frozen/bier-8/seed-3", `did you mean "cub.v/lite0-frozen/bier-8/seed-0"?`},
		{"planned", planned.Path(), `has not begun; run "bierbench -C ws run runs/r/suite.yaml --run r"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := cellNamed(w, r, cells, tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			// Where no glob is taken, none is offered.
			if _, err := CellNamed(w, r, cells, tt.path); err == nil || strings.Contains(err.Error(), "for all of them") {
				t.Errorf("without globs: %v", err)
			}
		})
	}
	for _, tt := range []struct{ folder, want string }{
		{"bier-8", "*/*/bier-8/*"}, {"cub.v/lite0-frozen", "cub.v/lite0-frozen/*/*"}, {"seed-0", "*/*/*/seed-0"}, {"bier", ""},
	} {
		glob := globOfFolder(tt.folder, cells[0].Path())
		if glob != tt.want || glob != "" && !plan.MatchPath(glob, cells[0].Path()) {
			t.Errorf("folder %s: glob %q, want %q, which matches", tt.folder, glob, tt.want)
		}
	}
}
