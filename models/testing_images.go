package models

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// weightsFile returns a backbone's pretrained weights. Those that can be
// installed must be; the others skip the test.
func weightsFile(t *testing.T, name string) string {
	t.Helper()
	cache, err := DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	weights, err := cache.Weights(t.Context(), name, slog.New(slog.DiscardHandler))
	if err == nil {
		return weights.Path
	}
	if beside := filepath.Join(checkout(t), "..", "shared", "weights", "bvlc_googlenet.safetensors"); name == "googlenet" {
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	if slices.Contains(PinnedWeights(), name) {
		t.Fatal(err)
	}
	t.Skipf("no %s weights: %v", name, err)
	return ""
}

// patternImages is the formula of testdata/reference.py: [count, size, size, 3] uint8.
func patternImages(count, size int) []uint8 {
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
