package workspace

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// MemoryLimit returns the bytes that the control groups of this process may hold in memory: the least
// limit of its group and of those above it. It returns 0 where there is no limit, or none is known.
func MemoryLimit() int64 {
	return memoryLimit("/proc/self/cgroup", "/sys/fs/cgroup")
}

// mostLimit is the least number that stands for "no limit" in version 1 of control groups, which has
// the largest int64 there, rounded down to whole pages.
const mostLimit = 1 << 62

// memoryLimit reads the limit of the groups that a file in the form of /proc/self/cgroup names
// (cgroups(7)): "0::/path" for version 2, "4:memory:/path" for version 1. root is where the file
// systems of control groups are mounted.
func memoryLimit(groups, root string) int64 {
	content, err := os.ReadFile(groups)
	if err != nil {
		return 0
	}
	var least int64
	for line := range strings.Lines(string(content)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		top, name := filepath.Join(root, "memory"), "memory.limit_in_bytes"
		switch {
		case fields[0] == "0" && fields[1] == "":
			top, name = root, "memory.max"
		case !slices.Contains(strings.Split(fields[1], ","), "memory"):
			continue
		}
		for dir := filepath.Clean("/" + fields[2]); ; dir = filepath.Dir(dir) {
			if n := readLimit(filepath.Join(top, dir, name)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if dir == "/" {
				break
			}
		}
	}
	return least
}

// readLimit reads a number of bytes, 0 where there is none or it stands for no limit.
func readLimit(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= mostLimit {
		return 0
	}
	return n
}

// ResetPeakMemory makes the kernel count the peak of this process's resident memory from now on.
// Where the kernel cannot, the peak stays that of the whole process (proc(5),
// /proc/pid/clear_refs).
func ResetPeakMemory() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it fails, the peak is that of the whole process
}

// PeakMemory returns the peak of resident memory since ResetPeakMemory in bytes, 0 where the system
// does not tell.
func PeakMemory() int64 {
	for key, value := range ProcFields("/proc/self/status") {
		if key == "VmHWM" {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
