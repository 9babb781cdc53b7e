package claims

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Two claims of one name exclude each other, and two names do not. A closed claim is free: the
// kernel closes the files of a process that dies.
func TestClaims(t *testing.T) {
	dir := t.TempDir()
	open := func() *File {
		t.Helper()
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	try := func(c *File, name string, want bool) {
		t.Helper()
		got, err := c.Try(name)
		if err != nil || got != want {
			t.Fatalf("try %s: %v, %v; want %v", name, got, err, want)
		}
	}
	held := func(c *File, name string, want bool) {
		t.Helper()
		got, err := c.Held(name)
		if err != nil || got != want {
			t.Fatalf("held %s: %v, %v; want %v", name, got, err, want)
		}
	}
	one, two := open(), open()
	defer two.Close()
	try(one, "a", true)
	try(two, "a", false)
	try(two, "b", true)
	held(two, "a", true)
	held(one, "a", false) // one's own
	held(one, "b", true)
	held(one, "c", false)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := two.Take(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("take of a held claim: %v; want it to wait until the deadline", err)
	}
	if err := one.Release("a"); err != nil {
		t.Fatal(err)
	}
	if err := two.Take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	try(one, "a", false)
	try(one, "c", true)
	one.Close()
	try(two, "c", true)
}

// Who looks at claims needs no right to write and makes no file.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	none, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if held, failed := none.Held("x"); held || failed != nil {
		t.Errorf("without a file: %v, %v", held, failed)
	}
	if _, err = os.Stat(filepath.Join(dir, FileName)); err == nil {
		t.Error("looking made a file")
	}
	worker, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	if _, err = worker.Try("x"); err != nil {
		t.Fatal(err)
	}
	looker, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer looker.Close()
	for name, want := range map[string]bool{"x": true, "y": false} {
		if held, err := looker.Held(name); held != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", name, held, err, want)
		}
	}
}

// What is no file cannot be one of claims, and does not make a process wait.
func TestNoFileOfClaims(t *testing.T) {
	for name, does := range map[string]func(path string) error{
		"a folder":     func(path string) error { return os.Mkdir(path, 0o755) },
		"a named pipe": func(path string) error { return unix.Mkfifo(path, 0o644) },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := does(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open of %s: %v", name, err)
		}
		if _, err := Look(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Look at %s: %v", name, err)
		}
	}
}
