//go:build integration

package retrieval

import (
	"encoding/json"
	"math"
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
		// Eighths have exact products and sums in float32, so that no two scores change places by rounding:
		// numpy has float64. Unit length would make other numbers of them.
		for _, rows := range [][][]float32{c.Queries, c.Gallery} {
			for _, row := range rows {
				for k, v := range row {
					row[k] = float32(math.Round(8*float64(v))) / 8
				}
			}
		}
		width := len(d.Queries[0])
		for _, dimensions := range []int{width / 2, width} {
			for _, form := range Forms() {
				unit := form != Float32 && dimensions < width && d.Name == "no ties"
				c.Parts = append(c.Parts, compressedPart{dimensions, form, unit})
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
