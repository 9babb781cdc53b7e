package reports

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
)

// distinctConfig is one of the different configurations of a report's groups.
type distinctConfig struct {
	Used   []string // by which groups: "cub googlenet frozen bier 512"
	JSON   string   // indented
	fields map[string]string
}

// configurations returns the different configurations of groups with finished cells.
func (r *Report) configurations() []distinctConfig {
	var list []distinctConfig
	for _, g := range r.Groups {
		if len(g.Config) == 0 {
			continue
		}
		user := g.Group.Dataset + "." + g.Group.Variant
		if len(r.Runs) > 1 {
			user += " (" + g.Run + ")"
		}
		s := distinctConfig{fields: flatten(g.Config), JSON: indentedJSON(g.Config)}
		s.fields["backbone"], s.fields["mode"], s.fields["method"] = g.Group.Backbone, g.Group.Mode, g.Group.Method
		i := slices.IndexFunc(list, func(x distinctConfig) bool { return maps.Equal(x.fields, s.fields) })
		if i < 0 {
			i = len(list)
			list = append(list, s)
		}
		list[i].Used = appendNew(list[i].Used, user)
	}
	return list
}

// method returns the label of the method that has the configuration.
func (s distinctConfig) method() string { return s.fields["method"] }

// untrained reports whether the configuration is that of features as they are.
func (s distinctConfig) untrained() bool { return s.fields["untrained"] == "true" }

// withoutTraining reports whether a setting has a meaning without training.
func withoutTraining(key string) bool {
	return slices.Contains([]string{"backbone", "mode", "method", "size", "input", "untrained"}, key)
}

// Name says which groups have the configuration.
func (s distinctConfig) Name() string {
	return strings.Join([]string{s.method(), s.fields["backbone"], s.fields["mode"], s.fields["size"]}, " ")
}

// settingsTables returns the settings that all configurations share and those in which they differ;
// nil where there are none.
func (r *Report) settingsTables() (shared, differing *table.Table) {
	list := r.configurations()
	if len(list) == 0 {
		return nil, nil
	}
	// The settings of training say nothing of features that are not trained.
	trained := slices.DeleteFunc(slices.Clone(list), distinctConfig.untrained)
	if len(trained) == 0 {
		trained = list
	}
	var keys []string
	for _, s := range list {
		for k := range s.fields {
			keys = appendNew(keys, k)
		}
	}
	slices.Sort(keys)
	same := func(k string) bool {
		among := trained
		if withoutTraining(k) {
			among = list
		}
		return !slices.ContainsFunc(among, func(s distinctConfig) bool { return s.fields[k] != among[0].fields[k] })
	}
	shared = &table.Table{
		Title:   "Settings that all methods share",
		Columns: []table.Column{table.TextColumn("setting", "Setting"), table.TextColumn("value", "Value")},
	}
	differing = &table.Table{Title: "Settings that differ", Columns: []table.Column{table.TextColumn("method", "Method")}}
	var differ []string
	for _, k := range keys {
		switch {
		case k == "method":
		case same(k):
			shared.Rows = append(shared.Rows, table.Row{Entries: []table.Entry{table.Words(k), table.Words(trained[0].fields[k])}})
		default:
			differ = append(differ, k)
			differing.Columns = append(differing.Columns, table.TextColumn(k, k))
		}
	}
	differing.Columns = append(differing.Columns, table.TextColumn("used", "Data sets"))
	for _, s := range list {
		row := []table.Entry{table.Words(s.method())}
		for _, k := range differ {
			if s.untrained() && !withoutTraining(k) {
				row = append(row, table.Absent())
				continue
			}
			row = append(row, table.Words(s.fields[k]))
		}
		differing.Rows = append(differing.Rows, table.Row{Entries: append(row, table.Words(strings.Join(s.Used, ", ")))})
	}
	if len(differ) == 0 && len(list) == 1 {
		differing = nil
	}
	return shared, differing
}

// flatten returns the fields of a JSON object as text: strings bare, the rest as compact JSON.
// Fields of objects in it are named "outer.inner".
func flatten(config json.RawMessage) map[string]string {
	fields := map[string]string{}
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) == nil && object != nil {
			for k, v := range object {
				walk(strings.TrimPrefix(prefix+"."+k, "."), v)
			}
			return
		}
		var word string
		if json.Unmarshal(raw, &word) == nil {
			fields[prefix] = word
			return
		}
		var b bytes.Buffer
		if json.Compact(&b, raw) != nil {
			b.Reset()
			b.Write(raw)
		}
		fields[prefix] = b.String()
	}
	walk("", config)
	return fields
}

// indentedJSON returns JSON on several lines. Text that is not JSON stays as it is.
func indentedJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
