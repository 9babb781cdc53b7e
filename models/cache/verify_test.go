package cache

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// flip changes a byte of a file in place and sets the file's time back, as a damaged disk or a copy
// would leave it.
func flip(t *testing.T, path string, at int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[at] ^= 1
	if err = os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err = os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// Weights are hashed before they are used: a changed byte of the same length has the size that the
// record names.
func TestDamagedWeights(t *testing.T) {
	c := Cache{Dir: t.TempDir(), verified: &verified{}}
	file := filepath.Join(t.TempDir(), "mine.safetensors")
	if err := os.WriteFile(file, []byte("some weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := c.AddWeights(t.Context(), "googlenet", file, func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, failed := c.Weights(t.Context(), "googlenet", quiet()); failed != nil || got != added {
			t.Fatalf("got %v, %v, want %v", got, failed, added)
		}
	}
	time.Sleep(20 * time.Millisecond) // the kernel's clock for files is a coarse one
	flip(t, added.Path, 3)
	_, err = c.Weights(t.Context(), "googlenet", quiet())
	damaged, ok := errors.AsType[*DamagedError](err)
	if !ok || damaged.Got != hexSHA256([]byte("somd weights")) || damaged.Want != added.SHA256 {
		t.Fatalf("changed weights: %v", err)
	}
	for _, part := range []string{added.Path, "is damaged", `run "bierbench setup --weights googlenet=FILE" again`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// Pinned weights are installed again. Without a network the error says both what is wrong and why it
// stays so.
func TestDamagedPinnedWeights(t *testing.T) {
	fakePip(t, "pip", "echo 'ERROR: no network' >&2; exit 1")
	c := Cache{Dir: t.TempDir()}
	kind, err := weightsNamed("lite0")
	if err != nil {
		t.Fatal(err)
	}
	file, _ := c.installedFile(*kind.wheel, "weights")
	if err = os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(file, make([]byte, kind.wheel.Bytes), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, err = c.Weights(t.Context(), "lite0", slog.New(slog.NewTextHandler(&log, nil)))
	checkSentence(t, err, file+" is damaged", "want "+kind.wheel.Digest, "no network", `run "bierbench setup"`)
	if !strings.Contains(log.String(), "installing again") {
		t.Errorf("log %q", &log)
	}
}

// A damaged wheel's file is replaced whole; an undamaged one is left alone.
func TestInstallReplacesDamage(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	calls := fakePip(t, "pip", "cp "+path+" $to/")
	c := Cache{Dir: t.TempDir(), verified: &verified{}}
	for range 2 {
		if err := install(t, c, w); err != nil {
			t.Fatal(err)
		}
	}
	file, _ := c.installedFile(w, "pjrt")
	time.Sleep(20 * time.Millisecond) // as above
	flip(t, file, 0)
	if err := install(t, c, w); err != nil {
		t.Fatal(err)
	}
	if err := verifyFile(file, w.Digest); err != nil {
		t.Error(err)
	}
	if got := lines(t, calls); got != 2 {
		t.Errorf("pip downloaded %d times, want twice", got)
	}
	// What cannot be replaced stays, for there is nothing better.
	fakePip(t, "pip", "exit 1")
	time.Sleep(20 * time.Millisecond)
	flip(t, file, 0)
	if err := install(t, c, w); err == nil {
		t.Error("installed without pip")
	}
	if got := names(t, filepath.Dir(file)); !slices.Contains(got, filepath.Base(file)) {
		t.Errorf("left %v", got)
	}
}

// A damaged plugin has the right size, so it is found; hashing it tells.
func TestDamagedPlugin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugin.so")
	if err := os.WriteFile(path, []byte("library"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Cache{Dir: t.TempDir(), verified: &verified{}}
	// XXH3-128 of "library": python3 -c 'import xxhash; print(xxhash.xxh3_128(b"library").hexdigest())'
	p := Plugin{Device: "cpu", Path: path, SHA256: hexSHA256([]byte("library")), Pinned: true, quick: "60d3c82fec09309ca6b53a4ff3fa193c"}
	if err := errors.Join(c.CheckPlugin(p), c.CheckPluginQuickly(p)); err != nil {
		t.Error(err)
	}
	time.Sleep(20 * time.Millisecond) // as above
	flip(t, path, 2)
	for name, check := range map[string]func(Plugin) error{"SHA-256 is ": c.CheckPlugin, "XXH3-128 is ": c.CheckPluginQuickly} {
		err := check(p)
		if _, ok := errors.AsType[*DamagedError](err); !ok || !strings.Contains(err.Error(), `run "bierbench setup"`) || !strings.Contains(err.Error(), name) {
			t.Errorf("changed plugin: %v", err)
		}
	}
	p.Pinned = false // its hash is that of the file when it was found
	if err := c.CheckPlugin(p); err != nil {
		t.Error(err)
	}
}

// What is not a file is refused before it is opened: nobody writes to the FIFO.
func TestCacheOfOtherKinds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	sparse := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 40<<30); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, want string }{
		{fifo, "is not a file"},
		{t.TempDir(), "is not a file"},
		{os.DevNull, "is not a file"},
		{sparse, "has 42949672960 bytes, want at most 1073741824"},
	} {
		c := Cache{Dir: t.TempDir()}
		_, err := c.AddWeights(t.Context(), "googlenet", tt.file, func(string) error { return nil })
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.file) {
			t.Errorf("add %s: %v, want %q", tt.file, err, tt.want)
		}
		// The same in the place of the record.
		if err := os.Symlink(tt.file, c.recordPath("googlenet")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Weights(t.Context(), "googlenet", quiet()); err == nil || !strings.Contains(err.Error(), c.recordPath("googlenet")) {
			t.Errorf("record %s: %v", tt.file, err)
		}
	}
}
