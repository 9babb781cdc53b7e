package models

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/sealed"
)

// BenchmarkCheckpoint writes and reads a file of the size of a finetuned
// GoogLeNet with its two moments, 3 x 28 MB, with and without the seal.
func BenchmarkCheckpoint(b *testing.B) {
	const values = 7_000_000
	var named []sealed.NamedTensor
	for i := range 3 {
		flat := make([]float32, values)
		for j := range flat {
			flat[j] = float32(i) + float32(j)/values
		}
		named = append(named, sealed.NamedTensor{Name: fmt.Sprint("tensor", i), Value: tensors.FromFlatDataAndDimensions(flat, values)})
	}
	none := func(*os.File) error { return nil }
	for _, c := range []struct {
		name         string
		finish, test func(f *os.File) error
	}{{"plain", none, none}, {"sealed", sealed.Seal, sealed.Check}} {
		path := filepath.Join(b.TempDir(), "x.safetensors")
		b.Run("write/"+c.name, func(b *testing.B) {
			b.SetBytes(3 * 4 * values)
			for b.Loop() {
				if err := sealed.WriteWith(path, named, map[string]string{sealed.Field: sealed.Placeholder()}, c.finish); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("read/"+c.name, func(b *testing.B) {
			b.SetBytes(3 * 4 * values)
			for b.Loop() {
				if _, _, err := sealed.ReadWith(path, c.test); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
