package runs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// unfinished says which seeds of a side have no result.
func (s side) unfinished() []string {
	var seeds []string
	for _, c := range s.group.Cells {
		if c.Status != Done {
			seeds = append(seeds, fmt.Sprintf("%d %s", c.Seed, c.Status))
		}
	}
	if len(seeds) == 0 || len(seeds) == len(s.group.Cells) {
		return nil
	}
	return []string{fmt.Sprintf("%s of run %s: left out seed %s", s.group.Group.Path(), s.run.Record.ID, commaList(seeds))}
}

// cautions notes why a row has no verdict, or why its interval is less certain than it seems.
func (c *comparer) cautions(row *Comparison, classes int, noVerdict bool) {
	switch {
	case noVerdict:
		c.note(row, "one seed on a side: what another seed would give is not known, so there is no verdict; the interval is over test classes alone")
	case c.options.Models:
	case len(row.SeedsA) == 2 || len(row.SeedsB) == 2:
		c.note(row, "two seeds on a side: a difference must be large to be told from noise")
	}
	switch {
	case classes == 1:
		c.note(row, "a single test class: nothing is known beyond it")
	case classes < 10:
		c.note(row, fmt.Sprintf("%d test classes: the interval is rough", classes))
	}
}

// differences returns the differences between two groups other than the compared one.
func (c *comparer) differences(a, b side) []string {
	ca, cb := a.group.Done().Cells, b.group.Done().Cells
	if len(ca) == 0 || len(cb) == 0 {
		return nil
	}
	var notes []string
	if sa, sb := a.group.Group.Size, b.group.Group.Size; sa != sb {
		notes = append(notes, fmt.Sprintf("the embedding sizes differ: %d -> %d", sa, sb))
	}
	for _, f := range cellFacts() {
		va, vb := distinctFacts(ca, f.of), distinctFacts(cb, f.of)
		if !slices.Equal(va, vb) {
			notes = append(notes, fmt.Sprintf("%s: %s -> %s", f.name, commaList(va), commaList(vb)))
		}
	}
	if slices.ContainsFunc(slices.Concat(ca, cb), func(c Cell) bool { return strings.HasSuffix(c.Environment.Commit, "+dirty") }) {
		notes = append(notes, "code: there were uncommitted changes, so an equal commit need not be equal code")
	}
	for _, x := range []struct {
		name       string
		cell, with Cell
	}{{"A", ca[0], cb[0]}, {"B", cb[0], ca[0]}} {
		if untrained(x.cell) && !untrained(x.with) {
			notes = append(notes, x.name+" is untrained")
		}
		if x.cell.External != nil && x.with.External == nil {
			notes = append(notes, fmt.Sprintf("%s has vectors of another program, ranked by %s: nothing is known of how they were made",
				x.name, x.cell.External.Similarity))
		}
	}
	if d := configDifferences(ca[0].Config, cb[0].Config); sameOrigin(ca[0], cb[0]) && len(d) > 0 {
		notes = append(notes, "configuration: "+strings.Join(d, "; "))
	}
	return notes
}

// cellFact is a property of a cell's record that says how the cell came about.
type cellFact struct {
	name string
	of   func(c Cell) string
}

// cellFacts returns the properties in the order of footnotes.
func cellFacts() []cellFact {
	return []cellFact{
		{"code", func(c Cell) string { return c.Environment.Commit }},
		{"data", func(c Cell) string { return shortDigest(c.DataHash) }},
		{"weights", func(c Cell) string { return shortDigest(c.Environment.Weights) }},
		{"backend", func(c Cell) string { return c.Environment.Backend }},
		{"plugin", func(c Cell) string { return c.Environment.Plugin }},
		{"device", func(c Cell) string { return c.Environment.Device }},
		{"devices", func(c Cell) string { return strconv.Itoa(max(1, c.Environment.Devices)) }},
		{"CPU", func(c Cell) string { return c.Environment.CPU }},
		{"Go", func(c Cell) string { return c.Environment.Go }},
		{"GoMLX", func(c Cell) string { return c.Environment.GoMLX }},
		{"environment variables", func(c Cell) string { return c.Environment.VariablesText() }},
		{"earlier attempts", earlierBuilds},
	}
}

// shortDigest cuts a digest to the length that a reader compares.
func shortDigest(digest string) string { return digest[:min(12, len(digest))] }

// distinctFacts returns the values of a property over cells, sorted; empty ones are left out.
func distinctFacts(cells []Cell, of func(c Cell) string) []string {
	var values []string
	for _, c := range cells {
		if v := of(c); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// configDifferences lists the options that differ, as "key: a -> b", sorted by key. The seed is
// left out.
func configDifferences(a, b json.RawMessage) []string {
	fa, fb := flatten(a), flatten(b)
	var keys []string
	for k := range fa {
		keys = append(keys, k)
	}
	for k := range fb {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var differences []string
	for _, k := range slices.Compact(keys) {
		if k == "seed" || fa[k] == fb[k] {
			continue
		}
		if k == "features.digest" {
			fa[k], fb[k] = shortDigest(fa[k]), shortDigest(fb[k])
		}
		differences = append(differences, fmt.Sprintf("%s: %s -> %s", k, orUnset(fa[k]), orUnset(fb[k])))
	}
	return differences
}

// orUnset names the absence of a value.
func orUnset(value string) string {
	if value == "" {
		return "unset"
	}
	return value
}

// flatten returns the leaves of a JSON object by their dotted keys; lists are leaves. JSON that is
// no object has one leaf, "configuration".
func flatten(config json.RawMessage) map[string]string {
	leaves := make(map[string]string)
	var walk func(key string, value json.RawMessage)
	walk = func(key string, value json.RawMessage) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err == nil && object != nil {
			for k, v := range object {
				walk(strings.TrimPrefix(key+"."+k, "."), v)
			}
			return
		}
		if key == "" {
			key = "configuration"
		}
		leaves[key] = leafText(value)
	}
	if len(config) > 0 {
		walk("", config)
	}
	return leaves
}

// leafText writes a value: text without its quotes, the rest as compact JSON.
func leafText(value json.RawMessage) string {
	var text string
	if err := json.Unmarshal(value, &text); err == nil && text != "" {
		return text
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return string(value)
	}
	return b.String()
}
