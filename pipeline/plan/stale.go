package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bierbench/models/backbones"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// State compares a planned cell with its record. A cell is stale when its configuration, its data
// or the pretrained weights have changed. Another build of bierbench makes it stale only where the
// plan asks for one build; else why names it for a done cell.
func (p *Plan) State(c Cell, old runs.Cell, recorded bool) (state, why string) {
	if !recorded {
		return Todo, ""
	}
	weights := p.Weights[c.Backbone]
	switch {
	case old.ConfigHash != c.ConfigHash:
		return Stale, c.changedConfig(old.Config)
	case old.DataHash != c.DataHash:
		return Stale, fmt.Sprintf("data set: digest %.12s -> %.12s", old.DataHash, c.DataHash)
	case weights != "" && old.Environment.Weights != "" && old.Environment.Weights != weights:
		return Stale, fmt.Sprintf("pretrained weights: SHA-256 %.12s -> %.12s", old.Environment.Weights, weights)
	}
	other := p.otherBuilds(old)
	switch {
	case other != "" && p.sameBuild:
		return Stale, "build: " + other
	case old.Status == runs.Done && other != "":
		return Done, "made by another build: " + other
	case old.Status == runs.Done:
		return Done, ""
	case old.Status == runs.Failed:
		return Failed, old.Error
	case other != "":
		return Interrupted, "begun by another build: " + other
	default:
		return Interrupted, ""
	}
}

// otherBuilds names what differs between the builds that took part in a cell and the one that would
// make it now; empty where nothing does.
func (p *Plan) otherBuilds(old runs.Cell) string {
	var all []string
	for _, e := range append([]runs.Environment{old.Environment}, old.Earlier...) {
		if changes := buildChanges(e, p.build); changes != "" && !slices.Contains(all, changes) {
			all = append(all, changes)
		}
	}
	return strings.Join(all, "; before: ")
}

// changedConfig names what differs from a recorded configuration: the imported features, and the
// options.
func (c Cell) changedConfig(recorded json.RawMessage) string {
	var changes []string
	var before struct {
		Features *backbones.Imported `json:"features"`
	}
	if json.Unmarshal(recorded, &before) == nil {
		if changed := before.Features.Changes(c.Config.Features); changed != "" {
			changes = append(changes, "features changed: "+changed)
		}
	}
	if options := c.changedOptions(recorded); options != "" || changes == nil {
		changes = append(changes, "configuration: "+options)
	}
	return strings.Join(changes, "; ")
}

// changedOptions names the options that differ from a recorded configuration: "steps: 400 -> 1000,
// shrinkage: 2 -> 3".
func (c Cell) changedOptions(recorded json.RawMessage) string {
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	planned, err := json.Marshal(c.Config)
	if err != nil || json.Unmarshal(recorded, &before) != nil || json.Unmarshal(planned, &after) != nil {
		return "that of the record cannot be read"
	}
	keys := slices.Collect(maps.Keys(before))
	for key := range after {
		if _, ok := before[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changes []string
	for _, key := range keys {
		was, is := compactJSON(before[key]), compactJSON(after[key])
		if key != "seed" && key != "features" && was != is { // those are said by their digests
			changes = append(changes, fmt.Sprintf("%s: %s -> %s", key, was, is))
		}
	}
	return strings.Join(changes, ", ")
}

// compactJSON returns a JSON value on one line, "unset" for none.
func compactJSON(value json.RawMessage) string {
	if value == nil {
		return "unset"
	}
	var out bytes.Buffer
	if err := json.Compact(&out, value); err != nil {
		return string(value)
	}
	return out.String()
}

// buildChanges names what differs between the build that made a record and the one that would make
// it now: the commit, Go and its modules, the backend with its plugin, the number of devices, and the
// environment variables that can change a number. What is not known of either is left out. All of these can change the last bits of a result.
func buildChanges(old, now runs.Environment) string {
	var changes []string
	differ := func(what, was, is string) {
		if was != is && was != "" && is != "" && was != workspace.Unknown && is != workspace.Unknown {
			changes = append(changes, fmt.Sprintf("%s %s -> %s", what, shortCommit(was), shortCommit(is)))
		}
	}
	differ("commit", old.Commit, now.Commit)
	differ("Go", old.Go, now.Go)
	for _, module := range slices.Sorted(maps.Keys(old.Modules)) {
		differ(module, old.Modules[module], now.Modules[module])
	}
	differ("backend", old.Backend, now.Backend)
	if old.Backend == now.Backend {
		differ("plugin", old.Plugin, now.Plugin)
	}
	if old.Devices > 0 && now.Devices > 0 {
		differ("devices", strconv.Itoa(old.Devices), strconv.Itoa(now.Devices))
	}
	if old.Variables != nil && now.Variables != nil {
		names := maps.Clone(old.Variables)
		maps.Copy(names, now.Variables)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			differ(name, setOr(old.Variables, name), setOr(now.Variables, name))
		}
	}
	return strings.Join(changes, ", ")
}

// setOr returns the value of an environment variable, "unset" where there is none.
func setOr(variables map[string]string, name string) string {
	if value, ok := variables[name]; ok {
		return strconv.Quote(value)
	}
	return "unset"
}

// shortCommit returns the first twelve digits of the hash of a commit, with its +dirty mark. Any
// other text stays as it is.
func shortCommit(commit string) string {
	hash, mark, dirty := strings.Cut(commit, "+")
	if len(hash) != 40 {
		return commit
	}
	if dirty {
		mark = "+" + mark
	}
	return hash[:12] + mark
}
