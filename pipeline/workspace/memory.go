package workspace

import (
	"os"
	"strconv"
	"strings"
)

// ResetPeakMemory makes the kernel count this process's peak of resident memory from
// now on. Where it cannot, the peak stays that of the whole process (proc(5),
// /proc/pid/clear_refs).
func ResetPeakMemory() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // as said above
}

// PeakMemory returns the most resident memory since ResetPeakMemory in bytes, 0 where
// the system does not say.
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
