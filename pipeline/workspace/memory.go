package workspace

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MemoryLimit returns the bytes that the control groups of this process may hold in memory: the least
// limit of its group and of those above it. It returns 0 where there is no limit, or none is known.
func MemoryLimit() int64 {
	return memoryLimit("/proc/self/cgroup", "/sys/fs/cgroup")
}

// mostLimit is the least number that stands for "no limit" in version 1 of control groups, which has
// the largest int64 there, rounded down to whole pages.
const mostLimit = 1 << 62

// memoryLimit is MemoryLimit of the groups that memoryGroups finds.
func memoryLimit(groups, root string) int64 {
	var least int64
	for _, g := range memoryGroups(groups, root) {
		if n := readLimit(filepath.Join(g.dir, g.limit)); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// A memoryGroup is a control group: its folder, and the names of its files of bytes in it. The cache of
// files that can be given back is a line of memory.stat.
type memoryGroup struct{ dir, limit, usage, cache string }

// memoryGroups returns the groups that a file in the form of /proc/self/cgroup names (cgroups(7)), and
// those above them: "0::/path" for version 2, "4:memory:/path" for version 1. root is where the file
// systems of control groups are mounted.
func memoryGroups(groups, root string) []memoryGroup {
	content, err := os.ReadFile(groups)
	if err != nil {
		return nil
	}
	var found []memoryGroup
	for line := range strings.Lines(string(content)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		top, g := filepath.Join(root, "memory"), memoryGroup{
			limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cache: "total_inactive_file",
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			top, g = root, memoryGroup{limit: "memory.max", usage: "memory.current", cache: "inactive_file"}
		case !slices.Contains(strings.Split(fields[1], ","), "memory"):
			continue
		}
		for dir := filepath.Clean("/" + fields[2]); ; dir = filepath.Dir(dir) {
			g.dir = filepath.Join(top, dir)
			if found = append(found, g); dir == "/" {
				break
			}
		}
	}
	return found
}

// availableMemory returns the bytes that this process may still take before the kernel ends a process
// for want of memory, as far as the machine and its control groups tell, and 0 where they do not.
func availableMemory(meminfo, groups, root string) int64 {
	least := procBytes(meminfo, "MemAvailable")
	for _, g := range memoryGroups(groups, root) {
		limit, usage := readLimit(filepath.Join(g.dir, g.limit)), readLimit(filepath.Join(g.dir, g.usage))
		if limit == 0 || usage == 0 {
			continue
		}
		content, _ := os.ReadFile(filepath.Join(g.dir, "memory.stat")) // without it nothing is given back
		for line := range strings.Lines(string(content)) {
			if value, ok := strings.CutPrefix(line, g.cache+" "); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				usage -= n
			}
		}
		if free := max(limit-usage, 1); least == 0 || free < least {
			least = free
		}
	}
	return least
}

// procBytes returns a field of a file such as /proc/meminfo, which has it in "kB", in bytes; 0 where it
// is missing.
func procBytes(path, field string) int64 {
	for key, value := range ProcFields(path) {
		if key == field {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// LimitMemory bounds the memory that this process may map (setrlimit(2), RLIMIT_DATA) to what it has and
// what is available now. XLA on the CPU then gets an error for a batch that does not fit, and names it,
// where the kernel would kill the process. A quarter is added, because not all that is mapped is used. A
// limit that the process was started with stays.
func (w *Workspace) LimitMemory() {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &now); err != nil || (now.Cur != unix.RLIM_INFINITY && now.Cur != w.dataLimit) {
		return
	}
	mapped := procBytes("/proc/self/status", "VmData")
	free := availableMemory("/proc/meminfo", "/proc/self/cgroup", "/sys/fs/cgroup")
	if mapped == 0 || free == 0 {
		return
	}
	now.Cur = min(uint64(mapped+free+free/4), now.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &now); err == nil {
		w.dataLimit = now.Cur
	}
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
	return procBytes("/proc/self/status", "VmHWM")
}
