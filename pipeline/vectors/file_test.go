package vectors

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOpenSpecial opens what is no regular file. A pipe without a writer must not be waited for.
func TestOpenSpecial(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.npy")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path string }{{"pipe", pipe}, {"device", "/dev/zero"}, {"folder", dir}} {
		t.Run(c.name, func(t *testing.T) {
			done := make(chan error, 2)
			go func() {
				_, err := Open(c.path, Options{})
				done <- err
				_, err = OpenTable(c.path)
				done <- err
			}()
			for range 2 {
				select {
				case err := <-done:
					if err == nil || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), "want a file") {
						t.Errorf("%v, want an error that names %s", err, c.path)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("still waiting")
				}
			}
		})
	}
}
