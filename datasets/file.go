package datasets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openRegular opens a file for reading and returns its size in bytes. A pipe in its place, which
// would wait for a writer, a folder or a device is an error.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	return regular(f)
}

// openIn is openRegular of a file in an open folder, whatever the folder is called by now.
func openIn(dir *os.File, name string) (*os.File, int64, error) {
	path := filepath.Join(dir.Name(), name)
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
		default:
			return regular(os.NewFile(uintptr(fd), path))
		}
	}
}

// regular returns an open file with its size, or closes what is none.
func regular(f *os.File) (*os.File, int64, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is %s, want a regular file", f.Name(), kindOf(info.Mode()))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// readAll reads a whole file of at most limit bytes, and closes it.
func readAll(f io.ReadCloser, name string, size, limit int64) ([]byte, error) {
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", name, size, limit)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// kindOf says what is in the place of a regular file.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}

// A newFile is a file while it is written, under a temporary name in its folder. Only commit gives
// it its own name, so that a file of that name is whole.
type newFile struct {
	*os.File
	path string
}

// createFile starts a file. Nobody else writes to the folder: an ingest holds the lock of its set.
func createFile(path string) (*newFile, error) {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, err
	}
	return &newFile{f, path}, nil
}

// commit syncs the file, renames it and syncs its folder. Where a step fails, the file is removed.
func (f *newFile) commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(f.path))
}

// abandon closes the file and removes it.
func (f *newFile) abandon() error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// writeFile writes a whole file.
func writeFile(path string, data []byte) error {
	f, err := createFile(path)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return errors.Join(err, f.abandon())
	}
	return f.commit()
}

// syncDir makes the names in dir durable: a rename in it survives a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
