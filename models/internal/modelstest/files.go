package modelstest

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bierbench/models/cache"
)

// WeightsFile returns the path of a backbone's pretrained weights. Without them the test fails if
// they can be installed, and is skipped otherwise.
func WeightsFile(t *testing.T, name string) string {
	t.Helper()
	folder, err := cache.Default()
	if err != nil {
		t.Fatal(err)
	}
	weights, err := folder.Weights(t.Context(), name, slog.New(slog.DiscardHandler))
	if err == nil {
		return weights.Path
	}
	if beside := filepath.Join(moduleFolder(t), "..", "shared", "weights", "bvlc_googlenet.safetensors"); name == "googlenet" {
		if _, absent := os.Stat(beside); absent == nil {
			return beside
		}
	}
	if slices.Contains(cache.PinnedWeights(), name) {
		t.Fatal(err)
	}
	t.Skipf("no %s weights: %v", name, err)
	return ""
}

// PatternImages returns images [count, size, size, 3] uint8 by the formula of
// models/backbones/testdata/reference.py.
func PatternImages(count, size int) []uint8 {
	rgb := make([]uint8, 0, count*size*size*3)
	for n := range count {
		for y := range size {
			for x := range size {
				for c := range 3 {
					rgb = append(rgb, uint8(7*x+13*y+101*c+29*n+x*y/16+(x*x+(n+1)*y*y)/64))
				}
			}
		}
	}
	return rgb
}

// FileNames returns the names in a folder, sorted.
func FileNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
