package workspace

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The least limit of a group and of those above it counts, in both versions of control groups.
func TestMemoryLimit(t *testing.T) {
	for _, tt := range []struct {
		name, groups string
		files        map[string]string
		want         int64
	}{
		{"version 2", "0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "419430400\n", "memory.max": "999999999\n"}, 419430400},
		{"version 2 in a container, which sees its group as the root", "0::/\n", map[string]string{"memory.max": "1000\n"}, 1000},
		{"version 1", "3:cpu:/x\n4:memory:/a\n", map[string]string{
			"memory/a/memory.limit_in_bytes": "2000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2000},
		{"version 1 without a limit", "4:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"a path that leaves its root", "0::/../../a\n", map[string]string{"a/memory.max": "7\n"}, 7},
		{"no group", "", nil, 0},
		{"a broken line", "0:\n", nil, 0},
	} {
		groups, root := writeGroups(t, tt.groups, tt.files)
		if got := memoryLimit(groups, root); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// writeGroups writes a file in the form of /proc/self/cgroup, and files of control groups.
func writeGroups(t *testing.T, content string, files map[string]string) (groups, root string) {
	t.Helper()
	root = t.TempDir()
	groups = filepath.Join(root, "groups")
	if err := os.WriteFile(groups, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return groups, root
}

// What is available is the least of what the machine has and of what the groups leave; the cache of
// files counts as available.
func TestAvailableMemory(t *testing.T) {
	for _, tt := range []struct {
		name, groups string
		files        map[string]string
		want         int64
	}{
		{"no group", "", nil, 4096 << 10},
		{"a group without a limit", "0::/a\n", map[string]string{"a/memory.max": "max\n", "a/memory.current": "5\n"}, 4096 << 10},
		{"version 2", "0::/a\n", map[string]string{
			"a/memory.max": "1000\n", "a/memory.current": "700\n", "a/memory.stat": "anon 1\ninactive_file 200\nactive_file 50\n",
		}, 500},
		{"version 1", "4:memory:/a\n", map[string]string{
			"memory/a/memory.limit_in_bytes": "1000\n", "memory/a/memory.usage_in_bytes": "700\n",
			"memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
		}, 400},
		{"a group that is full", "0::/a\n", map[string]string{"a/memory.max": "1000\n", "a/memory.current": "1000\n"}, 1},
		{"the group above has less", "0::/a/b\n", map[string]string{
			"a/b/memory.max": "900\n", "a/b/memory.current": "100\n", "a/memory.max": "1000\n", "a/memory.current": "990\n",
		}, 10},
	} {
		groups, root := writeGroups(t, tt.groups, tt.files)
		meminfo := filepath.Join(root, "meminfo")
		if err := os.WriteFile(meminfo, []byte("MemTotal:  9999 kB\nMemAvailable:    4096 kB\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := availableMemory(meminfo, groups, root); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The limit lies above what is mapped, follows what is available, and leaves one alone that the process
// was started with.
func TestLimitMemory(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &before); err != nil {
		t.Fatal(err)
	}
	if before.Cur != unix.RLIM_INFINITY {
		t.Skip("this process was started with a limit")
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &before); err != nil {
			t.Error(err)
		}
	})
	limit := func() uint64 {
		var now unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_DATA, &now); err != nil {
			t.Fatal(err)
		}
		return now.Cur
	}
	w := New(Workspace{Dir: t.TempDir()})
	w.LimitMemory()
	first, mapped, total := limit(), uint64(procBytes("/proc/self/status", "VmData")), uint64(procBytes("/proc/meminfo", "MemTotal"))
	if first <= mapped || first > mapped+2*total {
		t.Errorf("the limit is %d bytes with %d mapped on a machine of %d", first, mapped, total)
	}
	if w.LimitMemory(); w.dataLimit != limit() {
		t.Errorf("the limit does not follow: %d, want %d", limit(), w.dataLimit)
	}
	other := New(Workspace{Dir: t.TempDir()})
	if given := limit(); given != 0 {
		if other.LimitMemory(); limit() != given || other.dataLimit != 0 {
			t.Errorf("a limit of %d that was there became %d", given, limit())
		}
	}
}
