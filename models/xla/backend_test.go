package xla

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"bierbench/models/cache"
)

func TestBackendComputes(t *testing.T) {
	b := testBackend(t, 1)
	got, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.Square(x) }, []float32{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b.Config, b.Device, b.Plugin, got)
}

func TestCatch(t *testing.T) {
	cause := errors.New("cause")
	if err := Catch("build", func() { panic(cause) }); !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "build: ") {
		t.Errorf("catch of an error: %v", err)
	}
	if err := Catch("build", func() { panic("text") }); err == nil || err.Error() != "build: text" {
		t.Errorf("catch of a text: %v", err)
	}
	if err := Catch("build", func() {}); err != nil {
		t.Errorf("catch of nothing: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a programmer's mistake was swallowed")
		}
	}()
	var m map[string]int
	_ = Catch("build", func() { m["x"] = 1 })
}

func TestOpenBackendGo(t *testing.T) {
	b := goBackend(t)
	got, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.Square(x) }, []float32{3})
	if err != nil || got.Value().([]float32)[0] != 9 {
		t.Errorf("%v, %v", got, err)
	}
	if b.Config != Go || b.Plugin != "" {
		t.Errorf("got %q with plugin %q", b.Config, b.Plugin)
	}
}

func TestOpenBackendRefuses(t *testing.T) {
	_, err := Open(t.Context(), Options{Config: "xla:tpu", Devices: 1}, cache.Cache{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `"xla:tpu" is not one of`) {
		t.Errorf("unknown backend: %v", err)
	}
	_, err = Open(t.Context(), Options{Config: Go, Devices: 2}, cache.Cache{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "2 devices: want 1 to 1, backend go has no more") {
		t.Errorf("two devices of one: %v", err)
	}
	// A plugin that is none: the binding says why, we say where to look.
	folder := t.TempDir()
	plugin := filepath.Join(folder, "pjrt_c_api_cpu_plugin.so")
	if err = os.WriteFile(plugin, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", folder)
	_, err = Open(t.Context(), Options{Config: CPU, Devices: 1}, cache.Cache{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), plugin) || !strings.Contains(err.Error(), "bierbench doctor") {
		t.Errorf("no library: %v", err)
	}
}

func TestGPUMemory(t *testing.T) {
	for _, tt := range []struct {
		fraction float64
		config   string
		want     string // in the error; empty for none
	}{
		{0, CPU, ""},
		{0, Go, ""},
		{.5, CUDA, ""},
		{1, CUDA, ""},
		{.5, "", ""}, // a GPU is chosen where there is one
		{-.1, CUDA, "want a fraction above 0 and up to 1"},
		{1.01, CUDA, "want a fraction above 0 and up to 1"},
		{math.NaN(), CUDA, "want a fraction above 0 and up to 1"},
		{.5, CPU, "a GPU memory of 0.5 is for xla:cuda, the backend is xla:cpu"},
		{.5, Go, "a GPU memory of 0.5 is for xla:cuda, the backend is go"},
	} {
		err := CheckGPUMemory(tt.fraction, tt.config)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%g of %q: got %v, want %q", tt.fraction, tt.config, err, tt.want)
		}
	}
	for _, config := range []string{Go, CPU} {
		_, err := Open(t.Context(), Options{Config: config, Devices: 1, GPUMemory: .5}, cache.Cache{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is for xla:cuda") {
			t.Errorf("%s opened with a part of a GPU: %v", config, err)
		}
	}
	if !cache.HasGPU() {
		_, err := Open(t.Context(), Options{Devices: 1, GPUMemory: .5}, cache.Cache{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "the backend is xla:cpu") {
			t.Errorf("a machine without a GPU: %v", err)
		}
	}
}

// Two processes share a GPU: no client takes all its memory at once.
func TestClientConfig(t *testing.T) {
	for _, tt := range []struct {
		config string
		memory float64
		want   string
	}{
		{CPU, 0, "/p.so,shared_buffers"},
		{CUDA, 0, "/p.so,preallocate=false"},
		{CUDA, .25, "/p.so,preallocate=false,memory_fraction=0.25"},
	} {
		if got := clientConfig(tt.config, "/p.so", tt.memory); got != tt.want {
			t.Errorf("%s with %g: got %s, want %s", tt.config, tt.memory, got, tt.want)
		}
	}
}

func TestPluginPath(t *testing.T) {
	for _, tt := range []struct {
		config, path string
		want         string // in the error; empty for none
	}{
		{CPU, "/a/pjrt_c_api_cpu_plugin.so", ""},
		{CUDA, "/nvidia/pjrt_c_api_cuda_plugin.so", ""},
		{CPU, "pjrt_c_api_cpu_plugin.so", "want an absolute path"},
		{CUDA, "/a,b/pjrt_c_api_cuda_plugin.so", "without a comma"},
		{CPU, "/home/NVIDIA/pjrt_c_api_cpu_plugin.so", "without cuda and nvidia"},
		{CPU, "/opt/cuda-12/pjrt_c_api_cpu_plugin.so", "without cuda and nvidia"},
	} {
		err := checkPluginPath(tt.config, tt.path)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v, want %q", tt.config, tt.path, err, tt.want)
		}
	}
}

// A plugin in PJRT_PLUGIN_LIBRARY_PATH is the user's choice.
func TestPluginOfTheUser(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no pip
	folder := t.TempDir()
	want := filepath.Join(folder, "pjrt_c_api_cpu_v0.83_plugin.so")
	if err := os.WriteFile(want, []byte("library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir()+":"+folder)
	p, err := cache.Cache{}.Plugin(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil || p.Path != want || p.Pinned || p.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte("library"))) {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := cache.CUDAPlugin(t.Context()); err == nil {
		t.Error("the CPU plugin was taken for a CUDA one")
	}
}

func TestCUDAPlugin(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv("PYTHONPATH", "")
	_, err := Open(t.Context(), Options{Config: CUDA, Devices: 1}, cache.Cache{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "python3 -m pip install 'jax[cuda13]'") {
		t.Errorf("none installed: %v", err)
	}
	touch := func(parts ...string) string {
		path := filepath.Join(parts...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("library"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// From the last place looked into to the first.
	if _, lookErr := exec.LookPath("python3"); lookErr == nil {
		site := t.TempDir()
		t.Setenv("PYTHONPATH", site)
		want := touch(site, "jax_plugins", "xla_cuda12", "xla_cuda_plugin.so")
		if p, findErr := cache.CUDAPlugin(t.Context()); findErr != nil || p.Path != want {
			t.Errorf("jax's: %+v, %v", p, findErr)
		}
	}
	want := touch(home, ".local", "lib", "go-xla", "nvidia", "pjrt_c_api_cuda_plugin.so")
	if p, findErr := cache.CUDAPlugin(t.Context()); findErr != nil || p.Path != want {
		t.Errorf("GoMLX's: %+v, %v", p, findErr)
	}
	folder := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", folder)
	want = touch(folder, "pjrt_c_api_cuda_plugin.so")
	if p, findErr := cache.CUDAPlugin(t.Context()); findErr != nil || p.Path != want {
		t.Errorf("the user's: %+v, %v", p, findErr)
	}
}

// describedBackend is a backend whose first device has the given description.
type describedBackend struct {
	compute.Backend
	description string
}

func (b describedBackend) DeviceDescription(compute.DeviceNum) string { return b.description }

func TestDeviceName(t *testing.T) {
	driver := filepath.Join(t.TempDir(), "information")
	if err := os.WriteFile(driver, []byte("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ description, driver, want string }{
		{"cpu:0 [processId=0]", driver, "cpu"},
		{"cuda:0 [processId=0]", driver, "NVIDIA H100 80GB HBM3"},
		{"cuda:0 [processId=0]", filepath.Join(t.TempDir(), "*"), "cuda"},
	} {
		if got := deviceName(describedBackend{description: tt.description}, tt.driver); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.description, got, tt.want)
		}
	}
}

func TestPrepareCUDA(t *testing.T) {
	root := t.TempDir()
	tools := filepath.Join(root, "nvidia", "cu13")
	if err := os.MkdirAll(filepath.Join(tools, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPJRT_CUDA_CHECKS", "")
	for _, tt := range []struct{ name, plugin, flags, want string }{
		{"GoMLX's layout", filepath.Join(root, "nvidia", "p.so"), "", "--xla_gpu_cuda_data_dir=" + tools},
		{"jax's layout", filepath.Join(root, "jax_plugins", "xla_cuda13", "p.so"), "--xla_a", "--xla_a --xla_gpu_cuda_data_dir=" + tools},
		{"the user's flag stays", filepath.Join(root, "nvidia", "p.so"), "--xla_gpu_cuda_data_dir=/cuda", "--xla_gpu_cuda_data_dir=/cuda"},
		{"no tools beside it", filepath.Join(t.TempDir(), "a", "b", "p.so"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("XLA_FLAGS", tt.flags)
			if err := prepareCUDA(tt.plugin); err != nil {
				t.Fatal(err)
			}
			if got := os.Getenv("XLA_FLAGS"); got != tt.want {
				t.Errorf("XLA_FLAGS is %q, want %q", got, tt.want)
			}
		})
	}
}
