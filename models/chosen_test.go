package models

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// looked is a training whose model was embedded and kept at its checks.
type looked struct {
	steps      []int // of the checks
	embeddings map[int][]float32
	digests    map[int]string
	end        string // digest
}

// lookAt trains to the end in a folder of checkpoints, checking every so many
// steps; 0 checks nothing.
func lookAt(t *testing.T, m *Model, dir, chosen string, every int) looked {
	t.Helper()
	l := looked{embeddings: map[int][]float32{}, digests: map[int]string{}}
	data := spreadData(m.Config)
	e, err := m.NewEmbedder()
	if err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Checkpoints: dir, CheckEvery: every, OnCheck: func(ctx context.Context, step int) (err error) {
		l.steps = append(l.steps, step)
		if l.embeddings[step], err = e.Embed(ctx, testViews(data, m.Config)); err != nil {
			return err
		}
		if l.digests[step], err = m.Digest(); err != nil {
			return err
		}
		return m.SaveChosen(chosen)
	}}
	if every == 0 {
		o.OnCheck = nil
	}
	if err = errors.Join(m.Train(t.Context(), data, o), e.Free()); err != nil {
		t.Fatal(err)
	}
	if l.end, err = m.Digest(); err != nil {
		t.Fatal(err)
	}
	return l
}

// testViews are the training images again, without randomness.
func testViews(data TrainData, c Config) EmbedData {
	out := EmbedData{Images: len(data.Classes), Features: data.Features, Workers: 2}
	if c.Mode == Finetune {
		out.Pixels = func(i int, dst []uint8) error { return data.Pixels(i, stream(0, "test", i), dst) }
	}
	return out
}

// A check sees the model of its step, changes nothing of the training, and
// what it keeps is that model: on one device and on two, whose variables are
// spread between checks, and where a batch is taken in chunks.
func TestCheck(t *testing.T) {
	checkChecks(t, "frozen, two devices", Frozen, 2, 0) // others: TestIntegrationCheck
}

// checkChecks trains with checks and without on some devices and in some chunks.
func checkChecks(t *testing.T, name, mode string, devices, accumulate int) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		c := spreadConfig(mode, DiversityAdversarial)
		c.Accumulate = accumulate
		b := modelstest.OnDevices(t, devices)
		plain := lookAt(t, newModel(t, b, c, ""), "", "", 0)
		chosen := t.TempDir()
		m := newModel(t, b, c, "")
		with := lookAt(t, m, t.TempDir(), chosen, 3)
		if d := cmp.Diff([]int{3, 6, 8}, with.steps); d != "" { // of 8 steps
			t.Errorf("checks at steps (-want +got):\n%s", d)
		}
		if with.end != plain.end || with.digests[8] != plain.end {
			t.Error("the training ends with other bits than one without checks")
		}
		if with.digests[3] == with.digests[6] {
			t.Error("the model is the same at two checks")
		}
		// The model after step 6 of a training that is interrupted there.
		dir := t.TempDir()
		cut := newModel(t, b, c, "")
		trainTo(t, cut, dir, 6)
		again := newModel(t, b, c, dir)
		for name, x := range map[string]*Model{"interrupted there": cut, "of its checkpoint": again, "kept": m} {
			if x == m {
				if err := m.LoadChosen(chosen, 6); err != nil {
					t.Fatal(err)
				}
			}
			got, err := x.Embed(t.Context(), testViews(spreadData(c), c))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, with.embeddings[6]) {
				t.Errorf("the model %s gives another embedding than the check of step 6", name)
			}
			if digest, err := x.Digest(); err != nil || digest != with.digests[6] {
				t.Errorf("the model %s has digest %s, want %s (%v)", name, digest, with.digests[6], err)
			}
		}
	})
}

// An interrupt in a check, also in that of the last step, leaves a checkpoint,
// and the training that goes on begins with the check.
func TestCheckInterrupted(t *testing.T) {
	c := spreadConfig(Frozen, DiversityNone)
	want := lookAt(t, newModel(t, modelstest.LogicBackend(t), c, ""), t.TempDir(), t.TempDir(), 3)
	for _, at := range []int{3, 8} {
		dir, chosen := t.TempDir(), t.TempDir()
		m := newModel(t, modelstest.LogicBackend(t), c, "")
		ctx, cancel := context.WithCancel(t.Context())
		err := m.Train(ctx, spreadData(c), TrainOptions{Checkpoints: dir, CheckEvery: 3, OnCheck: func(ctx context.Context, step int) error {
			if step == at {
				cancel()
			}
			return ctx.Err()
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("step %d: %v", at, err)
		}
		m = newModel(t, modelstest.LogicBackend(t), c, dir)
		if m.Step != at {
			t.Fatalf("goes on at step %d, want %d", m.Step, at)
		}
		got := lookAt(t, m, dir, chosen, 3)
		if got.steps[0] != at || got.end != want.end || !slices.Equal(got.embeddings[at], want.embeddings[at]) {
			t.Errorf("goes on with checks %v, want %d first and the same bits", got.steps, at)
		}
	}
}

// What is not the model of the step is refused, and the model stays as it is.
func TestChosenBroken(t *testing.T) {
	c := spreadConfig(Frozen, DiversityNone)
	base := t.TempDir()
	m := newModel(t, modelstest.LogicBackend(t), c, "")
	l := lookAt(t, m, t.TempDir(), base, 3)
	if err := CheckChosen(base, 6); err != nil {
		t.Fatal(err)
	}
	if err := KeepChosen(base, 3, 8); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"step-00000003.safetensors", "step-00000008.safetensors"}, modelstest.FileNames(t, base)); d != "" {
		t.Errorf("after keeping steps 3 and 8 (-want +got):\n%s", d)
	}
	if err := CheckChosen(base, 6); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a model that was removed: %v", err)
	}
	path := func(dir string, step string) string { return filepath.Join(dir, "step-0000000"+step+".safetensors") }
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		want   string
	}{
		{"a bit less", func(dir string) error { return os.Truncate(path(dir, "3"), 2000) }, "SHA-256"},
		{"of another step", func(dir string) error { return os.Rename(path(dir, "8"), path(dir, "3")) }, "it is of step 8"},
		{"of another configuration", func(dir string) error {
			reseal(t, path(dir, "3"), func(metadata map[string]string) {
				metadata[metadataConfig] = strings.Replace(metadata[metadataConfig], `"shrinkage":0.06`, `"shrinkage":3`, 1)
				metadata[metadataConfig] = strings.Replace(metadata[metadataConfig], `"size":24`, `"size":26`, 1)
			})
			return nil
		}, "another configuration"},
	} {
		dir := copied(t, base)
		if err := tt.change(dir); err != nil {
			t.Fatal(err)
		}
		err := m.LoadChosen(dir, 3)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "step-00000003") {
			t.Errorf("%s: error %v, want one with the file and %q", tt.name, err, tt.want)
		}
		if digest, err := m.Digest(); err != nil || digest != l.end {
			t.Errorf("%s: the model changed (%v)", tt.name, err)
		}
	}
}

// A checkpoint whose step cannot be used is passed over for the one before.
func TestLoadWhere(t *testing.T) {
	c := spreadConfig(Frozen, DiversityNone)
	dir := t.TempDir()
	trainTo(t, newModel(t, modelstest.LogicBackend(t), c, ""), dir, 6)
	m := newModel(t, modelstest.LogicBackend(t), c, "")
	skipped, err := m.LoadWhere(dir, func(step int) error {
		if step > 5 {
			return errors.New("no use")
		}
		return nil
	})
	if err != nil || m.Step != 5 || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "no use") {
		t.Errorf("step %d, skipped %v, %v; want step 5", m.Step, skipped, err)
	}
}
