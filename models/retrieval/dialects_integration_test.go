//go:build integration

package retrieval

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programsTolerance is far above the rounding of means of fractions and far
// below the weight of one query.
const programsTolerance = 1e-6

// TestIntegrationDialectsAgainstProgramsNow gives generated embeddings to the programs of
// testdata/dialects.py. faiss is there always, pytorch-metric-learning itself
// where the python has it: PyTorch is too large to install for one test.
func TestIntegrationDialectsAgainstProgramsNow(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with numpy and faiss: run \"task test:integration\"")
	}
	random := rand.New(rand.NewPCG(20, 26))
	cases := []dialectCase{
		generated(random, 600, 40, []int{96, 160, 256}, false),
		generated(random, 150, 60, []int{64}, false),
		generated(random, 300, 5, []int{16, 16, 16, 16}, true),
		inGallery(generated(random, 500, 30, []int{128}, false), 120),
		inGallery(generated(random, 400, 30, []int{4, 4, 4, 4}, true), 100),
	}
	data, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cases.json")
	if err = os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "dialects.py"), path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var programs struct {
		By      string
		Results []map[string]dialectResult
	}
	if err = json.Unmarshal(out, &programs); err != nil {
		t.Fatal(err)
	}
	if len(programs.Results) != len(cases) || !strings.Contains(programs.By, "faiss") {
		t.Fatalf("results of %d cases by %q; want %d, with faiss", len(programs.Results), programs.By, len(cases))
	}
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) { compareDialects(t, c, programs.Results[i], programsTolerance) })
	}
	t.Run("pytorch-metric-learning itself", func(t *testing.T) {
		if !strings.HasPrefix(programs.By, "pytorch-metric-learning 2.9.0") {
			t.Skipf("not in %s, its rules were applied to what faiss found: install .ci/requirements-torch.txt to compare with it", python)
		}
	})
}

// generated returns n images of classes: about centres, or of few exact values
// so that many scores tie.
func generated(random *rand.Rand, n, classes int, sizes []int, ties bool) dialectCase {
	c := dialectCase{Name: "no ties", Sizes: sizes, Recalls: []int{1, 2, 4, 8}}
	if ties {
		c.Name = "ties"
	}
	width := 0
	for _, size := range sizes {
		width += size
	}
	centres := make([]float32, classes*width)
	for i := range centres {
		centres[i] = float32(random.NormFloat64())
	}
	for i := range n {
		class := i % classes
		row := make([]float32, width)
		for k := range row {
			row[k] = centres[class*width+k] + 3*float32(random.NormFloat64())
		}
		if ties { // each slice has one number, +-1: lengths and products are whole
			clear(row)
			from := 0
			for _, size := range sizes {
				row[from+random.IntN(4)] = float32(1 - 2*random.IntN(2))
				from += size
			}
		}
		c.Queries = append(c.Queries, row)
		c.QueryLabels = append(c.QueryLabels, int32(class))
	}
	return c
}

// inGallery makes the images from the given one on a gallery of the others.
func inGallery(c dialectCase, queries int) dialectCase {
	c.Name += ", gallery"
	c.Gallery, c.GalleryLabels = c.Queries[queries:], c.QueryLabels[queries:]
	c.Queries, c.QueryLabels = c.Queries[:queries], c.QueryLabels[:queries]
	return c
}
