package runs

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// configContext is the number of equal lines around a difference.
const configContext = 2

// configurations adds the difference between the configurations of the rows from first on.
func (c *comparer) configurations(a, b json.RawMessage, first int) {
	before, after := configLines(a), configLines(b)
	if before == after {
		return
	}
	unified, err := udiff.ToUnified("A", "B", before, udiff.Lines(before, after), configContext)
	if err != nil { // edits that do not fit the text they were made of
		panic("runs: " + err.Error())
	}
	d := c.diff
	i := slices.IndexFunc(d.Configurations, func(x ConfigDifference) bool { return x.Unified == unified })
	if i < 0 {
		i = len(d.Configurations)
		d.Configurations = append(d.Configurations, ConfigDifference{Unified: unified})
	}
	for row := first; row < len(d.Rows); row++ {
		d.Configurations[i].Rows = append(d.Configurations[i].Rows, row)
	}
}

// configLines writes a configuration without its seed, one option a line, sorted by name. Lists
// stay on their line.
func configLines(config json.RawMessage) string {
	var b strings.Builder
	var write func(indent string, value json.RawMessage)
	write = func(indent string, value json.RawMessage) {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil || len(object) == 0 {
			var compact bytes.Buffer
			if json.Compact(&compact, value) != nil {
				compact.Write(value)
			}
			b.Write(compact.Bytes())
			return
		}
		if indent == "" {
			delete(object, "seed")
		}
		var keys []string
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b.WriteString("{\n")
		for i, k := range keys {
			name, err := json.Marshal(k)
			if err != nil {
				panic("runs: " + err.Error()) // text always has JSON
			}
			b.WriteString(indent + "  " + string(name) + ": ")
			write(indent+"  ", object[k])
			if i < len(keys)-1 {
				b.WriteString(",")
			}
			b.WriteString("\n")
		}
		b.WriteString(indent + "}")
	}
	if len(config) > 0 {
		write("", config)
		b.WriteString("\n")
	}
	return b.String()
}
