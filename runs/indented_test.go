package runs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rows of numbers take a line each; what is in a text, and lists of anything else, stay as they
// are.
func TestOneLine(t *testing.T) {
	v := map[string]any{
		"empty":  []float64{},
		"matrix": [][]any{{1, nil, -2.5e-9}, {nil}},
		"mixed":  []any{1, "two"},
		"texts":  []string{"[\n 1,\n 2\n]", "[1]"},
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(oneLine(data))
	want := `{
  "empty": [],
  "matrix": [
    [1, null, -2.5e-9],
    [null]
  ],
  "mixed": [
    1,
    "two"
  ],
  "texts": [
    "[\n 1,\n 2\n]",
    "[1]"
  ]
}`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
