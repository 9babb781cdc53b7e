package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

// The states of a Check.
const (
	CheckOK       = "ok"
	CheckOptional = "optional" // missing, but needed by some suites only
	CheckProblem  = "problem"  // bierbench cannot work with it
)

// A Check is one thing that Doctor looked at.
type Check struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"` // what to do, where State is not ok
}

// Diagnosis is everything that Doctor looked at, in the order to show it.
type Diagnosis struct {
	Checks []Check `json:"checks"`
}

// OK reports whether nothing is a problem.
func (d *Diagnosis) OK() bool {
	for _, c := range d.Checks {
		if c.State == CheckProblem {
			return false
		}
	}
	return true
}

// ok adds a check that is ok.
func (d *Diagnosis) ok(name, format string, args ...any) {
	d.Checks = append(d.Checks, Check{Name: name, State: CheckOK, Found: fmt.Sprintf(format, args...)})
}

// fault adds a check that is not ok. A MissingError and a DamagedError have their own fixes.
func (d *Diagnosis) fault(state, name string, err error, fix string) {
	found := err.Error()
	if missing, ok := errors.AsType[*cache.MissingError](err); ok {
		fix, found = missing.Fix, "not installed"
		if missing.Reason != nil {
			found += ": " + missing.Reason.Error()
		}
	}
	if damaged, ok := errors.AsType[*cache.DamagedError](err); ok && damaged.Fix != "" {
		fix, damaged.Fix = damaged.Fix, ""
		found = err.Error()
	}
	d.Checks = append(d.Checks, Check{Name: name, State: state, Found: found, Fix: fix})
}

// Doctor looks at the machine, at what is installed and at the workspace. It hashes the plugin and
// the weights, and installs nothing.
func Doctor(ctx context.Context, w *workspace.Workspace) (*Diagnosis, error) {
	d := &Diagnosis{}
	info, _ := debug.ReadBuildInfo()
	d.ok("bierbench", "%s", workspace.Version(ctx))
	d.ok("go", "%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	d.ok("gomlx", "%s, compute %s, go-xla %s", workspace.ModuleVersion(info, "github.com/gomlx/gomlx"),
		workspace.ModuleVersion(info, "github.com/gomlx/compute"), workspace.ModuleVersion(info, "github.com/gomlx/go-xla"))
	d.ok("cpu", "%s", workspace.Processor())
	checkMemory(w, d)
	if err := w.Cache.Check(); err != nil {
		d.fault(CheckProblem, "cache", err, "set BIERBENCH_CACHE to a folder")
	} else {
		d.ok("cache", "%s", w.Cache.Dir)
	}
	if err := checkBackend(ctx, w, d); err != nil {
		return nil, err
	}
	for _, name := range cache.WeightsNames() {
		found, err := w.Cache.FindWeights(name)
		if err == nil {
			err = found.Verify()
		}
		if err != nil {
			addWeightsFault(d, name, err)
			continue
		}
		d.ok("weights "+name, "%s, SHA-256 %s as recorded", found.Path, shortDigest(found.SHA256))
	}
	checkWorkspace(w, d)
	return d, ctx.Err()
}

// addWeightsFault adds what is wrong with pretrained weights.
func addWeightsFault(d *Diagnosis, name string, err error) {
	state, what := CheckProblem, "weights "+name
	if _, ok := errors.AsType[*cache.MissingError](err); ok {
		state = CheckOptional
	}
	if !slices.Contains(cache.PinnedWeights(), name) {
		name += "=FILE"
	}
	d.fault(state, what, err, fmt.Sprintf(`run "bierbench setup --weights %s"`, name))
}

// checkBackend looks at the plugins, and opens the backend that a run would use.
func checkBackend(ctx context.Context, w *workspace.Workspace, d *Diagnosis) error {
	usable := w.Backend == xla.Go
	if p, err := w.Cache.FindPlugin(); err != nil {
		state := CheckProblem
		if w.Backend == xla.Go || w.Backend == xla.CUDA {
			state = CheckOptional
		}
		d.fault(state, "xla:cpu plugin", err, "")
	} else if err := w.Cache.CheckPlugin(p); err != nil {
		d.fault(CheckProblem, "xla:cpu plugin", err, `run "bierbench setup", which installs it again`)
	} else {
		usable = true
		kind := "of PJRT_PLUGIN_LIBRARY_PATH"
		if p.Pinned {
			kind = "as pinned"
		}
		d.ok("xla:cpu plugin", "%s, %s, SHA-256 %s %s", p.Name, p.Path, shortDigest(p.SHA256), kind)
	}
	if p, err := cache.CUDAPlugin(ctx); err == nil {
		usable = true
		d.ok("xla:cuda plugin", "%s", p.Path)
	} else if ctx.Err() != nil {
		return ctx.Err()
	} else if w.Backend == xla.CUDA {
		d.fault(CheckProblem, "xla:cuda plugin", err, "")
	} else if cache.HasGPU() {
		d.fault(CheckOptional, "xla:cuda plugin", err, "")
	} else {
		d.ok("xla:cuda plugin", "none, and no NVIDIA GPU")
	}
	name := w.Backend
	if name == "" {
		name = "the best there is"
	}
	if !usable {
		d.fault(CheckProblem, "backend", fmt.Errorf("%s cannot be opened without its plugin", name), `run "bierbench setup"`)
		return nil
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		d.fault(CheckProblem, "backend", err, `run "bierbench setup"`)
		return nil
	}
	d.ok("backend", "%s", b.Config)
	d.ok("devices", "%s", b.Device)
	return nil
}

// gib is a gibibyte, in bytes.
const gib = 1 << 30

// checkMemory reads the size of the memory from the kernel, in KiB.
func checkMemory(w *workspace.Workspace, d *Diagnosis) {
	kib := map[string]float64{}
	for key, value := range workspace.ProcFields("/proc/meminfo") {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(value, " kB"), 64); err == nil {
			kib[key] = n
		}
	}
	if kib["MemTotal"] == 0 {
		d.fault(CheckOptional, "memory", errors.New(workspace.Unknown), "nothing to do: /proc/meminfo is not there")
		return
	}
	if limit := float64(workspace.MemoryLimit()); limit > 0 && limit < kib["MemTotal"]*1024 {
		d.ok("memory", "limit of the control group %.1f GiB; the machine has %.1f GiB, %.1f GiB available",
			limit/gib, kib["MemTotal"]*1024/gib, kib["MemAvailable"]*1024/gib)
		return
	}
	d.ok("memory", "%.1f GiB, %.1f GiB available", kib["MemTotal"]*1024/gib, kib["MemAvailable"]*1024/gib)
}

// checkWorkspace checks that the workspace can be written, and lists what it holds.
func checkWorkspace(w *workspace.Workspace, d *Diagnosis) {
	info, err := os.Stat(w.Dir)
	switch {
	case err != nil:
		d.fault(CheckProblem, "workspace", err, "name an existing folder with -C DIR")
		return
	case !info.IsDir():
		d.fault(CheckProblem, "workspace", fmt.Errorf("%s is not a folder", w.Dir), "name a folder with -C DIR")
		return
	case unix.Access(w.Dir, unix.W_OK) != nil:
		d.fault(CheckProblem, "workspace", fmt.Errorf("%s cannot be written", w.Dir), "choose another folder with -C DIR")
		return
	}
	free := workspace.Unknown
	var disk unix.Statfs_t
	if err := unix.Statfs(w.Dir, &disk); err == nil {
		free = fmt.Sprintf("%.1f GiB", float64(disk.Bavail)*float64(disk.Bsize)/gib)
	}
	d.ok("workspace", "%s, %s free", w.Dir, free)
	if prepared, err := datasets.Prepared(w.DatasetsDir()); err != nil {
		d.fault(CheckProblem, "data sets", err, fmt.Sprintf("run %q", w.CommandLine("verify", "NAME")))
	} else {
		var names []string
		for _, e := range prepared {
			names = append(names, e.Set+"/"+e.Variant)
		}
		d.ok("data sets", "%s", orNone(names, fmt.Sprintf("none; %q prepares them", w.CommandLine("ingest", "NAME", "--raw", "DIR"))))
	}
	checkImports(w, d)
	if list, err := w.Runs().List(); err != nil {
		d.fault(CheckProblem, "runs", err, fmt.Sprintf("run %q", w.CommandLine("list")))
	} else {
		var names []string
		for _, r := range list {
			names = append(names, r.ID)
		}
		d.ok("runs", "%s", orNone(names, "none"))
	}
}

// checkImports reads all imported features, and says nothing where there are none.
func checkImports(w *workspace.Workspace, d *Diagnosis) {
	all, broken, err := backbones.Imports(w.FeaturesDir())
	if err != nil {
		broken = append(broken, err)
	}
	for _, b := range broken {
		d.fault(CheckProblem, "imported features", b, fmt.Sprintf("run %q", w.CommandLine("features", "import", "--help")))
	}
	for _, i := range all {
		entry := datasets.Entry{Set: i.Set, Variant: i.Variant}
		if _, err := backbones.ReadImported(w.FeaturesDir(), i); err != nil {
			d.fault(CheckProblem, i.Backbone(), err, plan.ImportCommand(w, i.Name, entry))
			continue
		}
		d.ok(i.Backbone(), "%d images of %s/%s, width %d, SHA-256 %s", i.Images, i.Set, i.Variant, i.Features.Width,
			shortDigest(i.Features.Digest))
	}
}

// orNone joins names by commas; none stands for no names.
func orNone(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// shortDigest returns the beginning of a digest, enough to tell it by eye.
func shortDigest(digest string) string {
	return digest[:min(12, len(digest))]
}
