package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
)

// tinyConfig is a head whose checkpoint has few bytes.
func tinyConfig() Config {
	c := smallConfig()
	c.Backbone, c.Input = "convnet", 32
	c.Size, c.Learners, c.Hidden = 6, []int{2, 4}, 3
	c.DecayFactor, c.DecayEvery = 0.5, 4
	return c
}

// tinyData is a training part of 10 classes with 8 images for tinyConfig.
func tinyData() TrainData {
	features, classes := separable(10, 8, convnetFeatures())
	return TrainData{Features: features, Classes: classes}
}

func newTestModel(t *testing.T, c Config) *Model {
	t.Helper()
	m, err := New(modelstest.LogicBackend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// copied returns a copy of a folder of checkpoints.
func copied(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// asWritten is what the text of tinyConfig says: it holds all constants of the
// loss, and nothing that is not used.
func asWritten(c Config) Config {
	c.Constants = map[string]float64{"alpha": 2, "beta": 0.5, "C": 25}
	c.InitialSteps, c.InitialRate, c.InitialTolerance, c.InitialLambdaW, c.InitialNormAxis = 0, 0, 0, 0, ""
	c.SelectEvery, c.SelectBy, c.HeldOut, c.NormAxis = 0, "", 0, AxisIn
	return c
}

func TestCheckpointSays(t *testing.T) {
	c := tinyConfig()
	dir := t.TempDir()
	interrupt(t, c, tinyData(), dir, 7)
	path := filepath.Join(dir, "step-00000007.safetensors")
	values, metadata, err := sealed.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"embedding/learner1/weights", "adam/first/embedding/learner1/weights", "adam/second/regressor/from1to0/biases2"} {
		if values[name] == nil {
			t.Errorf("tensor %s is missing", name)
		}
	}
	var config Config
	if err = json.Unmarshal([]byte(metadata["config"]), &config); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(asWritten(c), config); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	// By hand: steps 0-3 have factor 1, steps 4-7 (counted from 0) 1/2. A batch
	// takes 4 images of 6 classes, so an epoch over 10 classes is 2 batches and
	// step 7, the next, is the second of epoch 3, which began with step 6.
	for key, want := range map[string]string{"seed": "5", "step": "7", "rate_factor": "0.5"} {
		if metadata[key] != want {
			t.Errorf("%s is %q, want %q", key, metadata[key], want)
		}
	}
	var at samplerPosition
	if err = json.Unmarshal([]byte(metadata["sampler"]), &at); err != nil {
		t.Fatal(err)
	}
	if at.Epoch != 3 || at.First != 6 || len(at.Next) != 16 {
		t.Errorf("sampler %s, want epoch 3 from step 6 and 16 digits", at)
	}
	var random map[string]streamPoint
	if err = json.Unmarshal([]byte(metadata["random"]), &random); err != nil {
		t.Fatal(err)
	}
	// The states: python3 -c 'import hashlib, struct; print("%016x%016x" % struct.unpack("<QQ",
	// hashlib.sha256(b"5\0classes\0" + b"3").digest()[:16]))', and with images and 7.
	want := map[string]streamPoint{
		"classes": {5, 3, "fa22c2f3f1aabe7698d17732ee319a28"},
		"images":  {5, 7, "a981d0829a463735b9aea1de0d4805fa"},
	}
	if d := cmp.Diff(want, random); d != "" {
		t.Errorf("random streams of a frozen training (-want +got):\n%s", d)
	}
	c.Mode = Finetune
	if got := c.streamPoints(7, at)["augment"]; got.Step != 7*24 || got.Seed != 5 {
		t.Errorf("stream augment goes on at %s, want step 168: one number an image, 24 images a step", got)
	}
}

// Whatever byte of a checkpoint changes, and wherever it is cut, is noticed.
func TestCheckpointBroken(t *testing.T) {
	dir := t.TempDir()
	interrupt(t, tinyConfig(), tinyData(), dir, 7)
	path := filepath.Join(dir, "step-00000007.safetensors")
	if _, _, err := sealed.ReadWith(path, sealed.Check); err != nil {
		t.Fatalf("the whole file: %v", err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data := 8 + int(whole[0]) + int(whole[1])<<8 // where the tensors begin
	if data < 1000 || data > len(whole)-1000 {
		t.Fatalf("data at %d of %d bytes", data, len(whole))
	}
	checked := 0
	for at := range whole {
		if at > data+100 && at < len(whole)-100 && at%17 != 0 {
			continue // all of the header and of both ends of the data, some between
		}
		checked++
		if _, err = f.WriteAt([]byte{whole[at] ^ 1<<(at%8)}, int64(at)); err != nil {
			t.Fatal(err)
		}
		if _, _, err = sealed.ReadWith(path, sealed.Check); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("bit %d of byte %d changed: error %v, want one that names the file", at%8, at, err)
		}
		if _, err = f.WriteAt(whole[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes of %d changed, the header's %d among them", checked, len(whole), data)
	for n := 0; n < len(whole); n += 97 {
		if err = os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err = sealed.ReadWith(path, sealed.Check); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
	if err = os.WriteFile(path, append(slices.Clone(whole), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err = sealed.ReadWith(path, sealed.Check); err == nil {
		t.Error("a byte more: no error")
	}
}

// A broken checkpoint is passed over for the one before it.
func TestCheckpointPassedOver(t *testing.T) {
	c, data := tinyConfig(), tinyData()
	base := t.TempDir()
	interrupt(t, c, data, base, 7)
	interrupt(t, c, data, base, 9)
	for name, damage := range map[string]func(whole []byte) []byte{
		"one bit of a tensor": func(whole []byte) []byte { whole[len(whole)-500] ^= 4; return whole },
		"one bit of the step": func(whole []byte) []byte { whole[bytes.Index(whole, []byte(`"step":"9"`))+8] ^= 1; return whole },
		"cut":                 func(whole []byte) []byte { return whole[:len(whole)/2] },
		"empty":               func([]byte) []byte { return nil },
		// Disks give zeros for what was never written.
		"zeros": func(whole []byte) []byte { return make([]byte, len(whole)) },
		"seal of another file": func(whole []byte) []byte {
			at := bytes.Index(whole, []byte(sealed.Mark)) + len(sealed.Mark)
			copy(whole[at:], strings.Repeat("ab", 32))
			return whole
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t, base)
			newest := filepath.Join(dir, "step-00000009.safetensors")
			whole, err := os.ReadFile(newest)
			if err != nil {
				t.Fatal(err)
			}
			if err = os.WriteFile(newest, damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			m := newTestModel(t, c)
			skipped, err := m.Load(dir)
			if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), newest) || m.Step != 7 {
				t.Fatalf("step %d, skipped %v, error %v; want step 7 and the newest file skipped", m.Step, skipped, err)
			}
		})
	}

	// The next one that is written takes its place, and what a killed process
	// left goes too. Training ends with the bits that it ends with undisturbed.
	newest := filepath.Join(base, "step-00000009.safetensors")
	if err := os.Truncate(newest, 5000); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(base, ".step-00000009.safetensors.123.tmp")
	if err := os.WriteFile(killed, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	interrupt(t, c, data, base, 8)
	if d := cmp.Diff([]string{"step-00000007.safetensors", "step-00000008.safetensors"}, modelstest.FileNames(t, base)); d != "" {
		t.Errorf("after another checkpoint (-want +got):\n%s", d)
	}
	want, _ := trained(t, c, data, "")
	if got, _ := trained(t, c, data, base); !slices.Equal(want, got) {
		t.Error("ended with other bits")
	}
}

// reseal writes a checkpoint again with other metadata, sealed.
func reseal(t *testing.T, path string, change func(metadata map[string]string)) {
	t.Helper()
	values, metadata, err := sealed.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var named []sealed.NamedTensor
	for _, name := range slices.Sorted(maps.Keys(values)) {
		named = append(named, sealed.NamedTensor{Name: name, Value: values[name]})
	}
	metadata[sealed.Field] = sealed.Placeholder()
	change(metadata)
	finish := sealed.Seal
	if metadata[sealed.Field] == "" {
		finish = func(*os.File) error { return nil }
	}
	if err = sealed.WriteWith(path, named, metadata, finish); err != nil {
		t.Fatal(err)
	}
}

// A whole checkpoint of another training is refused in words, and the model is
// left as it was.
func TestCheckpointOfAnother(t *testing.T) {
	none := func(map[string]string) {}
	replace := func(key, old, text string) func(map[string]string) {
		return func(metadata map[string]string) {
			if !strings.Contains(metadata[key], old) {
				t.Errorf("%s: %q holds no %q", key, metadata[key], old)
			}
			metadata[key] = strings.Replace(metadata[key], old, text, 1)
		}
	}
	cases := []struct {
		name   string
		config func(c *Config)
		change func(metadata map[string]string)
		want   string
	}{
		{"another option", func(c *Config) { c.Shrinkage = 3 }, none, "shrinkage is 0.06 in the checkpoint, want 3"},
		{"two", func(c *Config) { c.Steps, c.Learners = 40, []int{3, 3} }, none, "learners is [2,4] in the checkpoint, want [3,3]; steps is 30 in the checkpoint, want 40"},
		{"another seed", func(c *Config) { c.Seed = 6 }, none, "seed is 5 in the checkpoint, want 6"},
		{"an option that is left out when it is not set", func(*Config) {}, replace("config", `"size"`, `"untrained":true,"size"`), "untrained is true in the checkpoint, want nothing"},
		{"an option that the checkpoint's version did not have", func(*Config) {}, replace("config", `"shrinkage":0.06,`, ""), "shrinkage is nothing in the checkpoint, want 0.06"},
		{"no config", func(*Config) {}, func(m map[string]string) { delete(m, "config") }, "config:"},
		{"another seed beside the config", func(*Config) {}, replace("seed", "5", "7"), "seed 7 in the checkpoint, want 5"},
		{"a step after the last", func(*Config) {}, replace("step", "7", "31"), `step "31", want a number from 0 to 30`},
		{"another schedule", func(*Config) {}, replace("rate_factor", "0.5", "0.25"), "go on at factor 0.25 in the checkpoint, at 0.5 by this program"},
		{"another generator", func(*Config) {}, replace("random", `"images":{"seed":5,"step":7`, `"images":{"seed":5,"step":8`), `random stream "images" goes on at seed 5, step 8`},
		{"a stream more", func(*Config) {}, replace("random", `{`, `{"dropout":{"seed":5,"step":7,"state":"00"},`), `random stream "dropout" goes on at seed 5, step 7, state 00 in the checkpoint`},
	}
	base := t.TempDir()
	interrupt(t, tinyConfig(), tinyData(), base, 7)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, config := copied(t, base), tinyConfig()
			reseal(t, filepath.Join(dir, "step-00000007.safetensors"), c.change)
			c.config(&config)
			m := newTestModel(t, config)
			before, err := m.Digest()
			if err != nil {
				t.Fatal(err)
			}
			skipped, err := m.Load(dir)
			if err == nil || errors.Is(err, ErrNoCheckpoint) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "step-00000007") || len(skipped) > 0 {
				t.Errorf("error %v, skipped %v; want an error with the file and %q", err, skipped, c.want)
			}
			if after, err := m.Digest(); err != nil || after != before || m.Step != 0 {
				t.Errorf("the model changed: step %d, digest %s, want %s (%v)", m.Step, after, before, err)
			}
		})
	}
}

// Training does not go on with other data than it began with.
func TestCheckpointOfOtherData(t *testing.T) {
	c, data := tinyConfig(), tinyData()
	dir := t.TempDir()
	interrupt(t, c, data, dir, 7)
	other := data
	other.Classes = slices.Clone(data.Classes)
	other.Classes[3], other.Classes[70] = other.Classes[70], other.Classes[3] // as many images and classes
	m := newTestModel(t, c)
	if _, err := m.Load(dir); err != nil {
		t.Fatal(err)
	}
	err := m.Train(t.Context(), other, TrainOptions{})
	if err == nil || !strings.Contains(err.Error(), "step 7: the checkpoint's sampler is at epoch 3 from step 6, images ") || m.Step != 7 {
		t.Errorf("step %d, error %v; want it refused at step 7 with both positions", m.Step, err)
	}
}

// What versions before the seal wrote counts as broken and is named so.
func TestCheckpointWithoutSeal(t *testing.T) {
	c := tinyConfig()
	dir := t.TempDir()
	interrupt(t, c, tinyData(), dir, 7)
	path := filepath.Join(dir, "step-00000007.safetensors")
	reseal(t, path, func(m map[string]string) { delete(m, sealed.Field) })
	if _, _, err := sealed.Read(path); err != nil {
		t.Errorf("a plain read wants a seal: %v", err)
	}
	m := newTestModel(t, c)
	skipped, err := m.Load(dir)
	if !errors.Is(err, ErrNoCheckpoint) || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "no seal") || m.Step != 0 {
		t.Errorf("step %d, skipped %v, error %v; want the file skipped for its missing seal", m.Step, skipped, err)
	}
	if _, err = newTestModel(t, c).Load(filepath.Join(dir, "absent")); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
