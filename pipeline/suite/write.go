package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// plainYAML matches the strings that may stand without quotes.
var plainYAML = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./+-]*(:[A-Za-z0-9_./+-]+)?$`)

// YAML returns the suite as a suite file. Includes and overrides are resolved in it, and a suite
// that is read from it is equal to this one.
func (s *Suite) YAML() ([]byte, error) {
	var out bytes.Buffer
	for i, b := range s.Blocks {
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(&out, "- datasets: %s\n", yamlStrings(b.Datasets))
		fmt.Fprintf(&out, "  backbone: %s\n", yamlString(b.Backbone))
		fmt.Fprintf(&out, "  mode: %s\n", yamlString(b.Mode))
		if b.Input != 0 {
			fmt.Fprintf(&out, "  input: %d\n", b.Input)
		}
		out.WriteString("  methods:\n")
		for _, v := range b.Methods {
			fmt.Fprintf(&out, "    - %s\n", v.yaml())
		}
		fmt.Fprintf(&out, "  sizes: %s\n", yamlNumbers(b.Sizes))
		fmt.Fprintf(&out, "  seeds: %s\n", yamlNumbers(b.Seeds))
		for _, o := range b.Options {
			fmt.Fprintf(&out, "  %s: %s\n", o.Key, o.yaml())
		}
	}
	again, err := Parse(s.Name, "the suite as written", out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("write suite %s: %w", s.Name, err)
	}
	if !again.equal(s) {
		return nil, fmt.Errorf("write suite %s: it does not read back equal", s.Name)
	}
	return out.Bytes(), nil
}

// equal reports whether two suites are the same, wherever they were read.
func (s *Suite) equal(other *Suite) bool {
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// yaml returns the variant as an item of methods.
func (v Variant) yaml() string {
	if v.Label == v.Method && v.Base == "" && len(v.Options) == 0 {
		return yamlString(v.Method)
	}
	fields := []string{"label: " + yamlString(v.Label), "method: " + yamlString(v.Method)}
	if v.Base != "" {
		fields = append(fields, "base: "+yamlString(v.Base))
	}
	for _, o := range v.Options {
		fields = append(fields, o.Key+": "+o.yaml())
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// yaml returns the option's value. JSON is YAML, with two exceptions: the exponents of numbers,
// which need a sign and a point, and words, which need no quotes.
func (o Option) yaml() string {
	var text string
	if json.Unmarshal(o.Value, &text) == nil && string(o.Value) != "null" {
		return yamlString(text)
	}
	var list []json.RawMessage
	if json.Unmarshal(o.Value, &list) == nil && list != nil {
		items := make([]string, len(list))
		for i, v := range list {
			items[i] = Option{Value: v}.yaml()
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	var named map[string]json.RawMessage
	if json.Unmarshal(o.Value, &named) == nil && named != nil {
		items := make([]string, 0, len(named))
		for _, key := range slices.Sorted(maps.Keys(named)) {
			items = append(items, yamlString(key)+": "+Option{Value: named[key]}.yaml())
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	value := string(o.Value)
	if i := strings.IndexByte(value, 'e'); i > 0 && !strings.Contains(value[:i], ".") && value[i-1] >= '0' && value[i-1] <= '9' {
		value = value[:i] + ".0" + value[i:]
	}
	return value
}

// yamlString returns a string as one YAML value.
func yamlString(s string) string {
	var read any
	if plainYAML.MatchString(s) && yaml.Unmarshal([]byte(s), &read) == nil && read == s {
		return s
	}
	quoted, err := json.Marshal(s) // a JSON string is a YAML one
	if err != nil {
		panic("suite: a string cannot be encoded: " + err.Error())
	}
	return string(quoted)
}

// yamlStrings returns strings as a YAML list.
func yamlStrings(list []string) string {
	items := make([]string, len(list))
	for i, s := range list {
		items[i] = yamlString(s)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// yamlNumbers returns numbers as a YAML list.
func yamlNumbers(list []int) string {
	return strings.ReplaceAll(fmt.Sprint(list), " ", ", ")
}
