package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/reports"
)

// commandLine runs one command line in this process, in an empty workspace.
func commandLine(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return commandLineIn(t, t.TempDir(), args...)
}

// commandLineIn runs one command line in this process, in a workspace.
func commandLineIn(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	output := t.TempDir()
	var files [2]*os.File
	for i, name := range []string{"stdout", "stderr"} {
		f, err := os.Create(filepath.Join(output, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	code = execute(t.Context(), files[0], files[1], append(args, "-C", dir))
	var text [2]string
	for i, f := range files {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(data)
	}
	return text[0], text[1], code
}

// Every command says what it does and shows an example that it accepts.
func TestHelp(t *testing.T) {
	root := newRootCommand(&app{})
	all := []*cobra.Command{root}
	for _, cmd := range root.Commands() {
		all = append(append(all, cmd), cmd.Commands()...)
	}
	for _, cmd := range all {
		t.Run(cmd.Name(), func(t *testing.T) {
			if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
				t.Errorf("short help %q; want a line without a full stop", cmd.Short)
			}
			if !cmd.Runnable() {
				out, _, code := commandLine(t, "help", cmd.Name())
				if code != exitOK || cmd.Long == "" || !strings.Contains(out, cmd.Long) {
					t.Errorf("code %d, help on a topic:\n%s", code, out)
				}
				return
			}
			if cmd.Example == "" {
				t.Fatal("no example")
			}
			own := false
			for line := range strings.Lines(cmd.Example) {
				words := strings.Fields(line)
				if words[0] != "bierbench" || !strings.HasPrefix(line, "  bierbench ") {
					t.Errorf("example %q; want two spaces and a command line", line)
					continue
				}
				fresh := newRootCommand(&app{})
				named, rest, err := fresh.Find(words[1:])
				if err != nil {
					t.Errorf("%q: %v", line, err)
					continue
				}
				own = own || cmd == root || named.Name() == cmd.Name()
				if err := named.ParseFlags(rest); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				if err := named.ValidateArgs(named.Flags().Args()); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
			if !own {
				t.Errorf("no example of the command itself:\n%s", cmd.Example)
			}
			out, _, code := commandLine(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			if code != exitOK || !strings.Contains(out, "Examples:") || !strings.Contains(out, "Usage:") {
				t.Errorf("code %d, help:\n%s", code, out)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out, stderr, code := commandLine(t, "completion", shell)
		if code != exitOK || stderr != "" || !strings.Contains(out, "bierbench") {
			t.Errorf("%s: code %d, %d bytes, %s", shell, code, len(out), stderr)
		}
	}
}

// With --json, stdout of a command without events is one JSON value whatever
// happens. TestEvents has the others.
func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
	}{
		{"a result", []string{"list"}, exitOK},
		{"a failure", []string{"show", "nothing"}, exitFailed},
		{"a mistake", []string{"diff", "one", "two", "--base", "bier"}, exitUsage},
		{"no command", nil, exitUsage},
		{"unknown command", []string{"frobnicate"}, exitUsage},
		{"a result and a failure", []string{"doctor", "--backend", "xla:cuda"}, exitFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir()) // no python3, so no CUDA plugin
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
			out, stderr, code := commandLine(t, append([]string{"--json"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("code %d, want %d", code, tt.code)
			}
			if !json.Valid([]byte(out)) {
				t.Errorf("stdout is not one JSON value:\n%s", out)
			}
			if stderr != "" && !json.Valid([]byte(stderr)) {
				t.Errorf("stderr:\n%s", stderr)
			}
		})
	}
}

// Only a command that keeps what it has finished says so when it is interrupted.
func TestKeeps(t *testing.T) {
	for _, tt := range []struct {
		line string
		want bool
	}{
		{"run quick", true},
		{"demo", true},
		{"submit quick", true},
		{"ingest cub", true}, // whole parts
		{"plan quick", false},
		{"plan quick --probe", true}, // what was measured
		{"show quick --follow", false},
		{"verify cub", false},
		{"verify-resume quick", false}, // it works in a folder that it removes
		{"rescore quick", false},
	} {
		cmd, rest, err := newRootCommand(&app{}).Find(strings.Fields(tt.line))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if got := err == nil && keeps(cmd); err != nil || got != tt.want {
			t.Errorf("%s: %v, %t, want %t", tt.line, err, got, tt.want)
		}
	}
}

// What demo prints names its report, and no next command: the report is there.
func TestPrintDemo(t *testing.T) {
	var out strings.Builder
	err := printDemo(&out, &pipeline.DemoResult{
		Report: &reports.Report{}, Run: &pipeline.RunResult{Run: "demo", Cells: 2, Done: 2}, Files: []string{"reports/demo/report.html"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasSuffix(got, "report: reports/demo/report.html\n") || strings.Contains(got, "next:") {
		t.Errorf("got\n%s", got)
	}
}
