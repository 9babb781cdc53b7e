package modelstest

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// GoldenTolerance is the largest difference allowed to a float64 port, absolute below 1 and
// relative above: the golden vectors come from an independent float64 implementation that sums in
// another order.
const GoldenTolerance = 1e-9

// GoldenCase is one file of golden vectors. Tensors are nested lists,
// row-major; null is NaN.
type GoldenCase struct {
	Case    string
	Note    string
	Config  json.RawMessage
	Inputs  map[string]json.RawMessage
	Outputs map[string]json.RawMessage
	FD      json.RawMessage // how the author checked the gradients
}

// A GoldenReader computes the outputs that the cases of a kind state.
type GoldenReader struct {
	Prefix  string                 // of the names of the cases, one of goldenKinds
	Outputs func(name string) bool // which outputs it computes; nil for all
	Read    func(t *testing.T, c GoldenCase) map[string][]float64
}

// goldenKinds says which packages read the cases of each kind: a case belongs to the first kind
// whose prefix begins its name. If two packages read a kind, each checks its own outputs.
func goldenKinds() []goldenKind {
	return []goldenKind{
		{"binomial_scalar_table", []string{"losses"}},
		{"binomial_", []string{"losses", "models"}},
		{"contrastive_", []string{"losses", "models"}},
		{"triplet_", []string{"losses", "models"}},
		{"activation_", []string{"models"}},
		{"adversarial_", []string{"models"}},
		{"sizes_scales", []string{"losses", "models"}},
		{"retrieval_", []string{"retrieval"}},
		{"correlation_", []string{"retrieval"}},
		{"mcnemar_", []string{"runs/internal/paired"}},
		{"paired_", []string{"runs/internal/paired"}},
	}
}

type goldenKind struct {
	prefix   string
	packages []string
}

// CheckGolden reads every JSON file in the folder that BIERBENCH_GOLDEN names, or else in
// shared/golden beside the checkout, and lets the readers of the named package check the cases. A
// case of an unknown kind is an error, as is a kind of that package without a reader.
func CheckGolden(t *testing.T, name string, readers ...GoldenReader) {
	t.Helper()
	dir := os.Getenv("BIERBENCH_GOLDEN")
	if dir == "" {
		dir = filepath.Join(moduleFolder(t), "..", "shared", "golden")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("BIERBENCH_GOLDEN") != "" {
			t.Fatalf("BIERBENCH_GOLDEN: no JSON file in %s", dir)
		}
		t.Skipf("no golden vectors in %s; set BIERBENCH_GOLDEN to a folder that holds them", dir)
	}
	for _, kind := range goldenKinds() {
		reads := slices.ContainsFunc(readers, func(r GoldenReader) bool { return r.Prefix == kind.prefix })
		if reads != slices.Contains(kind.packages, name) {
			t.Errorf("kind %q: the package %s reads it: %t; want %t", kind.prefix, name, reads, !reads)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c GoldenCase
		if err := StrictJSON(data, &c); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		kind := slices.IndexFunc(goldenKinds(), func(k goldenKind) bool { return strings.HasPrefix(c.Case, k.prefix) })
		if kind < 0 {
			t.Errorf("%s: case %q has an unknown prefix: nothing checks it", file, c.Case)
			continue
		}
		i := slices.IndexFunc(readers, func(r GoldenReader) bool { return r.Prefix == goldenKinds()[kind].prefix })
		if i < 0 {
			continue // another package's
		}
		t.Run(c.Case, func(t *testing.T) {
			compareGolden(t, readers[i].Read(t, c), c.Outputs, readers[i].Outputs)
		})
	}
}

// moduleFolder returns the folder with the module's go.mod.
func moduleFolder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			tb.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// compareGolden compares every output that the case states and chosen accepts. An output that was
// not computed is an error, as is a case without outputs.
func compareGolden(t *testing.T, got map[string][]float64, outputs map[string]json.RawMessage, chosen func(name string) bool) {
	t.Helper()
	want := map[string][]float64{}
	for name, raw := range outputs {
		flattenLeaves(t, name, Decode(t, raw), want)
	}
	if len(want) == 0 {
		t.Error("the case states no outputs")
	}
	for name, w := range want {
		if chosen != nil && !chosen(name) {
			continue
		}
		g, ok := got[name]
		if !ok {
			t.Errorf("output %q is not checked", name)
			continue
		}
		if len(g) != len(w) {
			t.Errorf("%s: got %d numbers, want %d", name, len(g), len(w))
			continue
		}
		if i, off := Farthest(g, w); off > GoldenTolerance {
			t.Errorf("%s: number %d: got %.17g, want %.17g", name, i, g[i], w[i])
		}
	}
}

// flattenLeaves flattens the lists of a JSON value: a path of object keys -> numbers.
func flattenLeaves(t *testing.T, path string, value any, into map[string][]float64) {
	t.Helper()
	if object, ok := value.(map[string]any); ok {
		for key, v := range object {
			flattenLeaves(t, path+"."+key, v, into)
		}
		return
	}
	if list, ok := value.([]any); ok && len(list) > 0 {
		if _, ok := list[0].(map[string]any); ok {
			for i, v := range list {
				flattenLeaves(t, path+"."+string(rune('0'+i)), v, into)
			}
			return
		}
	}
	if _, ok := value.(string); ok {
		return // words are explanations, which are not checked
	}
	into[path] = Flat(t, value)
}

// Flat returns the numbers of nested lists in row-major order.
func Flat(t *testing.T, value any) []float64 {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return []float64{math.NaN()}
	case float64:
		return []float64{v}
	case []any:
		out := []float64{}
		for _, x := range v {
			out = append(out, Flat(t, x)...)
		}
		return out
	}
	t.Fatalf("golden value of type %T", value)
	return nil
}

// Decode returns the value of a JSON text.
func Decode(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// StrictJSON decodes data into dst and refuses keys that dst does not have: an unknown setting must
// not be ignored.
func StrictJSON(data []byte, dst any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(dst)
}

// GoldenInput decodes an input of a case.
func GoldenInput[T any](t *testing.T, c GoldenCase, name string) T {
	t.Helper()
	var v T
	raw, ok := c.Inputs[name]
	if !ok {
		t.Fatalf("no input %q", name)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("input %s: %v", name, err)
	}
	return v
}

// JoinByName concatenates results of equal names, in order.
func JoinByName(names []string, results [][]float64) map[string][]float64 {
	out := map[string][]float64{}
	for i, name := range names {
		out[name] = append(out[name], results[i]...)
	}
	return out
}
