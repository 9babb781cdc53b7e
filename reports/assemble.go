package reports

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bierbench/runs"
)

// assemble makes the report of runs. It reads no file.
func assemble(sources []loadedRun, o Options) *Report {
	r := &Report{Schema: Schema, Title: o.Title, Created: o.Now, Base: o.Base}
	worth := &WorthReport{Schema: Schema, Title: "What a vector is worth"}
	var ids []string
	for _, s := range sources {
		ids = append(ids, s.record.ID)
		r.addRun(s)
		r.addNoise(s.noise, o.Noise)
		worth.add(s.record.ID, s.record.Cells, s.worth)
	}
	if worth.sort(); len(worth.Groups) > 0 {
		r.Worth = worth
	}
	if r.Title == "" {
		r.Title = strings.Join(ids, ", ")
	}
	protocols := []string{} // in order of appearance
	for _, x := range r.Results {
		if !slices.Contains(protocols, x.Protocol) {
			protocols = append(protocols, x.Protocol)
		}
	}
	slices.SortStableFunc(r.Results, func(a, b Result) int {
		return slices.Index(protocols, a.Protocol) - slices.Index(protocols, b.Protocol)
	})
	r.warnTestImages(protocols)
	r.addPublished(o.Published, o.Tolerance)
	return r
}

// addRun adds a run, its groups, results and failures.
func (r *Report) addRun(s loadedRun) {
	run := Run{
		ID: s.record.ID, Suite: s.record.Suite, Created: s.record.Created, Command: s.record.Command,
		Planned: len(s.record.Cells), Config: s.record.Config,
	}
	r.Warnings = append(r.Warnings, s.notes...)
	byKey := map[runs.Key]runs.Cell{}
	order := slices.Clone(s.record.Cells) // the suite's order, then what it no longer plans
	for _, c := range s.cells {
		byKey[c.Key] = c
		if !slices.Contains(s.record.Cells, c.Key) {
			order = append(order, c.Key)
		}
	}
	var groups []runs.Group
	keys := map[runs.Group][]runs.Key{}
	for _, k := range order {
		if _, ok := keys[k.Group]; !ok {
			groups = append(groups, k.Group)
		}
		keys[k.Group] = append(keys[k.Group], k)
		c, ok := byKey[k]
		switch {
		case !ok:
			r.Failures = append(r.Failures, Failure{Run: run.ID, Cell: k.Path(), Status: "not started"})
		case c.Status == runs.Done:
			run.Done++
		case c.Status == runs.Failed:
			run.Failed++
			r.Failures = append(r.Failures, Failure{Run: run.ID, Cell: k.Path(), Status: c.Status, Error: c.Error})
		default:
			run.Running++
			r.Failures = append(r.Failures, Failure{Run: run.ID, Cell: k.Path(), Status: "running or interrupted"})
		}
	}
	run.Planned = max(run.Planned, len(order))
	if s.diff != nil {
		run.Footnotes = s.diff.Footnotes
	}
	for _, g := range groups {
		r.addGroup(s, run.ID, g, keys[g], byKey)
	}
	r.Runs = append(r.Runs, run)
}

// addGroup adds a group and its results on every protocol.
func (r *Report) addGroup(s loadedRun, run string, id runs.Group, keys []runs.Key, byKey map[runs.Key]runs.Cell) {
	g := Group{Run: run, Group: id}
	var done []runs.Cell
	for _, k := range keys {
		g.Planned = append(g.Planned, k.Seed)
		c, ok := byKey[k]
		switch {
		case ok && c.Status == runs.Done:
			done = append(done, c)
			g.Done = append(g.Done, k.Seed)
		case ok && c.Status == runs.Failed:
			g.Failed = append(g.Failed, k.Seed)
		}
	}
	if len(done) > 0 {
		g.Config = withoutSeed(done[0].Config)
	}
	for _, c := range done {
		g.ConfigHash = appendNew(g.ConfigHash, c.ConfigHash)
		g.DataHash = appendNew(g.DataHash, c.DataHash)
		g.Environment = appendNew(g.Environment, r.environment(c.Environment))
	}
	if len(g.ConfigHash) > 1 || len(g.DataHash) > 1 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("run %s: the seeds of %s differ in configuration or data; run again to "+
			"replace the stale ones", run, id.Path()))
	}
	g.Timing = meansByName(done, func(c runs.Cell) map[string]float64 { return c.Timing })
	g.Throughput = meansByName(done, func(c runs.Cell) map[string]float64 { return c.Throughput })
	g.Learners = summaryOver(done, func(c runs.Cell) *float64 {
		if c.Correlation == nil {
			return nil
		}
		return c.Correlation.Learners
	})
	g.Dimensions = summaryOver(done, func(c runs.Cell) *float64 {
		if c.Correlation == nil {
			return nil
		}
		return &c.Correlation.Dimensions
	})
	if g.Forecast = forecastOf(done); g.Forecast != nil {
		if r.Forecast == nil {
			r.Forecast = &Forecast{}
		}
		r.Forecast.add(*g.Forecast)
	}
	var steps [][]runs.TrainStep
	for _, c := range done {
		if t := s.steps[c.Key]; len(t) > 0 {
			steps = append(steps, t)
		}
	}
	g.Curve = meanCurve(steps)
	g.Anatomy = anatomyOf(done, steps)
	r.Groups = append(r.Groups, g)
	r.Results = append(r.Results, resultsOf(run, id, done, s.diff)...)
}

// environment returns the index of e among the report's environments and counts one more cell in
// it.
func (r *Report) environment(e runs.Environment) int {
	i := slices.IndexFunc(r.Environments, func(x Environment) bool { return x.Same(e) })
	if i < 0 {
		i = len(r.Environments)
		r.Environments = append(r.Environments, Environment{Environment: e})
	}
	r.Environments[i].Cells++
	return i
}

// warnTestImages adds a warning for each protocol whose results are on different test images.
func (r *Report) warnTestImages(protocols []string) {
	for _, p := range protocols {
		var hashes []string
		for _, x := range r.Results {
			if x.Protocol == p {
				for _, h := range x.TestHashes {
					hashes = appendNew(hashes, h)
				}
			}
		}
		if len(hashes) > 1 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: not all results are on the same test images (%d different digests)", p, len(hashes)))
		}
	}
}

// appendNew appends x unless the list has it.
func appendNew[T comparable](list []T, x T) []T {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

// meansByName averages each entry of a map over the cells that have it.
func meansByName(cells []runs.Cell, of func(runs.Cell) map[string]float64) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	for _, c := range cells {
		for k, v := range of(c) {
			sum[k] += v
			n[k]++
		}
	}
	for k := range sum {
		sum[k] /= n[k]
	}
	return sum
}

// summaryOver summarizes a value over the cells that have it; nil where none has.
func summaryOver(cells []runs.Cell, of func(runs.Cell) *float64) *runs.Summary {
	var values []float64
	var seeds []int
	for _, c := range cells {
		if v := of(c); v != nil {
			values, seeds = append(values, *v), append(seeds, c.Seed)
		}
	}
	if len(values) == 0 {
		return nil
	}
	s := runs.Summarize(values, seeds)
	return &s
}

// withoutSeed drops the seed from a configuration; the rest is the same for the whole group.
func withoutSeed(config json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(config, &fields) != nil {
		return config
	}
	delete(fields, "seed")
	out, err := json.Marshal(fields)
	if err != nil {
		return config
	}
	return out
}
