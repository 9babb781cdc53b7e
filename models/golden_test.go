package models

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// goldenTolerance is what a float64 port may differ by, absolute below 1 and
// relative above: the golden vectors come from an independent float64
// implementation that sums in another order.
const goldenTolerance = 1e-9

// goldenCase is one file of golden vectors. Tensors are nested lists,
// row-major; null is NaN.
type goldenCase struct {
	Case    string
	Note    string
	Config  json.RawMessage
	Inputs  map[string]json.RawMessage
	Outputs map[string]json.RawMessage
	FD      json.RawMessage // how the author checked the gradients
}

// TestGoldenVectors reads every JSON file of the folder in BIERBENCH_GOLDEN.
func TestGoldenVectors(t *testing.T) {
	dir := os.Getenv("BIERBENCH_GOLDEN")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "golden")
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
	slices.Sort(files)
	// A case is read by the first prefix that its name has.
	type reader struct {
		prefix string
		read   func(t *testing.T, c goldenCase) map[string][]float64
	}
	readers := []reader{
		{"binomial_scalar_table", goldenScalarTable},
		{"binomial_", goldenBoosting},
		{"contrastive_", goldenBoosting},
		{"triplet_", goldenBoosting},
		{"activation_", goldenActivation},
		{"adversarial_", goldenAdversarial},
		{"retrieval_", goldenRetrieval},
		{"correlation_", goldenCorrelation},
		{"sizes_scales", goldenScales},
	}
	elsewhere := []string{"mcnemar_", "paired_"} // package runs reads these
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c goldenCase
		if err := strictJSON(data, &c); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if slices.ContainsFunc(elsewhere, func(p string) bool { return strings.HasPrefix(c.Case, p) }) {
			continue
		}
		i := slices.IndexFunc(readers, func(r reader) bool { return strings.HasPrefix(c.Case, r.prefix) })
		if i < 0 {
			t.Errorf("%s: case %q has an unknown prefix: nothing checks it", file, c.Case)
			continue
		}
		t.Run(c.Case, func(t *testing.T) {
			compareGolden(t, readers[i].read(t, c), c.Outputs)
		})
	}
}

// compareGolden checks every output that the case states: one that was not
// computed is an error, as is a case that states none.
func compareGolden(t *testing.T, got map[string][]float64, outputs map[string]json.RawMessage) {
	t.Helper()
	want := map[string][]float64{}
	for name, raw := range outputs {
		leaves(t, name, decoded(t, raw), want)
	}
	if len(want) == 0 {
		t.Error("the case states no outputs")
	}
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			t.Errorf("output %q is not checked", name)
			continue
		}
		if len(g) != len(w) {
			t.Errorf("%s: got %d numbers, want %d", name, len(g), len(w))
			continue
		}
		if i, off := farthest(g, w); off > goldenTolerance {
			t.Errorf("%s: number %d: got %.17g, want %.17g", name, i, g[i], w[i])
		}
	}
}

// farthest returns where got and want differ most and by how much: absolute
// below 1, relative above. NaN equals NaN.
func farthest(got, want []float64) (index int, off float64) {
	for i, w := range want {
		d := math.Abs(got[i]-w) / max(1, math.Abs(w))
		switch {
		case math.IsNaN(w) && math.IsNaN(got[i]):
			d = 0
		case math.IsNaN(d):
			d = math.Inf(1)
		}
		if d > off {
			index, off = i, d
		}
	}
	return index, off
}

// leaves flattens the lists of a JSON value: a path of object keys -> numbers.
func leaves(t *testing.T, path string, value any, into map[string][]float64) {
	t.Helper()
	if object, ok := value.(map[string]any); ok {
		for key, v := range object {
			leaves(t, path+"."+key, v, into)
		}
		return
	}
	if list, ok := value.([]any); ok && len(list) > 0 {
		if _, ok := list[0].(map[string]any); ok {
			for i, v := range list {
				leaves(t, path+"."+string(rune('0'+i)), v, into)
			}
			return
		}
	}
	if _, ok := value.(string); ok {
		return // words explain, they are not checked
	}
	into[path] = flat(t, value)
}

// flat returns the numbers of nested lists in row-major order.
func flat(t *testing.T, value any) []float64 {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return []float64{math.NaN()}
	case float64:
		return []float64{v}
	case []any:
		out := []float64{}
		for _, x := range v {
			out = append(out, flat(t, x)...)
		}
		return out
	}
	t.Fatalf("golden value of type %T", value)
	return nil
}

func decoded(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// strictJSON refuses keys that dst does not have: a setting that is not
// understood must not be passed over.
func strictJSON(data []byte, dst any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(dst)
}

// input decodes an input of a case.
func input[T any](t *testing.T, c goldenCase, name string) T {
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

// matrix returns rows as a float64 tensor.
func matrix(rows [][]float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(slices.Concat(rows...), len(rows), len(rows[0]))
}

func vector(values []float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values))
}

// evaluate runs a graph once and returns its outputs as flat numbers.
func evaluate(tb testing.TB, b *Backend, inputs []*tensors.Tensor, graph func(inputs []*Node) []*Node) [][]float64 {
	tb.Helper()
	exec, err := NewExec(b.Backend, graph)
	if err != nil {
		tb.Fatal(err)
	}
	defer exec.Finalize()
	return execute(tb, exec, inputs)
}

// execute runs a compiled graph.
func execute(tb testing.TB, exec *Exec, inputs []*tensors.Tensor) [][]float64 {
	tb.Helper()
	args := make([]any, len(inputs))
	for i, x := range inputs {
		args[i] = x
	}
	results, err := exec.Exec(args...)
	if err != nil {
		tb.Fatal(err)
	}
	out := make([][]float64, len(results))
	for i, r := range results {
		out[i] = numbers(tb, r)
	}
	return out
}

// numbers returns a tensor's values as float64.
func numbers(tb testing.TB, x *tensors.Tensor) []float64 {
	tb.Helper()
	var out []float64
	x.MustConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []float64:
			out = slices.Clone(v)
		case []float32:
			for _, f := range v {
				out = append(out, float64(f))
			}
		default:
			tb.Fatalf("tensor of %T", flat)
		}
	})
	return out
}
