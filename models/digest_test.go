package models

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/sealed"
)

func TestDigest(t *testing.T) {
	c, data := tinyConfig(), tinyData()
	dir := t.TempDir()
	m := newTestModel(t, c)
	fresh, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if again, againErr := newTestModel(t, c).Digest(); againErr != nil || again != fresh || len(fresh) != 64 {
		t.Errorf("the same model again has %q (%v), want %q", again, againErr, fresh)
	}
	if err = m.Train(t.Context(), data, TrainOptions{Checkpoints: dir}); err != nil {
		t.Fatal(err)
	}
	done, err := m.Digest()
	if err != nil || done == fresh {
		t.Fatalf("the trained model has the digest of a fresh one (%v)", err)
	}
	// As documented, from the file: lines and values by name.
	values, _, err := sealed.Read(filepath.Join(dir, "step-00000030.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = fmt.Appendf(all, "%s (Float32)%d\n", name, values[name].Shape().Dimensions)
		if err = values[name].ConstBytes(func(data []byte) { all = append(all, data...) }); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(string(all), "embedding/learner0/biases (Float32)[2]\n") {
		t.Errorf("begins with %q", all[:40])
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(all)); done != want {
		t.Errorf("digest %s, want %s", done, want)
	}
	loaded := newTestModel(t, c)
	if _, err = loaded.Load(dir); err != nil {
		t.Fatal(err)
	}
	if got, gotErr := loaded.Digest(); gotErr != nil || got != done {
		t.Errorf("after loading %s (%v), want %s", got, gotErr, done)
	}
	// The moments do not enter, one value does.
	loaded.trainable()
	if got, gotErr := loaded.Digest(); gotErr != nil || got != done {
		t.Errorf("with moments %s (%v), want %s", got, gotErr, done)
	}
	v := loaded.store.GetVariable("/embedding/learner0/biases")
	if err = v.SetValue(tensors.FromFlatDataAndDimensions([]float32{0, 1e-30}, 2)); err != nil {
		t.Fatal(err)
	}
	if got, err := loaded.Digest(); err != nil || got == done {
		t.Errorf("another bias has the same digest (%v)", err)
	}
}
