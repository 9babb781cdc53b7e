//go:build integration

package retrieval

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestIntegrationCompressedAgainstNumpyNow gives generated embeddings to testdata/compressed.py.
func TestIntegrationCompressedAgainstNumpyNow(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with numpy: run \"task test:integration\"")
	}
	random := rand.New(rand.NewPCG(20, 14))
	var cases []compressedCase
	for _, d := range []dialectCase{
		generated(random, 400, 40, []int{96, 160, 256}, false),
		generated(random, 300, 5, []int{16, 16, 16, 16}, true),
		inGallery(generated(random, 500, 30, []int{128}, false), 120),
	} {
		c := compressedCase{
			Name: d.Name, Queries: d.Queries, QueryLabels: d.QueryLabels, Gallery: d.Gallery, GalleryLabels: d.GalleryLabels, Recalls: d.Recalls,
		}
		width := len(d.Queries[0])
		for _, part := range []compressedPart{{width / 2, "", d.Name == "no ties"}, {width, "", false}} {
			for _, part.Form = range Forms() {
				c.Parts = append(c.Parts, part)
			}
		}
		cases = append(cases, c)
	}
	data, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cases.json")
	if err = os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "compressed.py"), path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var found [][]compressedFound
	if err = json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) { compareCompressed(t, c, found[i]) })
	}
}
