package datasets

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchange lets two folders change places in one step. The error is errors.ErrUnsupported or EINVAL
// where the system or the file system cannot.
func exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}
