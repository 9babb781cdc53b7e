package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The real pip, without a network: what it accepts and what it refuses.
func TestInstallRealPip(t *testing.T) {
	if _, err := findPip(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
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
	t.Run("only in virtual environments, as some users set it", func(t *testing.T) {
		t.Setenv("PIP_REQUIRE_VIRTUALENV", "1")
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
		{
			"a full disk, which pip tells in a traceback", w, "pip",
			"echo 'ERROR: Exception:' >&2; echo 'Traceback (most recent call last):' >&2; echo 'OSError: [Errno 28] No space left on device' >&2; exit 2",
			[]string{"pip cannot download tiny==1.0 into ", ": no space left on device", `run "bierbench setup"`},
		},
		{
			"another traceback", w, "pip", "echo 'ERROR: Exception:' >&2; echo 'Traceback:' >&2; echo 'OSError: [Errno 5] Input/output error' >&2; exit 2",
			[]string{"(OSError: [Errno 5] Input/output error)"},
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
			err := install(t, c, tt.w)
			checkSentence(t, err, tt.want...)
			if strings.Contains(err.Error(), noSpace) && strings.Contains(err.Error(), "network") {
				t.Errorf("%q blames the network", err)
			}
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

func TestDefault(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("BIERBENCH_CACHE", "")
	c, err := Default()
	if err == nil || !strings.Contains(err.Error(), "neither HOME nor XDG_CACHE_HOME is set; set BIERBENCH_CACHE=DIR") {
		t.Errorf("no home: %v", err)
	}
	// What needs no cache goes on, and nothing is looked for beside the working directory.
	checkSentence(t, install(t, c, wheel{}), "neither HOME nor XDG_CACHE_HOME is set", "BIERBENCH_CACHE")
	_, err = c.FindWeights("googlenet")
	checkSentence(t, err, "neither HOME nor XDG_CACHE_HOME is set", "BIERBENCH_CACHE")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	_, err = c.FindPlugin()
	checkSentence(t, err, "neither HOME nor XDG_CACHE_HOME is set", "BIERBENCH_CACHE")
	t.Setenv("XDG_CACHE_HOME", "relative")
	if _, err := Default(); err == nil || !strings.Contains(err.Error(), `XDG_CACHE_HOME is "relative", a relative path`) {
		t.Errorf("a relative XDG_CACHE_HOME: %v", err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/someone")
	if c, err := Default(); err != nil || c.Dir != "/home/someone/.cache/bierbench" {
		t.Errorf("home: %v, %v", c, err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("BIERBENCH_CACHE", "here")
	if c, err := Default(); err != nil || !filepath.IsAbs(c.Dir) || filepath.Base(c.Dir) != "here" {
		t.Errorf("BIERBENCH_CACHE: %v, %v", c, err)
	}
}
