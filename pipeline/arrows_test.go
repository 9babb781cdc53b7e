package pipeline

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArrows pins which package may import which. The command stands on the
// pipeline and may use the types of the packages below it; the pipeline joins
// the four packages that do the work; reports read run records. The others know
// nothing of each other, and nothing points back up.
func TestArrows(t *testing.T) {
	allowed := map[string][]string{
		"pipeline/cmd": {"pipeline", "datasets", "models", "runs", "reports"},
		"pipeline":     {"datasets", "models", "runs", "reports"},
		"reports":      {"runs"},
		"datasets":     {},
		"models":       {},
		"runs":         {},
	}
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"/...")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p struct {
			ImportPath string
			Imports    []string // of the non-test files
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := part(p.ImportPath)
		may, ok := allowed[from]
		if !ok {
			t.Errorf("%s belongs to no known part", p.ImportPath)
			continue
		}
		seen[from] = true
		for _, imported := range p.Imports {
			to := part(imported)
			if to != "" && to != from && !slices.Contains(may, to) {
				t.Errorf("%s imports %s; %s may import %q", p.ImportPath, imported, from, may)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("no package of %s was looked at", name)
		}
	}
}

// part returns the part of bierbench that a package belongs to: its folder at
// the top, or pipeline/cmd. It is empty for the packages of other modules.
func part(importPath string) string {
	path, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	if path == "pipeline/cmd" || strings.HasPrefix(path, "pipeline/cmd/") {
		return "pipeline/cmd"
	}
	top, _, _ := strings.Cut(path, "/")
	return top
}
