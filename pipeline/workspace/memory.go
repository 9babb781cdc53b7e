package workspace

import (
	"os"
	"strconv"
	"strings"
)

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
