package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"bierbench/runs"
)

// scalar is one value of one curve of a cell.
type scalar struct {
	tag   string // "train/loss"
	step  int    // of training, 1-based
	at    time.Time
	value float64
}

// trainingScalars returns the values of each step in train.jsonl. Their times are those they would
// have had if the last attempt had done all steps.
func trainingScalars(c runs.Cell, steps []runs.TrainStep) []scalar {
	diverse := slices.ContainsFunc(steps, func(s runs.TrainStep) bool { return s.Diversity != 0 })
	var list []scalar
	for _, s := range steps {
		at := addSeconds(c.Started, s.Seconds)
		add := func(tag string, value float64) { list = append(list, scalar{tag, s.Step, at, value}) }
		add("train/loss", s.Loss)
		add("train/total", s.Total)
		add("train/learning_rate", s.Rate)
		if diverse {
			add("train/diversity", s.Diversity)
		}
		for i, loss := range s.Learners {
			add(fmt.Sprintf("train/learner_%d/loss", i+1), loss)
		}
		for i, weight := range s.Weights {
			add(fmt.Sprintf("train/learner_%d/weight", i+1), weight)
		}
	}
	return list
}

// finalScalars returns the values in a cell's record, at the last of its steps.
func finalScalars(c runs.Cell, steps []runs.TrainStep) []scalar {
	step := 0
	at := endTime(c)
	if len(steps) > 0 {
		last := steps[len(steps)-1]
		step = last.Step
		if trained := addSeconds(c.Started, last.Seconds); trained.After(at) {
			at = trained // no total is known, as of a failed cell
		}
	}
	var list []scalar
	add := func(tag string, value float64) { list = append(list, scalar{tag, step, at, value}) }
	for _, e := range c.Evaluations {
		protocol := tagPart(e.Protocol)
		if e.At != runs.AtLast { // so that no curve mixes it with honest ones
			protocol += " " + tagPart(e.At)
		}
		for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
			value, _ := e.Value(name) // the pessimistic one where ties decide it, as in a report
			add(protocol+"/"+tagPart(name), value)
		}
		for i, l := range e.Learners {
			add(fmt.Sprintf("%s/learner_%d/R@1", protocol, i+1), l.R1)
			add(fmt.Sprintf("%s/learner_%d/R@1 cumulative", protocol, i+1), l.Cumulative)
		}
	}
	if c.Selection != nil {
		add("selection/step", float64(c.Selection.Step))
		if c.Selection.Rule == runs.ByPeek {
			add("selection/test_looks", float64(c.Selection.TestLooks))
		}
	}
	if c.Correlation != nil {
		if c.Correlation.Learners != nil {
			add("correlation/learners", *c.Correlation.Learners)
		}
		add("correlation/dimensions", c.Correlation.Dimensions)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Timing)) {
		add("seconds/"+tagPart(name), c.Timing[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Throughput)) {
		add("throughput/"+tagPart(strings.ReplaceAll(name, "/s", " per second")), c.Throughput[name])
	}
	if c.Memory > 0 {
		add("memory/bytes", float64(c.Memory))
	}
	return list
}

// selectionScalars returns the results by which a cell's model was chosen, each at its step and at
// the time of that step.
func selectionScalars(c runs.Cell, steps []runs.TrainStep) []scalar {
	if c.Selection == nil {
		return nil
	}
	trained := map[int]float64{}
	for _, s := range steps {
		trained[s.Step] = s.Seconds
	}
	var list []scalar
	for _, l := range c.Selection.Looks {
		for _, name := range slices.Sorted(maps.Keys(l.Metrics)) {
			tag := "selection/" + tagPart(c.Selection.Rule) + "/" + tagPart(name)
			list = append(list, scalar{tag, l.Step, addSeconds(c.Started, trained[l.Step]), l.Metrics[name]})
		}
	}
	return list
}

// tagPart returns a name as one part of a tag: a slash would split it in two.
func tagPart(name string) string { return strings.ReplaceAll(name, "/", "_") }

// endTime returns when a cell ended, counted as if its last attempt had done all of it. It is the
// beginning where the total time is not known.
func endTime(c runs.Cell) time.Time { return addSeconds(c.Started, c.Timing["total"]) }

// addSeconds returns a time so many seconds later.
func addSeconds(t time.Time, seconds float64) time.Time {
	return t.Add(time.Duration(math.Round(seconds * float64(time.Second))))
}

// setting is one option of a cell.
type setting struct {
	name  string
	value any // string, float64, bool, or the JSON of anything else
}

// text returns the value as text, numbers as they stand in the record.
func (s setting) text() string {
	switch v := s.value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}

// chosenOption is the name under which settingsOf says in words how the evaluated model was chosen.
const chosenOption = "evaluated_model"

// settingsOf returns what identifies and configures a cell, sorted by name.
func settingsOf(c runs.Cell) ([]setting, error) {
	var config map[string]json.RawMessage
	if len(c.Config) > 0 {
		if err := json.Unmarshal(c.Config, &config); err != nil {
			return nil, fmt.Errorf("cell %s: config: %w", c.Path(), err)
		}
	}
	values := map[string]any{}
	for name, raw := range config {
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("cell %s: config: %s: %w", c.Path(), name, err)
		}
		switch value.(type) {
		case string, float64, bool:
		default:
			var b bytes.Buffer
			if err := json.Compact(&b, raw); err != nil {
				return nil, fmt.Errorf("cell %s: config: %s: %w", c.Path(), name, err)
			}
			value = b.String()
		}
		values[name] = value
	}
	values["dataset"], values["variant"], values["backbone"], values["mode"] = c.Dataset, c.Variant, c.Backbone, c.Mode
	values["method"], values["size"], values["seed"] = c.Method, float64(c.Size), float64(c.Seed)
	if chosen := runs.SelectionLabel(c.Selection); chosen != "" {
		values[chosenOption] = chosen
	}
	var list []setting
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, setting{name, values[name]})
	}
	return list, nil
}
