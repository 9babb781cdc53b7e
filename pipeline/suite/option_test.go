package suite

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// Constants merge by their names: those of a method into those of its block, and those of --set and
// of the item of an include into both. A constant that is not named keeps its value.
func TestConstants(t *testing.T) {
	const text = `
- datasets: cub
  backbone: lite0
  mode: frozen
  methods:
    - bier
    - {label: own, method: bier, constants: {alpha: 5, C: 1e1}}
  constants: {alpha: 1e-1, beta: 0.25}
`
	s, err := Parse("s", "s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	check := func(s *Suite, label string, want map[string]float64) {
		t.Helper()
		if got := configOf(t, s, label, 512).Constants; !maps.Equal(got, want) {
			t.Errorf("%s: constants %v, want %v", label, got, want)
		}
	}
	check(s, "bier", map[string]float64{"alpha": 0.1, "beta": 0.25})
	check(s, "own", map[string]float64{"alpha": 5, "beta": 0.25, "C": 10})
	if err = s.Set("constants={alpha: 1e5}"); err != nil {
		t.Fatal(err)
	}
	check(s, "bier", map[string]float64{"alpha": 1e5, "beta": 0.25})
	check(s, "own", map[string]float64{"alpha": 1e5, "beta": 0.25, "C": 10})
	if err = s.Set("constants={gamma: 1}"); err == nil || err.Error() != `--set constants={gamma: 1}: constants: the loss binomial_deviance of method bier has no "gamma"; it has alpha, beta, C` {
		t.Errorf("an unknown constant: %v", err)
	}

	dir := t.TempDir()
	for name, content := range map[string]string{"inner.yaml": text, "outer.yaml": "- include: inner.yaml\n  constants: {C: 7, beta: .5}\n"} {
		if err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = Load(filepath.Join(dir, "outer.yaml")); err != nil {
		t.Fatal(err)
	}
	check(s, "bier", map[string]float64{"alpha": 0.1, "beta": 0.5, "C": 7})
	check(s, "own", map[string]float64{"alpha": 5, "beta": 0.5, "C": 7})
	data, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("outer", "again.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	check(again, "own", map[string]float64{"alpha": 5, "beta": 0.5, "C": 7})
}
