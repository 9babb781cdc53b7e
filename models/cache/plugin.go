package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// searchPath returns the folders of PJRT_PLUGIN_LIBRARY_PATH.
func searchPath() []string {
	return filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"))
}

// pluginIn returns the first plugin for a device in the folders, under one of the usual names of
// PJRT plugins, and hashes it.
func pluginIn(folders []string, device string) (Plugin, bool, error) {
	for _, folder := range folders {
		for _, pattern := range []string{
			"pjrt_c_api_" + device + "*_plugin.so", "pjrt_plugin_" + device + "*.so",
			"pjrt-plugin-" + device + "*.so", "xla_" + device + "_plugin.so",
		} {
			files, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil || folder == "" {
				continue
			}
			for _, file := range files {
				if !isFile(file) {
					continue
				}
				path, err := filepath.Abs(file)
				if err != nil {
					return Plugin{}, false, err
				}
				digest, err := fileSHA256(path)
				if err != nil {
					return Plugin{}, false, fmt.Errorf("hash plugin: %w", err)
				}
				return Plugin{Device: device, Path: path, Name: filepath.Base(path), SHA256: digest}, true, nil
			}
		}
	}
	return Plugin{}, false, nil
}

// HasGPU reports whether a driver shows an NVIDIA GPU: whether there is a file /dev/nvidia0 or the
// like.
func HasGPU() bool {
	devices, err := filepath.Glob("/dev/nvidia[0-9]*")
	return err == nil && len(devices) > 0
}

// CUDAPlugin returns the installed CUDA plugin. It looks in PJRT_PLUGIN_LIBRARY_PATH, then in the
// folders of GoMLX's installer, then among Python's packages (jax's plugin). If there is none, the
// error is a MissingError: bierbench does not install this plugin, which takes gigabytes and must
// fit the driver.
func CUDAPlugin(ctx context.Context) (Plugin, error) {
	folders := searchPath()
	var libraries []string
	if home, err := os.UserHomeDir(); err == nil {
		libraries = append(libraries, filepath.Join(home, ".local", "lib"))
	}
	for _, lib := range append(libraries, "/usr/local/lib") {
		folders = append(folders, filepath.Join(lib, "go-xla", "nvidia"), filepath.Join(lib, "go-xla"),
			filepath.Join(lib, "gomlx", "pjrt"), filepath.Join(lib, "gomlx", "pjrt", "nvidia"))
	}
	if p, ok, err := pluginIn(folders, "cuda"); ok || err != nil {
		return p, err
	}
	if p, ok, err := pluginIn(pythonPlugins(ctx), "cuda"); ok || err != nil {
		return p, err
	}
	return Plugin{}, &MissingError{
		What:   "a CUDA plugin for XLA",
		Reason: errors.New("none is in PJRT_PLUGIN_LIBRARY_PATH, ~/.local/lib/go-xla or Python's packages"),
		Fix:    `run "python3 -m pip install 'jax[cuda13]'" ('jax[cuda12]' for an older driver), or use --backend xla:cpu`,
	}
}

// pythonPlugins returns the folders of jax's CUDA plugins among the packages of the python3 on the
// PATH, newest CUDA first, or none if there is no python3.
func pythonPlugins(ctx context.Context) []string {
	program, err := exec.LookPath("python3")
	if err != nil {
		return nil
	}
	command := exec.CommandContext(ctx, program, "-c",
		"import importlib.util as u; s = u.find_spec('jax_plugins'); print('\\n'.join(s.submodule_search_locations) if s else '')")
	command.Dir = os.TempDir() // python looks in the working directory first
	output, err := command.Output()
	if err != nil {
		return nil
	}
	var folders []string
	for root := range strings.Lines(string(output)) {
		for _, name := range []string{"xla_cuda13", "xla_cuda12"} {
			folders = append(folders, filepath.Join(strings.TrimSpace(root), name))
		}
	}
	return folders
}

// isFile reports whether there is a regular file at path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
