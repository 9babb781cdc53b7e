package cache

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
			file, ok := c.installedFile(w, "pjrt")
			if !ok {
				t.Fatalf("%s is not there", file)
			}
			// Nothing temporary is left, and the licence came along.
			if got := fmt.Sprint(names(t, filepath.Join(c.Dir, "pjrt"))); got != "["+w.folderName()+"]" {
				t.Errorf("cache holds %s", got)
			}
			if got := fmt.Sprint(names(t, filepath.Dir(file))); got != "[LICENSE library.so]" {
				t.Errorf("unpacked %s", got)
			}
		})
	}
}
