package workspace

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"bierbench/models/xla"
)

func TestEnvironment(t *testing.T) {
	w := New(Workspace{Dir: t.TempDir()})
	w.open = &xla.Backend{Config: "go", Device: "host"}
	e := w.Environment(t.Context(), "ab")
	if !strings.HasPrefix(e.Go, "go1.") || e.Backend != "go" || e.Device != "host" || e.Weights != "ab" {
		t.Errorf("got %+v", e)
	}
	// The Go command does not tell a test binary its dependencies.
	if e.CPU == "" || e.Commit == "" || e.GoMLX == "" {
		t.Errorf("got %+v", e)
	}
}

func TestCommit(t *testing.T) {
	stamped := func(path, revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: path}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified},
		}}
	}
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"clean", stamped("bierbench", "abc", "false"), "abc"},
		{"changed", stamped("bierbench", "abc", "true"), "abc+dirty"},
		{"stamp of a program that uses bierbench", stamped("other", "abc", "false"), Unknown},
		{"no stamp, no checkout", nil, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := commit(t.Context(), tt.info); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// Another project's module around the working directory is not a checkout.
	if err := os.WriteFile("go.mod", []byte("module other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if dir, ok := checkout(); ok {
		t.Errorf("%s was taken for a checkout of bierbench", dir)
	}
}

func TestProcessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpuinfo")
	if err := os.WriteFile(path, []byte("processor\t: 0\nmodel name\t: A CPU @ 2.0GHz: fast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := processorFrom(path); !strings.HasPrefix(got, "A CPU @ 2.0GHz: fast, ") {
		t.Errorf("got %q", got)
	}
	if got := processorFrom(filepath.Join(t.TempDir(), "absent")); got == "" {
		t.Error("a machine without /proc has no name")
	}
}
