package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What a command line is shown as, a shell takes apart into the same words.
func TestShellCommand(t *testing.T) {
	for _, args := range [][]string{
		{"run", "quick"},
		{"run", "my suite.yaml", "--set", "seeds=[0,1]", "--only", "bier-*"},
		{"run", "", "it's", `back\slash`, "$HOME", "`date`", "a\nb", "~", "#x", "Straße"},
	} {
		line := shellCommand(args)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "bierbench() { printf '%s\\0' \"$@\"; }; "+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, args) {
			t.Errorf("%s: the shell reads %q, want %q", line, got, args)
		}
	}
}
