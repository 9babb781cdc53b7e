package models

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
)

// A batch in chunks reports the losses of the whole batch and ends with its
// parameters. TestIntegrationAccumulate tries more chunks, and several devices, on XLA.
func TestAccumulate(t *testing.T) {
	chunked, saved := checkChunks(t, DiversityAdversarial, [][2]int{{2, 1}})
	checkContinues(t, chunked[0], saved[0])
}

// checkChunks trains in each of some numbers of chunks and of devices, compares with the whole batch
// on one device. It returns the models and what their checkpoints were on the way.
func checkChunks(t *testing.T, diversity string, splits [][2]int) (models []*Model, saved []string) {
	t.Helper()
	c := spreadConfig(Finetune, diversity)
	c.Accumulate, c.Input = 1, 16
	if c.WeightDecay == 0 {
		t.Fatal("want weight decay: its gradient is added once, not once for each chunk")
	}
	whole := newModel(t, modelstest.LogicBackend(t), c, "")
	want := trainTo(t, whole, "", 0)
	for _, split := range splits {
		c.Accumulate = split[0]
		b := modelstest.LogicBackend(t)
		if split[1] > 1 {
			b = modelstest.OnDevices(t, split[1])
		}
		m := newModel(t, b, c, "")
		steps, dir := trainSaving(t, m)
		checkCurve(t, fmt.Sprintf("%d chunks on %d devices", split[0], split[1]), steps, want)
		checkParameters(t, m, whole)
		models, saved = append(models, m), append(saved, dir)
	}
	return models, saved
}

// trainSaving trains a model to its end. It returns the reports, and a copy of the
// checkpoints as they are after half of the steps, which is what a kill would leave.
func trainSaving(t *testing.T, m *Model) (steps []Step, saved string) {
	t.Helper()
	dir := t.TempDir()
	err := m.Train(t.Context(), spreadData(m.Config), TrainOptions{Checkpoints: dir, Every: time.Nanosecond, OnStep: func(s Step) error {
		if steps = append(steps, s); s.Number == m.Config.Steps/2 {
			saved = copied(t, dir)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return steps, saved
}

// checkContinues: the accumulated gradients are no state. They are not saved,
// and a training that continues from the checkpoint in dir ends with the bits of the
// one that was not interrupted.
func checkContinues(t *testing.T, whole *Model, dir string) {
	t.Helper()
	c := whole.Config
	found, err := checkpoints(dir)
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	values, _, err := sealed.Read(found[0].path)
	if err != nil {
		t.Fatal(err)
	}
	for name := range values {
		if strings.HasPrefix("/"+name, accumulatedScope) {
			t.Errorf("the checkpoint holds %s", name)
		}
	}
	m := newModel(t, modelstest.LogicBackend(t), c, dir)
	if m.Step < 3 || m.Step > c.Steps/2 {
		t.Fatalf("continued at step %d, want 3 or one more", m.Step)
	}
	trainTo(t, m, dir, 0)
	saved := newModel(t, modelstest.LogicBackend(t), c, dir)
	for name, m := range map[string]*Model{"continued": m, "saved": saved} {
		if got, want := digest(t, m), digest(t, whole); got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
}

func digest(t *testing.T, m *Model) string {
	t.Helper()
	d, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAccumulateConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // part of the error; "" for none
	}{
		{"absent", func(*Config) {}, ""},
		{"one chunk", func(c *Config) { c.Accumulate = 1 }, ""},
		{"one chunk of a frozen backbone is no chunk", func(c *Config) { c.Mode, c.Accumulate = Frozen, 1 }, ""},
		{"divides 24", func(c *Config) { c.Accumulate = 8 }, ""},
		{"negative", func(c *Config) { c.Accumulate = -1 }, "accumulate: -1; want at least 1"},
		{"does not divide 24", func(c *Config) { c.Accumulate = 5 }, "accumulate: 5 does not divide the batch of 24 images (6 classes x 4)"},
		{"frozen", func(c *Config) { c.Mode, c.Accumulate = Frozen, 2 }, "use mode finetune"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := spreadConfig(Finetune, DiversityNone)
			tt.change(&c)
			err := c.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Hashes of configurations are over their JSON: what a cell was recorded with
// before the option existed must stay what it is.
func TestAccumulateText(t *testing.T) {
	c := spreadConfig(Finetune, DiversityNone)
	texts := map[int]string{}
	for _, n := range []int{0, 1, 2} {
		c.Accumulate = n
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		texts[n] = string(text)
	}
	if strings.Contains(texts[0], "accumulate") || texts[1] != texts[0] {
		t.Errorf("one chunk is written:\n%s\n%s", texts[0], texts[1])
	}
	if !strings.Contains(texts[2], `"accumulate":2`) {
		t.Errorf("two chunks are not written: %s", texts[2])
	}
	var back Config
	if err := json.Unmarshal([]byte(texts[2]), &back); err != nil || back.Accumulate != 2 {
		t.Errorf("read back %d, %v", back.Accumulate, err)
	}
}
