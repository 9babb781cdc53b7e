package models

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// entry is one file of a wheel that a test makes.
type entry struct{ name, content string }

// makeWheel writes a wheel of one wanted file, and of more where given, into
// dir under the name that pip expects.
func makeWheel(t *testing.T, dir string, more ...entry) (w wheel, path string) {
	t.Helper()
	const content = "a library"
	w = wheel{Name: "tiny", Version: "1.0", Member: "tiny/library.so", Bytes: int64(len(content)), Digest: hexSHA256([]byte(content))}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range append([]entry{
		{"tiny/__init__.py", ""},
		{w.Member, content},
		{"tiny-1.0.dist-info/licenses/LICENSE", "a licence"},
		{"tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"},
		{"tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"tiny-1.0.dist-info/RECORD", ""},
	}, more...) {
		f, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "tiny-1.0-py3-none-any.whl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.SHA256 = hexSHA256(b.Bytes())
	return w, path
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fakePip puts a program of the given name on an otherwise empty PATH. Its
// --version succeeds; download runs the shell commands, with the folder for
// the wheel in $to. It returns the file that gets a line for each download.
func fakePip(t *testing.T, name, commands string) (calls string) {
	t.Helper()
	bin := t.TempDir()
	calls = filepath.Join(bin, "calls")
	script := `#!/bin/sh
PATH=/usr/bin:/bin
for a in "$@"; do
	[ "$previous" = -d ] && to=$a
	[ "$a" = --version ] && exit 0
	previous=$a
done
echo download >>` + calls + `
mkdir -p "$to"
` + commands + "\n"
	if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	return calls
}

func install(t *testing.T, c Cache, w wheel) error {
	t.Helper()
	return c.install(t.Context(), w, "pjrt", "the tiny library", quiet())
}

// names lists a folder, without lock files.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		if e.Name() != ".lock" {
			all = append(all, e.Name())
		}
	}
	return all
}

func lines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

// A user must get one sentence that says what is missing and what to type.
func checkSentence(t *testing.T, err error, parts ...string) {
	t.Helper()
	if _, ok := errors.AsType[*MissingError](err); !ok {
		t.Fatalf("got %v, want a MissingError", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestInstall(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	for _, name := range []string{"python3", "pip3", "pip"} {
		t.Run(name, func(t *testing.T) {
			calls := fakePip(t, name, "cp "+path+" $to/")
			c := Cache{Dir: filepath.Join(t.TempDir(), "new", "cache")}
			for range 2 { // the second finds what the first installed
				if err := install(t, c, w); err != nil {
					t.Fatal(err)
				}
			}
			if got := lines(t, calls); got != 1 {
				t.Errorf("pip downloaded %d times, want once", got)
			}
			file, ok := c.installed(w, "pjrt")
			if !ok {
				t.Fatalf("%s is not there", file)
			}
			// Nothing temporary is left, and the licence came along.
			if got := fmt.Sprint(names(t, filepath.Join(c.Dir, "pjrt"))); got != "["+w.folder()+"]" {
				t.Errorf("cache holds %s", got)
			}
			if got := fmt.Sprint(names(t, filepath.Dir(file))); got != "[LICENSE library.so]" {
				t.Errorf("unpacked %s", got)
			}
		})
	}
}

// The real pip, without a network: what it accepts and what it refuses.
func TestInstallRealPip(t *testing.T) {
	if _, err := findPip(t.Context(), t.TempDir()); err != nil {
		t.Skip(err)
	}
	links := t.TempDir()
	w, _ := makeWheel(t, links)
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", links)
	t.Run("right", func(t *testing.T) {
		if err := install(t, Cache{Dir: t.TempDir()}, w); err != nil {
			t.Error(err)
		}
	})
	t.Run("wrong hash", func(t *testing.T) {
		bad := w
		bad.SHA256 = strings.Repeat("0", 64)
		c := Cache{Dir: t.TempDir()}
		checkSentence(t, install(t, c, bad), "tiny==1.0", "its hash is not the pinned one")
		if got := names(t, filepath.Join(c.Dir, "pjrt")); len(got) != 0 {
			t.Errorf("left %v", got)
		}
	})
	t.Run("no such package", func(t *testing.T) {
		t.Setenv("PIP_FIND_LINKS", t.TempDir())
		checkSentence(t, install(t, Cache{Dir: t.TempDir()}, w), "the tiny library is not installed", "tiny==1.0",
			"No matching distribution", `run "bierbench setup"`)
	})
}

func TestInstallFails(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	other, otherPath := makeWheel(t, t.TempDir(), entry{"x", "y"})
	lying := w
	lying.Bytes--
	absent := w
	absent.Member = "tiny/absent.so"
	tests := []struct {
		name     string
		w        wheel
		program  string // name of the fake pip; empty: there is none
		commands string
		want     []string
	}{
		{
			"no network", w, "python3", "echo 'WARNING: Retrying' >&2; echo 'ERROR: Could not find a version' >&2; exit 1",
			[]string{"the tiny library is not installed", "pip cannot download tiny==1.0 (Could not find a version)", "check the network", `run "bierbench setup"`},
		},
		{"pip says nothing", w, "pip", "exit 3", []string{"exit status 3", `run "bierbench setup"`}},
		{"no pip", w, "", "", []string{"the tiny library is not installed", "pip was not found", `run "bierbench setup"`}},
		{"pip brings nothing", w, "pip", "true", []string{"pip left 0 wheels"}},
		{"another wheel", w, "pip", "cp " + otherPath + " $to/", []string{"SHA-256 is " + other.SHA256, "want " + w.SHA256}},
		{"file longer than pinned", lying, "pip", "cp " + path + " $to/", []string{"tiny/library.so", "more than"}},
		{"file not in the wheel", absent, "pip", "cp " + path + " $to/", []string{"no tiny/absent.so in it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.program == "" {
				t.Setenv("PATH", t.TempDir())
			} else {
				fakePip(t, tt.program, tt.commands)
			}
			c := Cache{Dir: t.TempDir()}
			checkSentence(t, install(t, c, tt.w), tt.want...)
			if got := names(t, filepath.Join(c.Dir, "pjrt")); len(got) != 0 {
				t.Errorf("left %v", got)
			}
		})
	}
}

// A cache that cannot be written says so, and which folder it is.
func TestInstallUnwritable(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	fakePip(t, "pip", "cp "+path+" $to/")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checkSentence(t, install(t, Cache{Dir: file}, w), file)
	checkSentence(t, install(t, Cache{}, w), "BIERBENCH_CACHE")
}

// Entries that point outside their folder, and a licence as large as a bomb.
func TestUnpackStaysInside(t *testing.T) {
	root := t.TempDir()
	w, path := makeWheel(t, root, entry{"../LICENSE-up", "x"}, entry{"/LICENSE-root", "x"},
		entry{"a/../../LICENSE-deep", "x"}, entry{"tiny-1.0.dist-info/NOTICE", "notices"})
	dir := filepath.Join(root, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.unpack(path, dir); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names(t, dir)); got != "[LICENSE NOTICE library.so]" {
		t.Errorf("unpacked %s", got)
	}
	if got := fmt.Sprint(names(t, root)); got != "[in tiny-1.0-py3-none-any.whl]" {
		t.Errorf("outside there is %s", got)
	}
	w, path = makeWheel(t, root, entry{"tiny-1.0.dist-info/LICENSE-2", strings.Repeat(" ", maxLicence+1)})
	if err := w.unpack(path, t.TempDir()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a licence of %d bytes: %v", maxLicence+1, err)
	}
}

func TestDefaultCache(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("BIERBENCH_CACHE", "")
	if _, err := DefaultCache(); err == nil || !strings.Contains(err.Error(), "set BIERBENCH_CACHE=DIR") {
		t.Errorf("no home: %v", err)
	}
	t.Setenv("HOME", "/home/someone")
	if c, err := DefaultCache(); err != nil || c.Dir != "/home/someone/.cache/bierbench" {
		t.Errorf("home: %v, %v", c, err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("BIERBENCH_CACHE", "here")
	if c, err := DefaultCache(); err != nil || !filepath.IsAbs(c.Dir) || filepath.Base(c.Dir) != "here" {
		t.Errorf("BIERBENCH_CACHE: %v, %v", c, err)
	}
}
