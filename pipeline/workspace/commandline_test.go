package workspace

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bierbench/models/xla"
)

// What a command line is shown as, a shell takes apart into the same words.
func TestShellLine(t *testing.T) {
	for _, args := range [][]string{
		{"run", "quick"},
		{"run", "my suite.yaml", "--set", "seeds=[0,1]", "--only", "bier-*"},
		{"run", "", "it's", `back\slash`, "$HOME", "`date`", "a\nb", "~", "#x", "Straße"},
	} {
		line := ShellLine(append([]string{"bierbench"}, args...)...)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "bierbench() { printf '%s\\0' \"$@\"; }; "+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, args) {
			t.Errorf("%s: the shell reads %q, want %q", line, got, args)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		w     Workspace
		words []string
		want  string
	}{
		{"the folder at hand needs no flag", Workspace{}, []string{"report", "mine"}, "bierbench report mine"},
		{"another folder", Workspace{Dir: "../ws"}, []string{"report", "mine"}, "bierbench -C ../ws report mine"},
		{"a folder that a shell would split", Workspace{Dir: "my ws"}, []string{"list"}, "bierbench -C 'my ws' list"},
		{
			"what computes is done on the same backend",
			Workspace{Backend: xla.CUDA, Devices: 2, GPUMemory: 0.5},
			[]string{"run", "mine.yaml"},
			"bierbench --backend xla:cuda --devices 2 --gpu-memory 0.5 run mine.yaml",
		},
		{"what reads has no backend", Workspace{Backend: xla.Go, Devices: 2}, []string{"report", "mine"}, "bierbench report mine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := New(tt.w).CommandLine(tt.words...); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What a message of the pipeline tells a person to type comes from CommandLine: a
// command line that is written out loses the workspace. setup has none, and a page
// of a report is read elsewhere.
func TestHintsAreCommandLines(t *testing.T) {
	// In quotes inside a string, as messages have it.
	written := regexp.MustCompile("(\\\\\"|`[^`]*\")bierbench " +
		`(run|submit|status|show|report|diff|evaluate|rescore|ingest|verify|inspect|plan|list)\b`)
	for _, pattern := range []string{"../*.go", "../*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 10 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "pictures.go" {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(source), "\n") {
				if hint := written.FindString(line); hint != "" && !strings.HasPrefix(strings.TrimSpace(line), "//") {
					t.Errorf("%s:%d: %s... is written out; use Workspace.CommandLine", file, i+1, hint)
				}
			}
		}
	}
}
