package workspace

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/runs"
)

// Environment returns what a cell runs on: the program, the machine and, where it is open, the
// backend. weights is the SHA-256 of the pretrained weights, empty where there are none.
func (w *Workspace) Environment(ctx context.Context, weights string) runs.Environment {
	e := w.buildEnvironment(ctx)
	e.CPU, e.Weights, e.Command, e.Variables = Processor(), weights, w.Command, w.variables
	if host, err := os.Hostname(); err == nil {
		e.Host = host
	}
	if b := w.open; b != nil {
		e.Plugin, e.Backend, e.Device, e.Devices = b.Plugin, b.Config, b.Device, b.Devices
	}
	return e
}

// buildEnvironment returns the part of the environment that belongs to the program. It is looked up
// once: git takes longer than the evaluation of a small cell.
func (w *Workspace) buildEnvironment(ctx context.Context) runs.Environment {
	if w.built == nil {
		info, _ := debug.ReadBuildInfo()
		e := runs.Environment{Go: runtime.Version(), Commit: commit(ctx, info), Modules: map[string]string{}}
		for _, path := range numericModules() {
			e.Modules[path] = ModuleVersion(info, path)
		}
		e.GoMLX = e.Modules["github.com/gomlx/gomlx"]
		w.built = &e
	}
	return *w.built
}

// ExpectedEnvironment returns the environment that cells would have now, as far as it is known
// without opening the backend. A plugin that is not pinned is left out: hashing it takes too long
// for a plan.
func (w *Workspace) ExpectedEnvironment(ctx context.Context) runs.Environment {
	e := w.buildEnvironment(ctx)
	e.Devices, e.Variables = w.Devices, w.variables
	switch {
	case w.open != nil:
		e.Backend, e.Plugin = w.open.Config, w.open.Plugin
	case w.Backend == xla.CPU, w.Backend == "" && !cache.HasGPU():
		e.Backend = xla.CPU
		if p, err := w.Cache.FindPlugin(); err == nil && p.Pinned {
			e.Plugin = p.String()
		}
	default:
		e.Backend = w.Backend
	}
	return e
}

// numericModules returns the modules whose code takes part in the numbers of a cell.
func numericModules() []string {
	return []string{
		"github.com/gomlx/gomlx", "github.com/gomlx/compute", "github.com/gomlx/go-xla", "github.com/apache/arrow/go/v15",
		"github.com/nlpodyssey/gopickle", "golang.org/x/image",
	}
}

// Version returns the version of this build of bierbench: a release or devel, and the commit where
// it is known.
func Version(ctx context.Context) string {
	info, _ := debug.ReadBuildInfo()
	version := "devel"
	if info != nil && info.Main.Path == ModulePath && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	if c := commit(ctx, info); c != Unknown {
		version += " (" + c + ")"
	}
	return version
}

// ModulePath is the path of bierbench's module. It is also the name of the program.
const ModulePath = "bierbench"

// Unknown is the text for what could not be found out.
const Unknown = "unknown"

// ModuleVersion returns the version of a module that this program was built with, or Unknown.
func ModuleVersion(info *debug.BuildInfo, path string) string {
	if info == nil {
		return Unknown
	}
	for _, d := range info.Deps {
		if d.Path != path {
			continue
		}
		if d.Replace != nil {
			return fmt.Sprintf("%s => %s %s", d.Version, d.Replace.Path, d.Replace.Version)
		}
		return d.Version
	}
	return Unknown
}

// commit returns the revision that this program was built from, with +dirty where files differ from
// it. It is the one that the Go command stamped, or else that of the checkout around the working
// directory.
func commit(ctx context.Context, info *debug.BuildInfo) string {
	var revision string
	dirty := false
	if info != nil && info.Main.Path == ModulePath {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
	}
	if revision == "" {
		dir, ok := checkout()
		if !ok {
			return Unknown
		}
		head, err := git(ctx, dir, "rev-parse", "HEAD")
		if err != nil {
			return Unknown
		}
		status, err := git(ctx, dir, "status", "--porcelain")
		revision, dirty = head, err != nil || status != ""
	}
	if dirty {
		revision += "+dirty"
	}
	return revision
}

// checkout returns the nearest folder at or above the working directory with a go.mod, where that
// is bierbench's own: a workspace inside the repository of another project must not take that one's
// commit.
func checkout() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, bytes.HasPrefix(content, []byte("module "+ModulePath+"\n"))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// git returns what a git command prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-optional-locks"}, args...)...)
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(output)), nil
}

// Processor returns the model of the processor and the number of logical cores that Go may use, in
// words.
func Processor() string {
	return processorFrom("/proc/cpuinfo")
}

func processorFrom(path string) string {
	model := runtime.GOARCH
	for key, value := range ProcFields(path) {
		if key == "model name" {
			model = value
			break
		}
	}
	cores := "cores"
	if runtime.NumCPU() == 1 {
		cores = "core"
	}
	return fmt.Sprintf("%s, %d %s", model, runtime.NumCPU(), cores)
}

// ProcFields yields the "key: value" lines of a file in /proc. It yields none where the file cannot
// be read.
func ProcFields(path string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		content, err := os.ReadFile(path)
		if err != nil {
			return
		}
		for s := bufio.NewScanner(bytes.NewReader(content)); s.Scan(); {
			key, value, ok := strings.Cut(s.Text(), ":")
			if ok && !yield(strings.TrimSpace(key), strings.TrimSpace(value)) {
				return
			}
		}
	}
}
