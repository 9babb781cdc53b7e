package models

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// BenchmarkCheckpoint writes and reads a file of the size of a finetuned
// GoogLeNet with its two moments, 3 x 28 MB, with and without the seal.
func BenchmarkCheckpoint(b *testing.B) {
	const values = 7_000_000
	var named []NamedTensor
	for i := range 3 {
		flat := make([]float32, values)
		for j := range flat {
			flat[j] = float32(i) + float32(j)/values
		}
		named = append(named, NamedTensor{fmt.Sprint("tensor", i), tensors.FromFlatDataAndDimensions(flat, values)})
	}
	none := func(*os.File) error { return nil }
	for _, c := range []struct {
		name         string
		finish, test func(f *os.File) error
	}{{"plain", none, none}, {"sealed", seal, checkSeal}} {
		path := filepath.Join(b.TempDir(), "x.safetensors")
		b.Run("write/"+c.name, func(b *testing.B) {
			b.SetBytes(3 * 4 * values)
			for b.Loop() {
				if err := writeSafetensors(path, named, map[string]string{sealField: openSeal()}, c.finish); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("read/"+c.name, func(b *testing.B) {
			b.SetBytes(3 * 4 * values)
			for b.Loop() {
				if _, _, err := readSafetensors(path, c.test); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
