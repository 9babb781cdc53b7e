package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// initialSteps are three of an initialisation of three learners.
func initialSteps() []InitialStep {
	return []InitialStep{
		{Step: 0, Loss: 30, Pairs: []float64{1, 2, 3}, Norms: []float64{0.5, 0.25, 0.25}, Seconds: 0.5},
		{Step: 1, Loss: 8, Pairs: []float64{1, 1, 1}, Norms: []float64{0.25, 0, 0}, Regressors: 0.125, Seconds: 1},
		{
			Step: 2, Loss: 2, Pairs: []float64{0.5, 0.5, 0.5}, Norms: []float64{0, 0, 0}, Seconds: 1.5,
			End: &InitialEnd{Images: 80, Converged: true},
		},
	}
}

// What is written is read again, and the summary is of its first and last line.
func TestInitialisation(t *testing.T) {
	path := filepath.Join(t.TempDir(), initialisationFile)
	want := initialSteps()
	if err := WriteInitialisation(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadInitialisation(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	summary := &Initialisation{
		Loss: "activation", Images: 80, Steps: 2, Converged: true, First: 30, Last: 2,
		Pairs: [2]float64{6, 1.5}, Norms: [2]float64{1, 0}, Seconds: 1.5,
	}
	if diff := cmp.Diff(summary, InitialisationOf("activation", got)); diff != "" {
		t.Error(diff)
	}
	if err := WriteInitialisation(path, want[:2]); err == nil {
		t.Error("steps without an end were written")
	}
	if again, err := ReadInitialisation(path); err != nil || len(again) != len(want) {
		t.Errorf("what was there is gone: %d steps, %v", len(again), err)
	}
}

// The file appears whole or not at all, so one that is not whole was changed.
func TestReadInitialisationRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), initialisationFile)
	if err := WriteInitialisation(path, initialSteps()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for name, c := range map[string]struct{ content, want string }{
		"empty":        {"", ":0: no end"},
		"no end":       {lines[0] + lines[1], ":2: no end"},
		"a line short": {lines[0] + lines[2], ":2: step 2, want 1"},
		"cut":          {lines[0] + lines[1][:20], ":2: "},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadInitialisation(path); err == nil || !strings.Contains(err.Error(), path+c.want) {
			t.Errorf("%s: %v, want %q after the file's name", name, err, c.want)
		}
	}
	if _, err := ReadInitialisation(path + "x"); err == nil {
		t.Error("a file that is not there was read")
	}
}
