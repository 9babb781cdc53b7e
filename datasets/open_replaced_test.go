package datasets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// mustExchange lets two folders change places. It skips the test where the file system cannot do
// that; any other error is one.
func mustExchange(t *testing.T, a, b string) {
	t.Helper()
	switch err := exchange(a, b); {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, unix.EINVAL):
		t.Skipf("the file system cannot do it, and replacing falls back to two renames, which TestReplaceKilled tries: %v", err)
	case err != nil:
		t.Fatal(err)
	}
}

// A data set that is replaced by another one is opened whole: its digest is that of its rows.
func TestOpenWhileReplaced(t *testing.T) {
	dir, m := prepared(t)
	s := newRawSet(t)
	s.rows[3].ClassName = "another"
	other, second, err := ingestSet(t.Context(), s.set(), s.options(t), sizeLimits{batch: 12 << 10, part: partReserve + 24<<10, index: 7})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{m.Digest: "class", other.Digest: "another"}
	mustExchange(t, dir, second)
	stop := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			if failed := exchange(dir, second); failed != nil {
				return failed
			}
		}
	})
	for range 200 {
		d, failed := Open(dir)
		if failed != nil {
			t.Error(failed)
			break
		}
		found := 0
		for i := range d.Len() {
			if strings.HasPrefix(d.ClassName(i), names[d.Digest()]) {
				found++
			}
			if _, err = d.Image(i); err != nil {
				t.Error(err)
			}
		}
		if want := map[string]int{m.Digest: 20, other.Digest: 1}[d.Digest()]; found != want {
			t.Errorf("digest %.12s with rows of another data set", d.Digest())
		}
		if err = d.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err = group.Wait(); err != nil {
		t.Error(err)
	}
}

// The files of a data set that was replaced are removed at once. One that was being opened is then opened
// in its new form.
func TestOpenWhileRemoved(t *testing.T) {
	dir, m := prepared(t)
	files := os.DirFS(dir)
	copies := make([]string, 60)
	for i := range copies {
		copies[i] = filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copies[i], files); err != nil {
			t.Fatal(err)
		}
	}
	mustExchange(t, copies[0], copies[1])
	done := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		defer close(done)
		for _, c := range copies {
			if err := replaceDir(dir, c, moves{exchange, os.Rename}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		group.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				d, err := Open(dir)
				if err != nil {
					return err
				}
				if d.Digest() != m.Digest {
					err = errors.New("digest differs")
				}
				if err = errors.Join(err, d.Close()); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
