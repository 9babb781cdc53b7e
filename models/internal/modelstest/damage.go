package modelstest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of a read of a damaged file.
const (
	damageTime   = time.Minute // a read takes milliseconds; the rest is for a machine that is busy
	damageMemory = 100 << 20   // bytes, besides twice the file
)

// Damages does to the file at path what disks, copies and people do, and calls read each time: bytes
// flipped, every step-th one; the file cut, and with bytes after its end; other, a whole file of the
// same kind, in its place; an empty file, a folder, a FIFO that nobody writes to. read returns nil if
// it found what the whole file holds. Else its error must name the file. It must not panic, hang, or
// allocate more than twice the file and 100 MiB.
func Damages(t *testing.T, path string, other []byte, step int, read func() error) {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = read(); err != nil {
		t.Fatalf("the whole file: %v", err)
	}
	try := func(name string, put func() error) {
		t.Helper()
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		allocated, err := watched(t, name, read)
		if err != nil && !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: the error does not name %s: %v", name, filepath.Base(path), err)
		}
		if most := uint64(2*len(whole) + damageMemory); allocated > most {
			t.Errorf("%s: allocated %d bytes, want at most %d", name, allocated, most)
		}
	}
	bytes := func(content []byte) func() error {
		return func() error { return os.WriteFile(path, content, 0o600) }
	}
	for at := 0; at < len(whole); at += step {
		changed := slices.Clone(whole)
		changed[at] ^= 1 << (at % 8)
		try(fmt.Sprintf("bit %d of byte %d flipped", at%8, at), bytes(changed))
	}
	for _, n := range []int{1, 8, 15, len(whole) / 2, len(whole) - 1} {
		if n >= 0 && n < len(whole) {
			try(fmt.Sprintf("cut to %d bytes", n), bytes(whole[:n]))
		}
	}
	try("bytes after its end", bytes(slices.Concat(whole, []byte("and more"))))
	try("another file of the kind", bytes(other))
	try("an empty file", bytes(nil))
	try("a folder", func() error { return os.Mkdir(path, 0o700) })
	try("a FIFO", func() error { return unix.Mkfifo(path, 0o600) })
	try("nothing", func() error { return nil })
}

// watched returns how many bytes read allocated, and its error. A panic is the test's.
func watched(t *testing.T, name string, read func() error) (allocated uint64, err error) {
	t.Helper()
	timer := time.AfterFunc(damageTime, func() { panic(name + ": the read does not end") })
	defer timer.Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = read()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}
