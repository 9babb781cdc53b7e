package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The keys of a checkpoint's metadata, beside the seal. To continue, training needs nothing but the
// tensors and the step: the schedule, the sampler and the random streams are functions of the
// configuration and the step. They are stored all the same and compared, so that a program that
// computes them in another way does not continue a training to other bits unnoticed.
const (
	metadataConfig  = "config"      // the whole Config, JSON
	metadataSeed    = "seed"        // of the Config
	metadataStep    = "step"        // optimizer steps taken
	metadataSeconds = "seconds"     // spent in training, all attempts added up
	metadataRate    = "rate_factor" // of the learning rates at the next step
	metadataSampler = "sampler"     // a position, JSON
	metadataRandom  = "random"      // the random streams' continuation by purpose, JSON
)

// A streamPoint is where the random numbers of one purpose go on.
type streamPoint struct {
	Seed  uint64 `json:"seed"`
	Step  int    `json:"step"`
	State string `json:"state"` // of the generator, PCG, two words in hexadecimal
}

func (p streamPoint) String() string {
	return fmt.Sprintf("seed %d, step %d, state %s", p.Seed, p.Step, p.State)
}

// streamPoints returns where each stream goes on before a step, counted from 0.
func (c Config) streamPoints(step int, at samplerPosition) map[string]streamPoint {
	points := map[string]streamPoint{}
	add := func(purpose string, step int) {
		hi, lo := streamState(c.Seed, purpose, step)
		points[purpose] = streamPoint{c.Seed, step, fmt.Sprintf("%016x%016x", hi, lo)}
	}
	add(streamClasses, at.Epoch)
	add(streamImages, step)
	if c.Mode == Finetune { // frozen features have one view
		add(streamAugment, step*c.Classes*c.Images)
	}
	return points
}

// metadata returns what a checkpoint of the model says beside its tensors.
func (m *Model) metadata() (map[string]string, error) {
	at, err := m.position()
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		metadataSeed:    strconv.FormatUint(m.Config.Seed, 10),
		metadataStep:    strconv.Itoa(m.Step),
		metadataSeconds: formatFloat(m.Seconds),
		metadataRate:    formatFloat(m.Config.rate(m.Step + 1)),
	}
	for key, value := range map[string]any{
		metadataConfig:  m.Config,
		metadataSampler: at,
		metadataRandom:  m.Config.streamPoints(m.Step, at),
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out[key] = string(text)
	}
	return out, nil
}

// formatFloat is the shortest text that is read as the same number.
func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// resume sets the model to the state of a whole checkpoint. If that belongs to another training,
// resume returns an error and leaves the model unchanged.
func (m *Model) resume(values map[string]*tensors.Tensor, metadata map[string]string) error {
	step, seconds, at, err := m.resumePoint(metadata)
	if err != nil {
		return err
	}
	if step < m.Config.Steps {
		m.trainable() // creates the moments that the file must hold
	}
	if err = m.setVariables(values, isScratchVariable); err != nil {
		return err
	}
	m.Step, m.Seconds, m.sampling.loaded = step, seconds, &at
	return nil
}

// setVariables sets all variables, except those that leftOut names, to their values in a
// checkpoint. If a value is missing or has another shape, it changes none.
func (m *Model) setVariables(values map[string]*tensors.Tensor, leftOut func(v *model.Variable) bool) error {
	if n := m.Config.proxies(); n > 0 {
		first := values[proxyScope+"/"+learnerName(0)+"/proxies"]
		if first != nil && first.Shape().Rank() == 2 && first.Shape().Dim(0) != n*m.classes {
			return fmt.Errorf("the checkpoint has proxies of %d training classes, want %d", first.Shape().Dim(0)/n, m.classes)
		}
	}
	var taken []*model.Variable
	for v := range m.store.IterVariables() {
		if leftOut(v) {
			continue
		}
		value, ok := values[checkpointName(v)]
		if !ok {
			return fmt.Errorf("tensor %s is missing", checkpointName(v))
		}
		if !value.Shape().Equal(v.Shape()) {
			return fmt.Errorf("tensor %s: want shape %s, got %s", checkpointName(v), v.Shape(), value.Shape())
		}
		taken = append(taken, v)
	}
	for _, v := range taken {
		if err := v.SetValue(values[checkpointName(v)]); err != nil {
			return fmt.Errorf("tensor %s: %w", checkpointName(v), err)
		}
	}
	return nil
}

// resumePoint reads a checkpoint's metadata and compares it with what this
// program and configuration give at its step. The sampler's position is
// compared when the training data is known.
func (m *Model) resumePoint(metadata map[string]string) (step int, seconds float64, at samplerPosition, err error) {
	fail := func(format string, args ...any) (int, float64, samplerPosition, error) {
		return 0, 0, samplerPosition{}, fmt.Errorf(format, args...)
	}
	config, err := json.Marshal(m.Config)
	if err != nil {
		return fail("%s: %w", metadataConfig, err)
	}
	differences, err := configDifferences([]byte(metadata[metadataConfig]), config)
	if err != nil {
		return fail("%s: %w", metadataConfig, err)
	}
	if len(differences) > 0 {
		return fail("the checkpoint is of another configuration: %s", strings.Join(differences, "; "))
	}
	if got, want := metadata[metadataSeed], strconv.FormatUint(m.Config.Seed, 10); got != want {
		return fail("seed %s in the checkpoint, want %s", got, want)
	}
	if step, err = strconv.Atoi(metadata[metadataStep]); err != nil || step < 0 || step > m.Config.Steps {
		return fail("step %q, want a number from 0 to %d", metadata[metadataStep], m.Config.Steps)
	}
	if seconds, err = strconv.ParseFloat(metadata[metadataSeconds], 64); err != nil {
		return fail("%s: %w", metadataSeconds, err)
	}
	if got, want := metadata[metadataRate], formatFloat(m.Config.rate(step+1)); got != want {
		return fail("step %d: the learning rates go on at factor %s in the checkpoint, at %s by this program", step, got, want)
	}
	if err = json.Unmarshal([]byte(metadata[metadataSampler]), &at); err != nil {
		return fail("%s: %w", metadataSampler, err)
	}
	var got map[string]streamPoint
	if err = json.Unmarshal([]byte(metadata[metadataRandom]), &got); err != nil {
		return fail("%s: %w", metadataRandom, err)
	}
	want := m.Config.streamPoints(step, at)
	for _, purpose := range sortedUnion(got, want) {
		if got[purpose] != want[purpose] {
			return fail("step %d: random stream %q goes on at %s in the checkpoint, at %s by this program", step, purpose, got[purpose],
				want[purpose])
		}
	}
	return step, seconds, at, nil
}

// configDifferences compares two configurations as JSON and describes the difference for every key
// that differs.
func configDifferences(got, want []byte) ([]string, error) {
	var mine, theirs map[string]json.RawMessage
	if err := json.Unmarshal(got, &theirs); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(want, &mine); err != nil {
		return nil, err
	}
	value := func(text json.RawMessage) string {
		if text == nil {
			return "nothing"
		}
		return string(text)
	}
	var out []string
	for _, key := range sortedUnion(mine, theirs) {
		if !bytes.Equal(theirs[key], mine[key]) {
			out = append(out, fmt.Sprintf("%s is %s in the checkpoint, want %s", key, value(theirs[key]), value(mine[key])))
		}
	}
	return out, nil
}

// sortedUnion returns the keys of both maps, each once, in order.
func sortedUnion[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
