package reports

import (
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bierbench/runs"
)

// schemaNode is what the test reads of a JSON Schema.
type schemaNode struct {
	Type       string                 `json:"type"`
	Ref        string                 `json:"$ref"`
	Additional *bool                  `json:"additionalProperties"`
	Required   []string               `json:"required"`
	Properties map[string]*schemaNode `json:"properties"`
	Items      *schemaNode            `json:"items"`
	Definition map[string]*schemaNode `json:"$defs"`
}

// The schema describes every field of a diff as it is marshalled, and nothing else.
func TestDiffSchema(t *testing.T) {
	var root schemaNode
	if err := json.Unmarshal(DiffSchema(), &root); err != nil {
		t.Fatal(err)
	}
	var check func(where string, s *schemaNode, typ reflect.Type)
	check = func(where string, s *schemaNode, typ reflect.Type) {
		if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
			if s = root.Definition[name]; s == nil {
				t.Errorf("%s refers to %q, which is not there", where, name)
				return
			}
		}
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		want := map[reflect.Kind]string{
			reflect.Struct: "object", reflect.Slice: "array", reflect.String: "string", reflect.Int: "integer", reflect.Float64: "number",
			reflect.Bool: "boolean",
		}[typ.Kind()]
		if s.Type != want {
			t.Errorf("%s is %q in the schema, want %q", where, s.Type, want)
			return
		}
		if typ.Kind() == reflect.Slice {
			if s.Items == nil {
				t.Errorf("%s has no items", where)
				return
			}
			check(where+"[]", s.Items, typ.Elem())
			return
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		if s.Additional == nil || *s.Additional {
			t.Errorf("%s allows other properties", where)
		}
		var names []string
		for f := range typ.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
			p := s.Properties[name]
			if p == nil {
				t.Errorf("%s.%s is not in the schema", where, name)
				continue
			}
			if required := slices.Contains(s.Required, name); required == strings.Contains(options, "omitempty") {
				t.Errorf("%s.%s: required %v, tag %q", where, name, required, f.Tag.Get("json"))
			}
			check(where+"."+name, p, f.Type)
		}
		for name := range s.Properties {
			if !slices.Contains(names, name) {
				t.Errorf("%s.%s is in the schema alone", where, name)
			}
		}
	}
	check("diff", &root, reflect.TypeFor[runs.Diff]())
}

// What separates configurations in a terminal and a pull request cannot be ended by text in them.
func TestConfigurationsAreText(t *testing.T) {
	d := sampleDiff()
	var text, page strings.Builder
	if err := DiffMarkdown(d, &text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\n````diff\n") || strings.Contains(text.String(), "\x1b") {
		t.Errorf("the fence is not longer than what it holds:\n%s", text.String())
	}
	if err := DiffHTML(d, nil, nil, &page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<span class="added">&#43;  &#34;boosting&#34;`, `<span class="removed">-  &#34;boosting`,
		"&lt;/pre&gt;&lt;b&gt;bold",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// A terminal gets so many lines and is told how many more there are.
func TestConfigurationsAreLimited(t *testing.T) {
	d := sampleDiff()
	d.Configurations[0].Unified = strings.Repeat("+ x\n", 55)
	var b strings.Builder
	if err := DiffText(d, &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(15 lines left out", "Left out: 1 difference;"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), "+ x\n"); n != longestConfigs {
		t.Errorf("%d lines, want %d", n, longestConfigs)
	}
}

// Several runs: the rows of a metric follow one another and name their run.
func TestDiffSeveralText(t *testing.T) {
	d := sampleDiff()
	d.Base, d.A, d.B, d.Others, d.Configurations = "", "one", "two, three", []string{"two", "three"}, nil
	rows := slices.Clone(d.Rows[:3])
	d.Rows = nil
	for _, run := range d.Others {
		for _, c := range rows {
			c.A, c.RunB = c.B, run
			d.Rows = append(d.Rows, c)
		}
	}
	golden(t, "diff-several.txt", func(w io.Writer) error { return DiffText(d, w) })
}

// A side with one seed has no verdict, whatever its difference: its row does not count as one that shows
// no difference. Models that are compared as they are have one.
func TestCountVerdicts(t *testing.T) {
	rows := []runs.Comparison{
		{Verdict: runs.Better}, {Verdict: runs.Noise}, {Verdict: runs.Noise, ClassesOnly: true}, {Reason: "no queries"},
	}
	for models, want := range map[bool]string{
		false: "1 better, 0 worse, 1 no difference shown (~), 2 without a verdict.",
		true:  "1 better, 0 worse, 2 no difference shown (~), 1 without a verdict.",
	} {
		if got := diffSummary(&runs.Diff{Rows: rows, Models: models}); got != want {
			t.Errorf("models %t: %s, want %s", models, got, want)
		}
	}
}
