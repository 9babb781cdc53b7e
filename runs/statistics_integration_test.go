//go:build integration

package runs

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestIntegrationStatisticsOfSciPy lets scipy compute what the closed forms of this package
// say, on drawn input.
func TestIntegrationStatisticsOfSciPy(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with scipy: run \"task test:integration\"")
	}
	random := rand.New(rand.NewPCG(1, 2))
	var summaries, spreads [][]any
	for range 300 {
		values := make([]float64, 2+random.IntN(9))
		for i := range values {
			values[i] = random.Float64()
		}
		s := Summarize(values, nil)
		summaries = append(summaries, []any{values, s.Low, s.High})

		d := deviations{pooled: random.Float64(), freedom: 1 + 50*random.Float64()}
		low, high := d.interval()
		spreads = append(spreads, []any{d.pooled, d.freedom, low, high})
	}
	data, err := json.Marshal(map[string]any{"summaries": summaries, "deviations": spreads})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "statistics.py"))
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
