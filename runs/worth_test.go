package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Worth comes back as it was written, and is of one file of embeddings: with others in the record it
// is as if it had not been computed.
func TestWorth(t *testing.T) {
	r, c := sealedRun(t, "r", 1)
	if got, err := r.Worth(c); got != nil || err != nil {
		t.Fatalf("none written: %v, %v", got, err)
	}
	want := []WorthEvaluation{{Protocol: "cub-loo", At: AtLast, Points: []WorthPoint{{
		Dimensions: 2, Form: "int8", Bytes: 6, Metrics: map[string]float64{"R@1": 0.5}, Bounds: map[string][2]float64{"R@1": {0.25, 0.75}},
	}}}}
	if err := r.WriteWorth(c, want); err != nil {
		t.Fatal(err)
	}
	got, err := r.Worth(c)
	if err != nil || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	if diff := cmp.Diff(want, got.Evaluations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	other := c
	other.Files = map[string]string{embeddingsFile: strings.Repeat("0", 64)}
	if got, err = r.Worth(other); got != nil || err != nil {
		t.Errorf("of other embeddings: %v, %v", got, err)
	}
	other.Files = nil
	if err = r.WriteWorth(other, want); err == nil || !strings.Contains(err.Error(), "no digest") {
		t.Errorf("a record without digests: %v", err)
	}
	file := filepath.Join(r.CellDir(c.Key), worthFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ change, want string }{
		"changed":     {strings.Replace(string(text), "0.5", "0.6", 1), "does not match its seal"},
		"cut":         {string(text[:len(text)/2]), "worth.json"},
		"no seal":     {`{"schema": 1}`, "it has no seal"},
		"other cells": {string(text), "it is of cell"},
	} {
		if err := os.WriteFile(file, []byte(tt.change), 0o644); err != nil {
			t.Fatal(err)
		}
		cell := c
		if name == "other cells" {
			if cell.Seed++; os.Rename(r.CellDir(c.Key), r.CellDir(cell.Key)) != nil {
				t.Fatal("rename")
			}
		}
		if _, err := r.Worth(cell); err == nil || !IsBroken(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want a broken record and %q", name, err, tt.want)
		}
		if name == "other cells" {
			if err := os.Rename(r.CellDir(cell.Key), r.CellDir(c.Key)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
