package mini

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden digest")

// digest is over the names and bytes of all files below dir, in order of names.
func digest(t *testing.T, dir string) string {
	t.Helper()
	hash := sha256.New()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

// The same options give the same bytes: with one worker and with several, and as recorded. The
// recorded digest holds for the Go release in testdata/digest.txt; another one may encode JPEG or
// zlib differently.
func TestWriteSameBytes(t *testing.T) {
	golden := filepath.Join("testdata", "digest.txt")
	release := strings.Join(strings.SplitN(runtime.Version(), ".", 3)[:2], ".") // such as go1.26
	one, several, whole := small(), small(), Default()
	one.Workers, several.Workers, whole.Workers = 1, 3, 3
	var digests []string
	for _, o := range []Options{one, several, whole} {
		dir := t.TempDir()
		if err := Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest(t, dir))
	}
	if digests[0] != digests[1] {
		t.Errorf("digest with 3 workers %s, want %s as with 1", digests[1], digests[0])
	}
	if *update {
		if err := os.WriteFile(golden, fmt.Appendf(nil, "%s %s\n", release, digests[2]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	recorded, want, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
	if recorded != release {
		t.Skipf("the digest was recorded with %s, this is %s: run with -update", recorded, release)
	}
	if digests[2] != want {
		t.Errorf("digest %s, want %s: the drawings changed, run with -update if that was meant", digests[2], want)
	}
}

// small is the size of sets that are written in a moment.
func small() Options { return Options{Seed: 7, Classes: 3, Images: 2, Workers: 2} }

func TestSeedMatters(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	first, second := small(), small()
	second.Seed++
	for dir, o := range map[string]Options{a: first, b: second} {
		if err := Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
	}
	if digest(t, a) == digest(t, b) {
		t.Error("two seeds give the same bytes")
	}
}

// A second call keeps what is there; a folder that is not ours, or ours with other options, is
// never touched.
func TestWriteTwice(t *testing.T) {
	dir := t.TempDir()
	if err := Write(t.Context(), dir, small()); err != nil {
		t.Fatal(err)
	}
	before := digest(t, dir)
	if err := Write(t.Context(), dir, small()); err != nil {
		t.Errorf("second call: %v", err)
	}
	other := small()
	other.Images++
	if err := Write(t.Context(), dir, other); err == nil || !strings.Contains(err.Error(), "holds another data set") {
		t.Errorf("other options over it: got %v, want an error", err)
	}
	if digest(t, dir) != before {
		t.Error("a refused call changed the folder")
	}

	theirs := t.TempDir()
	if err := os.MkdirAll(filepath.Join(theirs, "CUB_200_2011", "images"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), theirs, small()); err == nil || !strings.Contains(err.Error(), "no miniature data set") {
		t.Errorf("over a folder of somebody else: got %v, want an error", err)
	}
}

// An interrupted call leaves nothing under a set's name and no temporary folder.
func TestWriteInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, dir, small()); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"default":     {func(*Options) {}, ""},
		"two classes": {func(o *Options) { o.Classes = 2 }, "classes a split"},
		"too many":    {func(o *Options) { o.Classes = 101 }, "classes a split"},
		"one image":   {func(o *Options) { o.Images = 1 }, "images a class"},
		"no workers":  {func(o *Options) { o.Workers = -1 }, "workers"},
		"most images": {func(o *Options) { o.Images = 99 }, "images a class"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := Default()
			c.change(&o)
			err := o.Validate()
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
