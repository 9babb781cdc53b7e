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

// arrows says which packages of bierbench each package may import. A pattern
// that ends in "/..." stands for a package and everything below it.
func arrows() map[string][]string {
	return map[string][]string{
		"datasets":                          {"datasets/internal/matfile", "datasets/internal/mini"},
		"datasets/internal/matfile":         {},
		"datasets/internal/matfile/mattest": {"datasets/internal/matfile"},
		"datasets/internal/mini":            {"datasets/internal/matfile/mattest"},

		"models/cache":               {},
		"models/internal/sealed":     {},
		"models/internal/onnx":       {},
		"models/xla":                 {"models/cache"},
		"models/losses":              {"models/xla"},
		"models/retrieval":           {"models/xla"},
		"models/backbones":           {"models/xla", "models/cache", "models/internal/sealed", "models/internal/onnx"},
		"models/internal/modelstest": {"models/xla", "models/cache"}, // which tests alone import
		"models":                     {"models/losses", "models/backbones", "models/xla", "models/internal/sealed", "models/internal/onnx"},

		"runs/internal/paired":   {},
		"runs":                   {"runs/internal/paired"},
		"reports/internal/table": {"runs"},
		"reports/internal/chart": {"reports/internal/table"},
		"reports":                {"runs", "reports/internal/table", "reports/internal/chart"},

		"pipeline/vectors":         {},
		"pipeline/internal/claims": {},
		"pipeline/suite":           {"datasets", "models", "models/backbones", "models/losses"},
		"pipeline/workspace":       {"datasets", "models/xla", "models/cache", "runs"},
		"pipeline/plan": {
			"datasets", "models", "models/backbones", "models/cache", "runs",
			"pipeline/suite", "pipeline/workspace", "pipeline/internal/claims",
		},
		"pipeline/cost": {
			"datasets", "models", "models/...", "runs",
			"pipeline/plan", "pipeline/workspace", "pipeline/internal/claims",
		},
		"pipeline/export": {"runs"},
		"pipeline": {
			"datasets", "models", "models/...", "runs", "reports",
			"pipeline/suite", "pipeline/workspace", "pipeline/plan", "pipeline/cost", "pipeline/export", "pipeline/vectors",
			"pipeline/internal/claims",
		},
		"pipeline/submit": {
			"models", "models/backbones", "models/xla", "runs", "pipeline",
			"pipeline/suite", "pipeline/workspace", "pipeline/plan", "pipeline/cost", "pipeline/internal/claims",
		},
		"pipeline/cmd/bierbench": {"datasets", "models/...", "runs", "reports", "pipeline/..."},
	}
}

// TestArrows pins which package may import which. The command stands on the
// pipeline and may use the types of the packages below it; the pipeline joins
// the four packages that do the work; reports read run records. The others know
// nothing of each other, and nothing points back up.
func TestArrows(t *testing.T) {
	const module = "bierbench/"
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"...")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := arrows()
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
		from := strings.TrimPrefix(p.ImportPath, module)
		may, ok := allowed[from]
		if !ok {
			t.Errorf("%s: no arrow is stated for this package", p.ImportPath)
			continue
		}
		seen[from] = true
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(may, func(pattern string) bool { return covers(pattern, to) }) {
				t.Errorf("%s imports %s; it may import %q", from, to, may)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("package %s has arrows and is not there", name)
		}
	}
}

// covers reports whether a pattern of arrows stands for a package.
func covers(pattern, path string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return path == root || below && strings.HasPrefix(path, root+"/")
}
