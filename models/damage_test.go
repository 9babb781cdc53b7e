package models

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bierbench/models/internal/modelstest"
)

func TestDamagedCheckpoints(t *testing.T) { damagedCheckpoints(t, 331) }

// damagedCheckpoints damages a checkpoint of a training and a chosen model, flipping every step-th
// byte. Whoever reads it gets the same model or an error that names the file.
func damagedCheckpoints(t *testing.T, step int) {
	t.Helper()
	c, seeded := tinyConfig(), tinyConfig()
	seeded.Seed++
	dir, other := t.TempDir(), t.TempDir()
	interrupt(t, c, tinyData(), dir, 7)
	interrupt(t, seeded, tinyData(), other, 7) // the same shapes, another training
	foreign, err := os.ReadFile(checkpointPath(other, 7))
	if err != nil {
		t.Fatal(err)
	}
	path := checkpointPath(dir, 7)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := ""
	check := func(m *Model) {
		t.Helper()
		found, err := m.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if digest == "" {
			digest = found
		}
		if found != digest {
			t.Error("another model was read without an error")
		}
	}
	for name, read := range map[string]func() error{
		"continued": func() error {
			m := newTestModel(t, c)
			defer m.Finalize()
			skipped, err := m.Load(dir)
			if errors.Is(err, ErrNoCheckpoint) && len(skipped) == 0 {
				return nil // training starts again, to the same bits
			}
			if err == nil {
				check(m)
			}
			return errors.Join(append(skipped, err)...)
		},
		"chosen": func() error {
			m := newTestModel(t, c)
			defer m.Finalize()
			err := m.LoadChosen(dir, 7)
			if err == nil {
				check(m)
			}
			return errors.Join(err, CheckChosen(dir, 7))
		},
		"exported": func() error {
			m, err := ReadTestModel(dir, c)
			if errors.Is(err, ErrNoCheckpoint) {
				return nil // as the command says
			}
			if err == nil && digest != "" && m.Digest != digest && !sameFile(t, path, foreign) {
				t.Error("another model was read without an error")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, whole, 0o600)); err != nil {
				t.Fatal(err)
			}
			modelstest.Damages(t, path, foreign, step, read)
		})
	}
}

// sameFile reports whether a file has this content: an exported model is compared with the digest of
// its cell by who has the record.
func sameFile(t *testing.T, path string, content []byte) bool {
	t.Helper()
	found, err := os.ReadFile(filepath.Clean(path))
	return err == nil && string(found) == string(content)
}
