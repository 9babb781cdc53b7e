package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cellKey is a cell of a small run.
func cellKey(method string, seed int) Key {
	return Key{Group: Group{"cub", "mini-s256-jpeg", "convnet", "frozen", method, 64}, Seed: seed}
}

func doneCell(k Key) Cell {
	return Cell{
		Key: k, Config: json.RawMessage(`{"size":64}`), ConfigHash: "c", DataHash: "d", Status: Done,
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func create(t *testing.T, s Store, id string, keys ...Key) *Run {
	t.Helper()
	r, err := s.Create(id, Record{Suite: "demo", Config: json.RawMessage(`[]`), Cells: keys})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunSurvivesReading(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "runs")}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Fatalf("a store that does not exist yet: %v, %v, want no runs", list, err)
	}
	k := cellKey("bier", 1)
	r := create(t, s, "first", k, cellKey("bier", 2))
	if _, ok, err := r.Cell(k); ok || err != nil {
		t.Fatalf("a cell before it is written: %v, %v, want none", ok, err)
	}
	want := doneCell(k)
	want.Evaluations = []Evaluation{{Protocol: "cub-loo", At: "last", Metrics: map[string]float64{"R@1": 0.5}}}
	if err := r.WriteCell(want); err != nil {
		t.Fatal(err)
	}
	want.Schema, want.Run = Schema, "first"
	got, ok, err := r.Cell(k)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	got.Config = compact(t, got.Config)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("cell (-want +got):\n%s", d)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %v, %v", list, err)
	}
	if i := list[0]; i.ID != "first" || i.Planned != 2 || i.Done != 1 || i.Failed != 0 || i.Running != 0 {
		t.Errorf("info = %+v", i)
	}
	if _, err = s.Create("first", Record{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating it again: %v, want fs.ErrExist", err)
	}
	if err = r.Update(Record{Suite: "other", Config: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	again, err := s.Open("first")
	if err != nil || again.Record.Suite != "other" || again.Record.ID != "first" {
		t.Errorf("after an update: %+v, %v", again, err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "first", ".tmp-*")); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func compact(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A backbone file:NAME has a folder that every system takes, and a record in which it is file:NAME.
func TestFileBackbonePath(t *testing.T) {
	r, err := Store{Dir: t.TempDir()}.Create("r", Record{})
	if err != nil {
		t.Fatal(err)
	}
	k := Key{Group: Group{Dataset: "cub", Variant: "v", Backbone: "file:dinov2", Mode: "frozen", Method: "m", Size: 8}}
	if got := k.Path(); got != "cub.v/file-dinov2-frozen/m-8/seed-0" {
		t.Errorf("path %s", got)
	}
	if err = r.WriteCell(Cell{Key: k, Status: Running}); err != nil {
		t.Fatal(err)
	}
	if c, found, failed := r.Cell(k); failed != nil || !found || c.Backbone != "file:dinov2" {
		t.Errorf("%+v, %v, %v", c.Key, found, failed)
	}
	if cells, failed := r.Cells(); failed != nil || len(cells) != 1 || cells[0].Key != k {
		t.Errorf("%+v, %v", cells, failed)
	}
	for _, bad := range []string{"file:a:b", "other:a", "file:../a"} {
		k.Backbone = bad
		if err = r.WriteCell(Cell{Key: k, Status: Running}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestRunNames(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	for _, tt := range []struct{ id, why string }{
		{"", "no name"},
		{"a/b", "another folder's run"},
		{`a\b`, "a folder on Windows"},
		{"..", "the workspace"},
		{".hidden", "hidden, and the form of temporary names"},
		{"testdata", "source"},
		{"Internal", "source, where case does not count"},
		{"-x", "an option"},
		{"a b", "breaks command lines"},
		{"a\x00b", "no file name"},
		{"a\xffb", "no text"},
		{strings.Repeat("a", 201), "longer than file systems take with a suffix"},
	} {
		if _, err := s.Create(tt.id, Record{}); err == nil {
			t.Errorf("Create(%q) succeeded: %s", tt.id, tt.why)
		}
		if _, err := s.Open(tt.id); err == nil {
			t.Errorf("Open(%q) succeeded: %s", tt.id, tt.why)
		}
	}
	for _, id := range []string{"demo", "quick-2026.01", "a_b+c", "überlauf"} {
		create(t, s, id)
	}
	if _, err := s.Open("nosuch"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "demo") {
		t.Errorf("opening a run that is not there: %v, want fs.ErrNotExist and the known runs", err)
	}
	r := create(t, s, "keys")
	for _, method := range []string{"", "../../x", "a/b", ".x"} {
		if err := r.WriteCell(doneCell(cellKey(method, 1))); err == nil {
			t.Errorf("WriteCell of method %q succeeded: it would leave its folder", method)
		}
		if _, err := s.Create("bad", Record{Cells: []Key{cellKey(method, 1)}}); err == nil {
			t.Errorf("Create with method %q succeeded", method)
		}
	}
}

func TestBrokenRecords(t *testing.T) {
	for _, tt := range []struct{ name, file, content, want string }{
		{"cut", "run.json", "{\n\"schema\": 1,\n", "run.json:3: unexpected end"},
		{"empty", "run.json", "", "run.json"},
		{"a list", "run.json", "[]", "run.json:1"},
		{"no version", "run.json", "{}", "no schema version, want 1"},
		{"a later version", "run.json", `{"schema": 2}`, "schema version 2, want 1"},
		{"another run", "run.json", `{"schema": 1, "id": "other"}`, `of run "other", want "r"`},
		{"a wrong type", "cell.json", "{\"schema\": 1,\n\"seed\": \"one\"}", "cell.json:2"},
		{"a later version", "cell.json", `{"schema": 9, "seed": "one"}`, "schema version 9, want 1"},
		{"another cell", "cell.json", `{"schema": 1}`, "want cub.mini-s256-jpeg/convnet-frozen/bier-64/seed-1"},
		{"a state nobody knows", "cell.json", "", `status "half"`},
	} {
		t.Run(tt.name+" "+tt.file, func(t *testing.T) {
			s := Store{Dir: t.TempDir()}
			k := cellKey("bier", 1)
			r := create(t, s, "r", k)
			create(t, s, "whole")
			c := doneCell(k)
			if strings.Contains(tt.name, "state") {
				c.Status = "half"
			}
			if err := r.WriteCell(c); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(r.Dir, "run.json")
			if tt.file == "cell.json" {
				file = filepath.Join(r.CellDir(k), "cell.json")
			}
			if !strings.Contains(tt.name, "state") {
				if err := os.WriteFile(file, []byte(tt.content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			list, err := s.List()
			if tt.file == "cell.json" && err == nil && len(list) == 2 {
				// The run is there; its cell is broken.
				if len(list[0].Broken) != 1 || list[0].Broken[0].Cell != k.Path() {
					t.Fatalf("List = %+v, want one broken cell", list[0])
				}
				list, err = list[1:], list[0].Broken[0].Err
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("List: %v, want %q and the file %s", err, tt.want, file)
			}
			if len(list) != 1 || list[0].ID != "whole" {
				t.Errorf("List = %v, want the whole run", list)
			}
		})
	}
}

// TestManyCells holds listing to a fraction of a millisecond a cell, so that 5,000 cells take well
// under a second; the bound is wide for a busy machine.
func TestManyCells(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	r := create(t, s, "many")
	const methods, seeds = 100, 10
	for i := range methods * seeds {
		c := doneCell(cellKey(fmt.Sprintf("m%d", i/seeds), i%seeds))
		c.Schema = Schema
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		dir := r.CellDir(c.Key)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		// Not WriteCell: so many syncs take long on some disks.
		if err := os.WriteFile(filepath.Join(dir, cellFile), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	list, err := s.List()
	took := time.Since(start)
	if err != nil || len(list) != 1 || list[0].Done != methods*seeds {
		t.Fatalf("%v, %v", list, err)
	}
	t.Logf("listed %d cells in %v", methods*seeds, took)
	if took > time.Second {
		t.Errorf("listing %d cells took %v, want less than a second", methods*seeds, took)
	}
}

func TestSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.jsonl")
	if steps, err := ReadSteps(path); steps != nil || err != nil {
		t.Fatalf("no file: %v, %v, want nothing", steps, err)
	}
	bins := [][2][]float64{{{0, 1}, {0.3333, 0.6667}}, {{1, 0}, {0, 0}}} // now and then
	want := []TrainStep{{Step: 1, Loss: 0.5, Learners: []float64{1, 2}, WeightBins: bins}, {Step: 2, Loss: 0.25}, {Step: 3, WeightBins: bins}}
	goOn := func(last int, steps ...TrainStep) {
		t.Helper()
		log, err := OpenSteps(path, last)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if err = log.Append(s); err != nil {
				t.Fatal(err)
			}
		}
		if err = log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goOn(0, want[:2]...)
	// A kill in the middle of a line.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"step": 3, "learners": [` + strings.Repeat("1, ", 5000)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got, err := ReadSteps(path); err != nil || !cmp.Equal(got, want[:2]) {
		t.Errorf("with a cut last line: %v, %v, want %v", got, err, want[:2])
	}
	goOn(2, want[2])
	if got, err := ReadSteps(path); err != nil || !cmp.Equal(got, want) {
		t.Errorf("after going on: %v, %v, want %v", got, err, want)
	}
	goOn(2)
	if got, err := ReadSteps(path); err != nil || !cmp.Equal(got, want[:2]) {
		t.Errorf("from an older checkpoint: %v, %v, want %v", got, err, want[:2])
	}
	if err := os.WriteFile(path, []byte(`{"step": 1`), 0o644); err != nil {
		t.Fatal(err)
	}
	goOn(0, want[0])
	if got, err := ReadSteps(path); err != nil || !cmp.Equal(got, want[:1]) {
		t.Errorf("after a cut first line: %v, %v, want %v", got, err, want[:1])
	}
	if err := os.WriteFile(path, []byte("{\"step\":1}\nnonsense\n{\"step\":3}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSteps(path); err == nil || !strings.Contains(err.Error(), "train.jsonl:2") {
		t.Errorf("a broken line in the middle: %v, want its number", err)
	}
}

// What a killed process left half written goes, what is whole stays.
func TestSweep(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	r, err := store.Create("r", Record{})
	if err != nil {
		t.Fatal(err)
	}
	k := Key{Group: Group{Dataset: "cub", Variant: "v", Backbone: "b", Mode: "frozen", Method: "m", Size: 8}}
	if err = r.Sweep(k); err != nil {
		t.Errorf("no folder yet: %v", err)
	}
	if err = r.WriteCell(Cell{Key: k, Status: Running}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(r.CellDir(k), ".tmp-cell.json-123")
	if err = os.WriteFile(left, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err = r.Sweep(k); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", left, err)
	}
	if _, found, err := r.Cell(k); err != nil || !found {
		t.Errorf("the record is gone: %v, %v", found, err)
	}
}

// A list counts the cells of each state; folders that are no run are left out.
func TestListCounts(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	var keys []Key
	for seed := range 6 {
		keys = append(keys, cellKey("bier", seed))
	}
	r := create(t, s, "r", keys...)
	for i, change := range []func(c *Cell){
		func(*Cell) {},
		func(c *Cell) { c.Selection = &Selection{Rule: ByPeek, Step: 1} },
		func(c *Cell) { c.Status, c.Error = Failed, "no luck" },
		func(c *Cell) { c.Status = Running },
		func(c *Cell) { c.Status = Running },
	} {
		c := doneCell(keys[i])
		change(&c)
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"empty", "testdata", ".hidden"} {
		if err := os.Mkdir(filepath.Join(s.Dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v; want the run alone", list, err)
	}
	if i := list[0]; i.Planned != 6 || i.Done != 2 || i.Peeked != 1 || i.Failed != 1 || i.Running != 2 {
		t.Errorf("%+v; want 6 planned, 2 done of which 1 by a peek, 1 failed, 2 running", i)
	}
	file := filepath.Join(s.Dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (Store{Dir: file}).List(); err == nil || !strings.HasPrefix(err.Error(), "list runs: ") {
		t.Errorf("a file in the store's place: %v", err)
	}
	if _, err := (Store{Dir: file}).Create("r", Record{}); err == nil || !strings.HasPrefix(err.Error(), "create run r: ") {
		t.Errorf("a run in a file: %v", err)
	}
}

// A run whose record is lost is opened with the record that its cells make, and one that is no run,
// or of another version, is not.
func TestReopen(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	keys := []Key{cellKey("bier", 0), cellKey("bier", 1)}
	r := create(t, s, "r", keys...)
	early := doneCell(keys[1])
	early.Started = early.Started.Add(-time.Hour)
	for _, c := range []Cell{doneCell(keys[0]), early} {
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
	}
	whole, broken, err := s.Reopen("r")
	if err != nil || broken != nil || whole.Record.Suite != "demo" {
		t.Fatalf("a whole record: %+v, %v, %v", whole, broken, err)
	}
	file := filepath.Join(r.Dir, "run.json")
	if err = os.Truncate(file, 20); err != nil {
		t.Fatal(err)
	}
	made, broken, err := s.Reopen("r")
	if err != nil || broken == nil || !strings.Contains(broken.Error(), file) {
		t.Fatalf("a cut record: %v, %v; want the run, and an error that names the file", broken, err)
	}
	want := Record{Schema: Schema, ID: "r", Created: early.Started, Cells: keys}
	if d := cmp.Diff(want, made.Record); d != "" {
		t.Errorf("record made of cells (-want +got):\n%s", d)
	}
	if _, _, err = s.Reopen("other"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "there is r") {
		t.Errorf("no run: %v; want the runs that there are", err)
	}
	if _, _, err = s.Reopen("../r"); err == nil || !strings.Contains(err.Error(), `run id "../r"`) {
		t.Errorf("no name: %v", err)
	}
	if err = os.WriteFile(file, []byte(`{"schema": 99, "id": "r"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err = s.Reopen("r"); !errors.Is(err, ErrVersion) {
		t.Errorf("a record of another version: %v", err)
	}
}

// Environments are equal whatever the command was, and say their variables.
func TestEnvironment(t *testing.T) {
	a := Environment{Go: "go1", Command: []string{"run"}, Variables: map[string]string{"XLA_FLAGS": "--a=1", "GOMLX_FUSION": "1"}}
	b := a
	b.Command = nil
	if !a.Same(b) {
		t.Error("another command makes another environment")
	}
	if b.Variables = map[string]string{"GOMLX_FUSION": "1"}; a.Same(b) {
		t.Error("other variables make no other environment")
	}
	for want, variables := range map[string]map[string]string{
		"":                               nil, // not known
		"none":                           {},
		"GOMLX_FUSION=1 XLA_FLAGS=--a=1": a.Variables,
	} {
		if got := (Environment{Variables: variables}).VariablesText(); got != want {
			t.Errorf("%v: %q, want %q", variables, got, want)
		}
	}
}
