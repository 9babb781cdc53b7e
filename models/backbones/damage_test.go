package backbones

import (
	"archive/zip"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/cache"
	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
)

// errOther is the error of a read that returned something else than what was written.
var errOther = errors.New("WRONG CONTENT")

func TestDamagedWeightsAndFeatures(t *testing.T) { damagedFiles(t, 37) }

// damagedFiles damages every kind of file that the package reads, flipping every step-th byte.
func damagedFiles(t *testing.T, step int) {
	t.Helper()
	write := func(t *testing.T, name string, content []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range map[string][]byte{
		"legacy":  legacyFile(tinyDict(four), 4, tinyValues()),
		"archive": archiveFile(tinyDict(fourOnly), zip.Store, tinyValues()),
	} {
		// A file of the user's is as it is: whatever its values are, reading ends.
		t.Run("a state dict to be added, "+name, func(t *testing.T) {
			path := write(t, "dict.pth", content)
			modelstest.Damages(t, path, legacyFile(tinyDict(four), 4, make([]byte, 16)), step, func() error {
				dict, err := readStateDict(path)
				if err != nil {
					return err
				}
				for tensor := range dict {
					_, _, _ = dict.tensor(tensor)
				}
				return nil
			})
		})
	}
	// In the cache they have a hash, so other values are an error.
	t.Run("weights in the cache", func(t *testing.T) {
		folder := cache.Cache{Dir: t.TempDir()}
		added, err := folder.AddWeights(t.Context(), "googlenet", write(t, "mine.pth", legacyFile(tinyDict(four), 4, tinyValues())),
			func(string) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		read := func() error {
			w, err := folder.Weights(t.Context(), "googlenet", slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			dict, err := readStateDict(w.Path)
			if err != nil {
				return err
			}
			a, _, err := dict.tensor("a")
			if err == nil && !slices.Equal(tensors.MustCopyFlatData[float32](a), []float32{1, 2, 3, 4}) {
				t.Error(errOther)
			}
			return err
		}
		modelstest.Damages(t, added.Path, legacyFile(tinyDict(four), 4, make([]byte, 16)), step, read)
	})
	t.Run("the record of weights in the cache", func(t *testing.T) {
		folder := cache.Cache{Dir: t.TempDir()}
		var added cache.Weights
		for _, fill := range []byte{1, 2} {
			var err error
			added, err = folder.AddWeights(t.Context(), "googlenet", write(t, "mine.pth", []byte{fill}), func(string) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(folder.Dir, "weights", "googlenet.json")
		modelstest.Damages(t, path, []byte(`{"file": "googlenet-absent.pth", "sha256": "`+added.SHA256+`", "bytes": 1}`), step, func() error {
			w, err := folder.Weights(t.Context(), "googlenet", slog.New(slog.DiscardHandler))
			if err == nil && w.SHA256 != added.SHA256 {
				t.Error(errOther)
			}
			if _, missing := errors.AsType[*cache.MissingError](err); missing {
				return nil // without a record there are none, and the command that adds them is named
			}
			return err
		})
	})
	t.Run("features", func(t *testing.T) {
		want := someFeatures(9, 5)
		path, other := filepath.Join(t.TempDir(), "f.arrow"), filepath.Join(t.TempDir(), "other.arrow")
		foreign := someFeatures(9, 5)
		foreign.Key, foreign.Values[3] = "4567", -1
		if err := errors.Join(WriteFeatures(path, want), WriteFeatures(other, foreign)); err != nil {
			t.Fatal(err)
		}
		swapped, err := os.ReadFile(other)
		if err != nil {
			t.Fatal(err)
		}
		modelstest.Damages(t, path, swapped, step, func() error {
			got, err := ReadFeatures(path, want.Key)
			if err == nil && !cmp.Equal(got, want) {
				t.Error(errOther)
			}
			return err
		})
	})
	t.Run("safetensors", func(t *testing.T) {
		tensor := sealed.NamedTensor{Name: "conv1/7x7_s2_bias", Value: tensors.FromFlatDataAndDimensions(make([]float32, 8), 8)}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := sealed.Write(path, []sealed.NamedTensor{tensor}, nil); err != nil {
			t.Fatal(err)
		}
		modelstest.Damages(t, path, []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), step, func() error {
			_, _, err := sealed.Read(path)
			return err
		})
	})
}
