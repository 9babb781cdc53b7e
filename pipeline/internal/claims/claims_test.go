package claims

import (
	"context"
	"errors"
	"testing"
	"time"
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
