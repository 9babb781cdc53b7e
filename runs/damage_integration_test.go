//go:build integration

package runs

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every byte of every file of a run, changed and cut off.
func TestIntegrationDamagedFiles(t *testing.T) { checkDamages(t, 1) }

// Reading a large file takes at most twice its size and 100 MiB, whole or damaged.
func TestIntegrationMemoryOfReading(t *testing.T) {
	const rows, width, extra = 100_000, 256, 100 << 20
	path := filepath.Join(t.TempDir(), "embeddings.arrow")
	e := Embeddings{
		IDs: make([]int64, rows), Classes: make([]int32, rows), Splits: slices.Repeat([]string{"test"}, rows),
		Lists: make([]uint8, rows), Width: width, Values: make([]float32, rows*width),
	}
	if err := WriteEmbeddings(path, e); err != nil {
		t.Fatal(err)
	}
	e = Embeddings{}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{info.Size(), info.Size() / 2, 2 * info.Size()} { // whole, cut, with a hole at its end
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		debug.FreeOSMemory()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			t.Skipf("the kernel does not count the peak of memory anew: %v", err)
		}
		before := peak(t)
		_, _ = ReadEmbeddings(path) // what it took counts
		if took := peak(t) - before; took > 2*size+extra {
			t.Errorf("%d of %d bytes: it took %d MiB", size, info.Size(), took>>20)
		}
	}
}

// peak returns the peak of the resident memory in bytes since the kernel counts it.
func peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, " kB")
	kib, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
