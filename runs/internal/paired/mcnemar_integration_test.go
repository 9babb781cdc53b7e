//go:build integration

package paired

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestIntegrationMcNemarOfSciPy lets scipy's binomial test compute McNemar's p-values of drawn counts.
func TestIntegrationMcNemarOfSciPy(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with scipy: run \"task test:integration\"")
	}
	random := rand.New(rand.NewPCG(1, 2))
	var rows [][]any
	for range 300 {
		b := 1 + random.IntN(1+random.IntN(20_000))
		c := max(0, b+random.IntN(1+b/3+10)-random.IntN(1+b/3+10))
		rows = append(rows, []any{b, c, McNemar(b, c)})
	}
	data, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "mcnemar.py"))
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
