package cache

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// write makes a file, and the folders above it.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o700)); err != nil {
		t.Fatal(err)
	}
}

// A user's own plugin comes before the pinned one, from the first folder that holds one; it is
// hashed, and is what it was when it was found.
func TestUsersPlugin(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(first, "pjrt_c_api_cpu_plugin.so"), 0o700); err != nil { // no file
		t.Fatal(err)
	}
	write(t, filepath.Join(first, "pjrt_c_api_cuda_plugin.so"), "of another device")
	write(t, filepath.Join(second, "pjrt_plugin_cpu-1.so"), "library")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", strings.Join([]string{"", first, filepath.Join(first, "["), second}, string(os.PathListSeparator)))
	c := Cache{Dir: t.TempDir()}
	for name, find := range map[string]func() (Plugin, error){
		"FindPlugin":     c.FindPlugin,
		"Plugin":         func() (Plugin, error) { return c.Plugin(t.Context(), quiet()) },
		"VerifiedPlugin": func() (Plugin, error) { return c.VerifiedPlugin(t.Context(), quiet()) },
	} {
		got, err := find()
		want := Plugin{Device: "cpu", Path: filepath.Join(second, "pjrt_plugin_cpu-1.so"), Name: "pjrt_plugin_cpu-1.so", SHA256: hexSHA256([]byte("library"))}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		if text := got.String(); text != want.Name+" sha256:"+want.SHA256 {
			t.Errorf("%s is called %q", name, text)
		}
		if err := c.CheckPluginQuickly(got); err != nil {
			t.Error(err)
		}
	}
}

// Without a plugin, finding one names the command, and needing one says why it was not installed.
func TestNoPlugin(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the pinned plugin is for linux/amd64")
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	fakePip(t, "pip", "echo 'ERROR: no network' >&2; exit 1")
	c := Cache{Dir: t.TempDir()}
	_, err := c.FindPlugin()
	checkSentence(t, err, `the XLA CPU plugin is not installed; run "bierbench setup"`)
	_, err = c.Plugin(t.Context(), quiet())
	checkSentence(t, err, "the XLA CPU plugin is not installed: ", "no network")
	_, err = c.VerifiedPlugin(t.Context(), quiet())
	checkSentence(t, err, "the XLA CPU plugin is not installed: ", "no network")
}

// A damaged pinned plugin is found by its size, and installed again before its numbers are used.
// Where that fails the error says both.
func TestVerifiedPluginDamaged(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the pinned plugin is for linux/amd64")
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	calls := fakePip(t, "pip", "echo 'ERROR: no network' >&2; exit 1")
	c, w := Cache{Dir: t.TempDir()}, pinnedCPU()
	file, _ := c.installedFile(w, "pjrt")
	write(t, file, "")
	if err := os.Truncate(file, w.Bytes); err != nil { // zeros, which take no room
		t.Fatal(err)
	}
	found, err := c.FindPlugin()
	if err != nil || !found.Pinned || found.Path != file || found.SHA256 != w.Digest {
		t.Fatalf("%+v, %v; want the pinned one", found, err)
	}
	var log bytes.Buffer
	_, err = c.VerifiedPlugin(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
	checkSentence(t, err, file+" is damaged: SHA-256 is ", "want "+w.Digest, "no network", `run "bierbench setup"`)
	if !strings.Contains(log.String(), "installing again") || lines(t, calls) != 1 {
		t.Errorf("%d downloads, log %q", lines(t, calls), &log)
	}
}

// The CUDA plugin is looked for in the user's folders, then in Python's packages.
func TestCUDAPlugin(t *testing.T) {
	if _, err := os.Stat("/usr/local/lib/go-xla"); err == nil {
		t.Skip("this machine has plugins in /usr/local/lib/go-xla")
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	home, bin, packages := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PATH", bin)
	missing := func(what string) {
		t.Helper()
		_, err := CUDAPlugin(t.Context())
		if err == nil {
			t.Fatalf("%s: there is a plugin", what)
		}
		checkSentence(t, err, "a CUDA plugin for XLA is not installed", `'jax[cuda13]'`, "--backend xla:cpu")
	}
	found := func(want string) {
		t.Helper()
		if p, err := CUDAPlugin(t.Context()); err != nil || p.Path != want || p.Device != "cuda" || p.Pinned {
			t.Errorf("%+v, %v; want %s", p, err, want)
		}
	}
	missing("no python")
	write(t, filepath.Join(bin, "python3"), "#!/bin/sh\nexit 1\n")
	missing("a python that fails")
	write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho '"+packages+"'\n")
	missing("a python without jax")
	older := filepath.Join(packages, "xla_cuda12", "xla_cuda_plugin.so")
	write(t, older, "CUDA 12")
	found(older)
	newer := filepath.Join(packages, "xla_cuda13", "xla_cuda_plugin.so")
	write(t, newer, "CUDA 13")
	found(newer)
	own := filepath.Join(home, ".local", "lib", "go-xla", "nvidia", "pjrt_c_api_cuda_plugin.so")
	write(t, own, "of the user")
	found(own)
}

// What a wheel holds is what was pinned, or an error says what differs.
func TestUnpackRefuses(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	changed := w
	changed.Digest = hexSHA256([]byte("another library"))
	text := filepath.Join(t.TempDir(), "text.whl")
	write(t, text, "no archive")
	for _, tt := range []struct {
		name, archive string
		w             wheel
		want          string
	}{
		{"another file", path, changed, "tiny/library.so: SHA-256 is " + w.Digest + ", want " + changed.Digest},
		{"no archive", text, wheel{SHA256: hexSHA256([]byte("no archive"))}, "text.whl: zip: not a valid zip file"},
		{"no wheel", filepath.Join(t.TempDir(), "absent.whl"), w, "absent.whl: no such file"},
	} {
		if err := tt.w.unpack(tt.archive, t.TempDir()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
	}
	full := t.TempDir()
	write(t, filepath.Join(full, "library.so"), "of somebody else")
	if err := w.unpack(path, full); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
}

// Files that are not there are errors that name them.
func TestVerifyAbsent(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	for name, err := range map[string]error{
		"SHA-256":    verifyFile(absent, ""),
		"XXH3":       verifyQuickly(absent, ""),
		"remembered": (&verified{}).verify(absent, ""),
	} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "verify") || !strings.Contains(err.Error(), absent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := lockFile(t.Context(), filepath.Join(absent, ".lock"), quiet()); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "lock: ") {
		t.Errorf("a lock in no folder: %v", err)
	}
}

// The record of added weights names what is wrong with the file beside it, and the command.
func TestRecordOfNoWeights(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	file := filepath.Join(t.TempDir(), "mine.pth")
	write(t, file, "weights")
	added, err := c.AddWeights(t.Context(), "googlenet", file, func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		put  func() error
		want string
	}{
		{"gone", func() error { return nil }, "no such file"},
		{"a folder", func() error { return os.Mkdir(added.Path, 0o700) }, added.Path + " is not a file"},
	} {
		if err = errors.Join(os.RemoveAll(added.Path), tt.put()); err != nil {
			t.Fatal(err)
		}
		_, err = c.Weights(t.Context(), "googlenet", quiet())
		for _, part := range []string{"weights googlenet, recorded in " + c.recordPath("googlenet"), tt.want, `run "bierbench setup --weights googlenet=FILE" again`} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want %q", tt.name, err, part)
			}
		}
	}
	if _, err = c.FindWeights("lite0"); err == nil {
		t.Fatal("lite0 is there")
	}
	checkSentence(t, err, `run "bierbench setup --weights lite0"`)
	if got := PinnedWeights(); len(got) != 1 || got[0] != "lite0" {
		t.Errorf("pinned %q", got)
	}
	if _, err = c.Weights(t.Context(), "resnet", quiet()); err == nil || !strings.Contains(err.Error(), `weights "resnet" are not one of ["googlenet" "lite0"]`) {
		t.Errorf("unknown weights: %v", err)
	}
	if _, err = c.FindWeights("resnet"); err == nil || !strings.Contains(err.Error(), `"resnet"`) {
		t.Errorf("unknown weights: %v", err)
	}
}

// Weights that cannot be copied leave nothing, and the error says why.
func TestAddWeightsFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.pth")
	write(t, file, "weights")
	add := func(ctx context.Context, c Cache) error {
		_, err := c.AddWeights(ctx, "googlenet", file, func(string) error { return nil })
		return err
	}
	if err := add(t.Context(), Cache{}); err == nil || !strings.Contains(err.Error(), "add weights googlenet: there is no cache folder; set BIERBENCH_CACHE=DIR") {
		t.Errorf("without a folder: %v", err)
	}
	if err := add(t.Context(), Cache{Dir: file}); err == nil || !strings.Contains(err.Error(), "add weights googlenet: mkdir "+file) {
		t.Errorf("a file in the folder's place: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Cache{Dir: t.TempDir()}
	if err := add(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := names(t, filepath.Join(c.Dir, "weights")); len(got) != 0 {
		t.Errorf("left %v", got)
	}
	var out bytes.Buffer
	if _, err := copyFile(t.Context(), file, &out, hexSHA256([]byte("as it was"))); err == nil || err.Error() != file+" changed while it was copied" {
		t.Errorf("a file that changes: %v", err)
	}
}
