package xla

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/gobackend"
	goxla "github.com/gomlx/go-xla/compute/xla"

	"bierbench/models/cache"
)

// The backends that Open knows.
const (
	CPU  = "xla:cpu"
	CUDA = "xla:cuda"
	Go   = "go"
)

// A Backend is an open GoMLX backend and what is known about it.
// Close it with Finalize.
type Backend struct {
	compute.Backend
	Config string // xla:cpu, xla:cuda or go
	Device string // how many devices there are and what the first one is: 4 x cpu
	Plugin string // name and SHA-256 of the PJRT plugin; empty for go

	Devices int // how many devices share the work, at least 1

	PluginPath string // the plugin's file; empty for go

	// Patience is how long the device may take over one computation before Log gets a warning,
	// which is repeated after each further Patience; 0 watches nothing.
	Patience time.Duration
	Log      *slog.Logger

	hashed *hashed // nil if the plugin was hashed before it was loaded

	mutex sync.Mutex
	kept  map[string]keptValue // by slot

	meshOnce sync.Once
	mesh     *distributed.DeviceMesh // of the devices that share the work
	meshErr  error
}

// Finalize frees the backend's programs and the backend itself.
func (b *Backend) Finalize() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, k := range b.kept {
		_ = k.value.Close() // the backend goes with its memory
	}
	b.kept = nil
	_ = b.hashed.wait() // it reads the plugin's file
	b.Backend.Finalize()
}

// keptValue is what a slot of a backend holds.
type keptValue struct {
	key   string // names everything that decides the value
	value io.Closer
}

// Keep returns the value that the slot holds for key. If the slot is empty, or holds the value of
// another key, which is closed first, Keep calls open and keeps its result. So a compiled program
// outlives the call that needs it: many cells of a suite use the same one. Finalize closes the
// remaining values.
func (b *Backend) Keep(slot, key string, open func() (io.Closer, error)) (io.Closer, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if k, ok := b.kept[slot]; ok {
		if k.key == key {
			return k.value, nil
		}
		delete(b.kept, slot)
		if err := k.value.Close(); err != nil {
			return nil, err
		}
	}
	value, err := open()
	if err != nil {
		return nil, err
	}
	if b.kept == nil {
		b.kept = map[string]keptValue{}
	}
	b.kept[slot] = keptValue{key, value}
	return value, nil
}

// Options say which backend to open and which of its resources to use.
type Options struct {
	// Config is xla:cpu, xla:cuda, go, or empty for CUDA if there are a plugin and a GPU, else the
	// CPU.
	Config string
	// Devices is how many devices share the work of a step, of features and of an evaluation, from
	// 1 to all devices of the backend.
	Devices int
	// GPUMemory is the largest fraction of each GPU's memory that is taken, above 0 and up to 1; 0
	// leaves it to the plugin (XLA takes up to 0.75). In any case memory is taken as it is needed.
	// The setting is for CUDA alone.
	GPUMemory float64
}

// CheckGPUMemory returns an error if fraction is not in [0, 1], or if it is above 0 and config, a
// backend's name or empty, is that of a backend without a GPU.
func CheckGPUMemory(fraction float64, config string) error {
	switch {
	case fraction == 0:
		return nil
	case !(fraction > 0 && fraction <= 1): // NaN too
		return fmt.Errorf("a GPU memory of %g: want a fraction above 0 and up to 1", fraction)
	case config != CUDA && config != "":
		return fmt.Errorf("a GPU memory of %g is for %s, the backend is %s", fraction, CUDA, config)
	}
	return nil
}

// Open opens a backend. It installs the pinned CPU plugin into the cache if it needs one and there
// is none. The caller frees the backend with Finalize.
func Open(ctx context.Context, o Options, folder cache.Cache, log *slog.Logger) (*Backend, error) {
	if err := CheckGPUMemory(o.GPUMemory, o.Config); err != nil {
		return nil, err
	}
	b, err := openBackend(ctx, o, folder, log)
	if err != nil {
		return nil, err
	}
	if available := b.NumDevices(); o.Devices < 1 || o.Devices > available {
		b.Finalize()
		return nil, fmt.Errorf("%d devices: want 1 to %d, backend %s has no more", o.Devices, available, b.Config)
	}
	b.Devices, b.Patience, b.Log = o.Devices, DefaultPatience, log
	return b, nil
}

func openBackend(ctx context.Context, o Options, folder cache.Cache, log *slog.Logger) (*Backend, error) {
	switch o.Config {
	case Go:
		// Nodes run one after the other. As tasks of the worker pool they would wait in it for
		// their own parts, for ever on a machine with few cores.
		b, err := gobackend.New("ops_sequential")
		if err != nil {
			return nil, fmt.Errorf("open backend go: %w", err)
		}
		return &Backend{Backend: b, Config: Go, Device: "host"}, nil
	case CPU:
		return openCPU(ctx, folder, log)
	case CUDA:
		return openCUDA(ctx, o.GPUMemory, log)
	case "":
		if !cache.HasGPU() {
			if err := CheckGPUMemory(o.GPUMemory, CPU); err != nil {
				return nil, err
			}
			return openCPU(ctx, folder, log)
		}
		b, err := openCUDA(ctx, o.GPUMemory, log)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if o.GPUMemory > 0 { // a user who limits the GPU's memory means to use it
			return nil, err
		}
		log.Warn("the GPU is not used", "reason", err)
		return openCPU(ctx, folder, log)
	default:
		return nil, fmt.Errorf("backend %q is not one of %q", o.Config, []string{CPU, CUDA, Go})
	}
}

func openCPU(ctx context.Context, folder cache.Cache, log *slog.Logger) (*Backend, error) {
	plugin, err := folder.Plugin(ctx, log)
	if err != nil {
		return nil, err
	}
	pending := hash(func() error { return folder.CheckPluginQuickly(plugin) })
	b, err := openPlugin(ctx, CPU, plugin, 0, log)
	if err != nil {
		return nil, errors.Join(pending.wait(), err)
	}
	b.hashed = pending
	return b, nil
}

func openCUDA(ctx context.Context, memory float64, log *slog.Logger) (*Backend, error) {
	plugin, err := cache.CUDAPlugin(ctx)
	if err != nil {
		return nil, err
	}
	log.Debug("found a CUDA plugin", "file", plugin.Path)
	if err := prepareCUDA(plugin.Path); err != nil {
		return nil, err
	}
	return openPlugin(ctx, CUDA, plugin, memory, log)
}

// openPlugin creates the client of a plugin. GoMLX reads
// PJRT_PLUGIN_LIBRARY_PATH and GOMLX_NO_AUTO_INSTALL when the program starts,
// so the plugin is given by its absolute path, which also keeps GoMLX from
// installing another one.
func openPlugin(ctx context.Context, config string, plugin cache.Plugin, memory float64, log *slog.Logger) (*Backend, error) {
	if err := checkPluginPath(config, plugin.Path); err != nil {
		return nil, err
	}
	goxla.EnableAutoInstall(false)
	if log.Enabled(ctx, slog.LevelDebug) {
		// GoMLX has set this to 2, errors only, unless it was set.
		if err := os.Setenv("TF_CPP_MIN_LOG_LEVEL", "0"); err != nil {
			return nil, err
		}
	}
	var client compute.Backend
	err := Catch("open backend "+config, func() {
		var err error
		if client, err = goxla.New(clientConfig(config, plugin.Path, memory)); err != nil {
			panic(err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w; run \"bierbench doctor\"", err)
	}
	if client.NumDevices() < 1 {
		client.Finalize()
		return nil, fmt.Errorf("open backend %s: plugin %s has no device", config, plugin.Path)
	}
	return &Backend{
		Backend: client,
		Config:  config,
		Device:  fmt.Sprintf("%d x %s", client.NumDevices(), deviceName(client, "/proc/driver/nvidia/gpus/*/information")),
		Plugin:  plugin.String(),

		PluginPath: plugin.Path,
	}, nil
}

// checkPluginPath returns an error for a path that GoMLX would misread: options begin after a
// comma, and a plugin with cuda or nvidia anywhere in its path gets options that the CPU plugin
// does not accept.
func checkPluginPath(config, path string) error {
	if !filepath.IsAbs(path) || strings.Contains(path, ",") {
		return fmt.Errorf("plugin %s: want an absolute path without a comma; choose another folder with BIERBENCH_CACHE", path)
	}
	if lower := strings.ToLower(path); config == CPU && (strings.Contains(lower, "cuda") || strings.Contains(lower, "nvidia")) {
		return fmt.Errorf("plugin %s: want a path without cuda and nvidia, by which GoMLX tells a GPU's plugin; choose "+
			"another folder with BIERBENCH_CACHE", path)
	}
	return nil
}

// clientConfig returns what GoMLX is told about a plugin's client: the library's absolute path and
// options. memory is Options.GPUMemory.
func clientConfig(config, path string, memory float64) string {
	if config == CPU {
		return path + ",shared_buffers" // the device's memory is the host's: tensors need no copy
	}
	// Without this option one process would take the GPU's memory for itself.
	path += ",preallocate=false"
	if memory > 0 {
		path += fmt.Sprintf(",memory_fraction=%g", memory)
	}
	return path
}

// deviceName returns the name of the first device: cpu, or a GPU's model. Plugins call a GPU
// cuda:0; its model is in the driver's files, which match the pattern driver.
func deviceName(b compute.Backend, driver string) string {
	name, _, _ := strings.Cut(b.DeviceDescription(0), " ")
	name, _, _ = strings.Cut(name, ":")
	if name == "cpu" {
		return name
	}
	files, err := filepath.Glob(driver)
	if err != nil || len(files) == 0 {
		return name
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return name
	}
	for line := range strings.Lines(string(content)) {
		if model, ok := strings.CutPrefix(line, "Model:"); ok {
			return strings.TrimSpace(model)
		}
	}
	return name
}

// Catch runs f and returns its panic as an error that says what was being done. Graph-building
// functions panic when they cannot go on: this is the one boundary at which that becomes an error.
// A programmer's mistake (nil dereference, index out of range) stays a panic.
func Catch(what string, f func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			panic(v)
		case error:
			err = fmt.Errorf("%s: %w", what, v)
		default:
			err = fmt.Errorf("%s: %v", what, v)
		}
	}()
	f()
	return nil
}

// prepareCUDA tells XLA where CUDA's tools (ptxas, libdevice) lie: in the nvidia folder beside the
// plugin's. The binding's own search is switched off, because it names a folder of its author's
// machine.
func prepareCUDA(plugin string) error {
	const flag = "--xla_gpu_cuda_data_dir="
	folders := []string{
		filepath.Join(filepath.Dir(filepath.Dir(plugin)), "nvidia"),
		filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(plugin))), "nvidia"),
	}
	found := slices.IndexFunc(folders, isDir)
	flags := os.Getenv("XLA_FLAGS")
	var errs []error
	if found >= 0 && !strings.Contains(flags, flag) {
		errs = append(errs, os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+flag+cudaTools(folders[found]))))
	}
	errs = append(errs, os.Setenv("GOPJRT_CUDA_CHECKS", "no"))
	return errors.Join(errs...)
}

// cudaTools returns the folder under nvidia whose bin holds ptxas.
func cudaTools(nvidia string) string {
	for _, name := range []string{"cu13", "cuda_nvcc", "cu12"} {
		if dir := filepath.Join(nvidia, name); isDir(filepath.Join(dir, "bin")) {
			return dir
		}
	}
	return nvidia
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
