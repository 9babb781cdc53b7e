package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sealedRun is a run of one finished cell with all its files, which its record has the digests of.
func sealedRun(t *testing.T, id string, seed int) (*Run, Cell) {
	t.Helper()
	k := cellKey("bier", seed)
	r := create(t, Store{Dir: t.TempDir()}, id, k)
	c := doneCell(k)
	c.Config = json.RawMessage(fmt.Sprintf(`{"inner":{"seed":7},"rate":0.5,"seed":%d,"size":64}`, seed))
	sum := sha256.Sum256([]byte(`{"inner":{"seed":7},"rate":0.5,"seed":0,"size":64}`))
	c.ConfigHash = hex.EncodeToString(sum[:])
	c.Evaluations = []Evaluation{{Protocol: "cub-loo", At: AtLast, Queries: 40, Metrics: map[string]float64{"R@1": 0.60829}}}
	if err := os.MkdirAll(r.CellDir(k), 0o755); err != nil {
		t.Fatal(err)
	}
	queries := someQueries(40 + seed)
	e := Embeddings{IDs: []int64{1, 2}, Classes: []int32{3, 4}, Splits: []string{"test", "test"}, Lists: []uint8{0, 0}, Width: 2, Values: []float32{1, 2, 3, float32(seed)}}
	log, err := OpenSteps(r.StepsPath(k), 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 3 {
		if err = log.Append(TrainStep{Step: step + 1, Loss: float64(seed) + 0.5}); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []func() error{
		log.Close,
		func() error { return r.WriteQueries(&c, "cub-loo", queries) },
		func() error { return r.WriteEmbeddings(&c, e) },
		func() error { return r.SealFiles(&c) },
		func() error { return r.WriteCell(c) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	return r, c
}

// Any changed byte of a sealed record is noticed, or changes nothing that is read.
func TestSealOfEveryByte(t *testing.T) {
	r, want := sealedRun(t, "r", 1)
	file := filepath.Join(r.CellDir(want.Key), cellFile)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	as := func(c Cell) string {
		text, failed := json.Marshal(c)
		if failed != nil {
			t.Fatal(failed)
		}
		return string(text)
	}
	first, _, err := r.Cell(want.Key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, bit := range []byte{1, 4, 32} {
			data := bytes.Clone(whole)
			data[i] ^= bit
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			got, _, err := r.Cell(want.Key)
			switch {
			case err != nil && !strings.Contains(err.Error(), file):
				t.Fatalf("byte %d: %v, which does not name the file", i, err)
			case err == nil && as(got) != as(first):
				t.Fatalf("byte %d: bit %d changed the record without a word", i, bit)
			}
		}
	}
}

// A record that another program wrote anew is no sealed one, and an older one has no seal.
func TestSealsOfOthers(t *testing.T) {
	r, c := sealedRun(t, "r", 1)
	file := filepath.Join(r.CellDir(c.Key), cellFile)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(whole, &fields); err != nil {
		t.Fatal(err)
	}
	older := func(change func(fields map[string]any)) []byte {
		t.Helper()
		change(fields)
		data, err := json.MarshalIndent(fields, "", "    ")
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string // part of the error; empty: it is read
	}{
		{"indented by another program", older(func(map[string]any) {}), "does not match its seal"},
		{"text after the seal", append(bytes.Clone(whole), ' '), "does not match its seal"},
		{"an older record", older(func(f map[string]any) { delete(f, "seal") }), ""},
		{"an older record with another configuration", older(func(f map[string]any) { f["config"].(map[string]any)["size"] = 65 }), "config_hash"},
		{"an older record with another seed alone", older(func(f map[string]any) {
			f["config"].(map[string]any)["size"], f["config"].(map[string]any)["seed"] = 64, 9
		}), ""},
		{"the record of another run", older(func(f map[string]any) { f["run"] = "x" }), `of run "x", want "r"`},
	} {
		if err := os.WriteFile(file, tt.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.Cell(c.Key)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// The hash of a configuration is that of its compact JSON with the outer seed 0.
func TestConfigHash(t *testing.T) {
	sum := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	for _, tt := range []struct{ name, config, hashed string }{
		{"a seed at the end", `{"a": 1, "seed": 12}`, `{"a":1,"seed":0}`},
		{"a seed in a part stays", "{\n \"b\": {\"seed\": 3},\n \"seed\": 18446744073709551615, \"c\": \"<&>\"}", `{"b":{"seed":3},"seed":0,"c":"<&>"}`},
		{"no seed", `{"a": [1, 2]}`, `{"a":[1,2]}`},
		{"no object", `[1]`, `[1]`},
	} {
		if err := checkConfigHash(json.RawMessage(tt.config), sum(tt.hashed)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := checkConfigHash(json.RawMessage(tt.config), sum(tt.hashed+" ")); err == nil {
			t.Errorf("%s: another hash was taken", tt.name)
		}
	}
}

// damages are what can happen to a file, with a reader that must name the file or read the same.
// other is a whole file of the same kind; whole the content.
func damages(whole, other []byte, every int) map[string]func(path string) error {
	write := func(data []byte) func(path string) error {
		return func(path string) error { return os.WriteFile(path, data, 0o644) }
	}
	all := map[string]func(path string) error{
		"another": write(other), "empty": write(nil), "doubled": write(append(bytes.Clone(whole), whole...)),
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"sparse": func(path string) error {
			if err := os.WriteFile(path, whole, 0o644); err != nil {
				return err
			}
			return os.Truncate(path, 8<<20)
		},
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for i := 0; i < len(whole); i += every {
		all[fmt.Sprintf("cut at %d", i)] = write(whole[:i])
		changed := bytes.Clone(whole)
		changed[i] ^= 1 << (i % 8)
		all[fmt.Sprintf("byte %d", i)] = write(changed)
	}
	return all
}

// checkDamages damages each file of a run in every way. What is then read is an error that names the
// file, or the same as before: never another number, and at once.
func checkDamages(t *testing.T, every int) {
	t.Helper()
	r, c := sealedRun(t, "r", 1)
	s, sa := sealedRun(t, "s", 1)
	_, sb := sealedRun(t, "s", 2)
	store := Store{Dir: filepath.Dir(r.Dir)}
	text := func(value any, err error) (string, error) {
		data, failed := json.Marshal(value)
		if failed != nil {
			t.Fatal(failed)
		}
		return string(data), err
	}
	if sa.Key != c.Key || sb.Key == c.Key {
		t.Fatal("the others are not of the same kind")
	}
	for _, tt := range []struct {
		path, other string
		read        func() (string, error)
	}{
		{filepath.Join(r.CellDir(c.Key), cellFile), filepath.Join(s.CellDir(c.Key), cellFile), func() (string, error) {
			got, _, err := r.Cell(c.Key)
			return text(got, err)
		}},
		{filepath.Join(r.Dir, recordFile), filepath.Join(s.Dir, recordFile), func() (string, error) {
			got, err := store.Open("r")
			if err != nil {
				return "", err
			}
			return text(got.Record, nil)
		}},
		{r.QueriesPath(c.Key, "cub-loo"), s.QueriesPath(c.Key, "cub-loo"), func() (string, error) { return text(r.Queries(c, "cub-loo")) }},
		{r.EmbeddingsPath(c.Key), s.EmbeddingsPath(c.Key), func() (string, error) { return text(r.Embeddings(c)) }},
		{r.StepsPath(c.Key), s.StepsPath(c.Key), func() (string, error) { return text(r.Steps(c)) }},
	} {
		whole, err := os.ReadFile(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(tt.other)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tt.read()
		if err != nil {
			t.Fatal(err)
		}
		for name, damage := range damages(whole, other, every) {
			if err := os.RemoveAll(tt.path); err != nil {
				t.Fatal(err)
			}
			if err := damage(tt.path); err != nil {
				t.Fatal(err)
			}
			got, err := tt.read()
			switch {
			case err != nil && !strings.Contains(err.Error(), tt.path):
				t.Errorf("%s, %s: %v, which does not name the file", filepath.Base(tt.path), name, err)
			case err == nil && got != want:
				t.Errorf("%s, %s: something else was read without a word", filepath.Base(tt.path), name)
			}
		}
		if err := os.RemoveAll(tt.path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tt.path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Damage of the files of a run is noticed; TestIntegrationDamagedFiles tries every byte.
func TestDamagedFiles(t *testing.T) { checkDamages(t, 97) }

// A process that was killed while it wrote a file leaves a temporary one, which the next writer of
// the file removes. It leaves alone what a living process is writing, and what is another file's.
func TestTemporaryFilesAreSwept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	left := filepath.Join(dir, ".tmp-report.html-123")
	others := filepath.Join(dir, ".tmp-other.html-123")
	for _, name := range []string{left, others} {
		if err := os.WriteFile(name, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	living, err := createTemporary(dir, ".tmp-report.html-*")
	if err != nil {
		t.Fatal(err)
	}
	if err = WriteFile(path, []byte("whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(dir, e.Name()))
	}
	want := map[string]bool{path: true, others: true, living.Name(): true}
	for _, name := range names {
		if !want[name] {
			t.Errorf("%s is left", name)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("gone: %v", want)
	}
	if err = living.Close(); err != nil {
		t.Fatal(err)
	}
	// A lock ends with the process, and not before: not with a child that it has started.
	if err = exec.Command("true").Run(); err != nil {
		t.Fatal(err)
	}
	if err = WriteFile(path, []byte("whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(living.Name()); err == nil {
		t.Error("a temporary file without a writer is left")
	}
}

// While a file of lines grows, no record has its digest: each line has a checksum of its own. A
// changed byte is an error, or ends the file at the line before, as a cut does.
func TestChecksumsOfLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.jsonl")
	log, err := OpenSteps(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 3 {
		if err = log.Append(TrainStep{Step: step + 1, Loss: 0.5, Learners: []float64{1.25}}); err != nil {
			t.Fatal(err)
		}
	}
	if err = log.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ReadSteps(path)
	if err != nil || len(want) != 3 {
		t.Fatal(want, err)
	}
	for i := range whole {
		for bit := range 8 {
			data := bytes.Clone(whole)
			data[i] ^= 1 << bit
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSteps(path)
			switch {
			case err != nil && !strings.Contains(err.Error(), path):
				t.Fatalf("byte %d: %v, which does not name the file", i, err)
			case err == nil && fmt.Sprint(got) != fmt.Sprint(want[:len(got)]):
				t.Fatalf("byte %d, bit %d: %v without a word", i, bit, got)
			}
		}
	}
	lost := bytes.SplitAfter(whole, []byte("\n"))
	for name, data := range map[string][]byte{
		"a line twice": bytes.Join([][]byte{lost[0], lost[0]}, nil), "lines in another order": bytes.Join([][]byte{lost[1], lost[0]}, nil),
	} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSteps(path); err == nil || !strings.Contains(err.Error(), path+":2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Older lines have no checksum.
	if err := os.WriteFile(path, []byte("{\"step\":1,\"loss\":2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSteps(path); err != nil || len(got) != 1 || got[0].Loss != 2 {
		t.Errorf("an older file: %v, %v", got, err)
	}
}

// What a record does not know, or knows and is not there, is an error that names the file.
func TestFilesOfCells(t *testing.T) {
	r, c := sealedRun(t, "r", 1)
	unknown := c
	unknown.Files = map[string]string{}
	for name, read := range map[string]func(c Cell) error{
		embeddingsFile:         func(c Cell) error { _, err := r.Embeddings(c); return err },
		queriesFile("cub-loo"): func(c Cell) error { _, err := r.Queries(c, "cub-loo"); return err },
		stepsFile:              func(c Cell) error { _, err := r.Steps(c); return err },
	} {
		path := filepath.Join(r.CellDir(c.Key), name)
		if err := read(unknown); err == nil || !strings.Contains(err.Error(), path+": the record of the cell does not know the file") {
			t.Errorf("%s without a digest: %v", name, err)
		}
		if err := read(c); err != nil {
			t.Error(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := read(c); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
	// A cell that trains, or has not trained, has no digest of its steps.
	if steps, err := r.Steps(unknown); err != nil || steps != nil {
		t.Errorf("no steps: %v, %v", steps, err)
	}
	log, err := OpenSteps(r.StepsPath(c.Key), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(log.Append(TrainStep{Step: 1}), log.Close()); err != nil {
		t.Fatal(err)
	}
	running := c
	running.Status = Running
	if steps, err := r.Steps(running); err != nil || len(steps) != 1 {
		t.Errorf("steps of a running cell: %v, %v", steps, err)
	}
}

// Sealing leaves out what is not there, and refuses what is no file.
func TestSealFiles(t *testing.T) {
	r, c := sealedRun(t, "r", 1)
	c.Files = nil
	if err := os.Remove(r.EmbeddingsPath(c.Key)); err != nil {
		t.Fatal(err)
	}
	if err := r.SealFiles(&c); err != nil || len(c.Files) != 1 || c.Files[stepsFile] == "" {
		t.Errorf("%v, %v; want the steps alone", c.Files, err)
	}
	if err := os.Mkdir(r.EmbeddingsPath(c.Key), 0o755); err != nil {
		t.Fatal(err)
	}
	err := r.SealFiles(&c)
	if err == nil || !strings.Contains(err.Error(), "seal cell "+c.Path()+": "+r.EmbeddingsPath(c.Key)+": it is no file") {
		t.Errorf("a folder in the file's place: %v", err)
	}
}

// The builds that worked at a cell before are named by commit and backend.
func TestEarlierBuilds(t *testing.T) {
	c := Cell{Earlier: []Environment{{Commit: "a1", Backend: "go"}, {Commit: "b2+dirty", Backend: "xla:cpu"}}}
	if got, want := earlierBuilds(c), "a1 on go, b2+dirty on xla:cpu"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
