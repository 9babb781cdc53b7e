package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// temporaryPrefix begins the names of files that are being written. A killed process leaves some
// behind; the next one that writes the same file removes them, and Run.Sweep those of a cell.
const temporaryPrefix = ".tmp-"

// IsTemporary reports whether a file with this name is being written, or was left by a killed process.
func IsTemporary(name string) bool { return strings.HasPrefix(name, temporaryPrefix) }

// WriteFile writes a whole file: after a crash or a power cut the path holds either the old content
// or the new one. The data goes to a temporary file in the same folder, which is synced and renamed;
// then the folder is synced. Where a step fails, the temporary file is removed.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	return WriteFileFunc(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFileFunc is WriteFile for content that is not in memory: write produces it.
func WriteFileFunc(path string, mode fs.FileMode, write func(w io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := createTemporary(dir, temporaryPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(mode), f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return errors.Join(f.Close(), SyncFolder(dir))
}

// createTemporary creates a temporary file, after it has removed those that killed processes left by
// the same pattern. The file is locked until it is closed: the kernel lifts the lock of a process
// that ends, so a file without a lock is nobody's.
func createTemporary(dir, pattern string) (*os.File, error) {
	left, err := filepath.Glob(filepath.Join(globQuote(dir), globQuote(pattern[:len(pattern)-1])+"*"))
	if err != nil {
		return nil, fmt.Errorf("sweep %s: %w", dir, err)
	}
	for _, name := range left {
		sweepTemporary(name)
	}
	for {
		f, err := os.CreateTemp(dir, pattern)
		if err != nil {
			return nil, err
		}
		// A file system without locks has no sweeping either.
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			return f, nil //nolint:nilerr // see above
		}
		if _, err = os.Lstat(f.Name()); err == nil {
			return f, nil
		}
		if err = errors.Join(f.Close()); err != nil { // swept before it was locked
			return nil, err
		}
	}
}

// sweepTemporary removes a temporary file that no process is writing. What cannot be removed stays.
func sweepTemporary(name string) {
	f, err := openRegular(name)
	if err != nil {
		return
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(name) // it is in nobody's way
	}
	_ = f.Close() // nothing was written
}

// globQuote quotes what filepath.Glob takes for a pattern.
func globQuote(name string) string {
	var out []byte
	for i := range len(name) {
		switch name[i] {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, name[i])
	}
	return string(out)
}

// SyncFolder makes the names in a folder durable: a rename in it survives a power cut.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openRegular opens a file to read it. Anything but a file is an error at once: a named pipe would
// wait for a writer, and a device may never end.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is no file (%s)", path, info.Mode().Type())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadFile is os.ReadFile for a file of a run: what is no file is an error at once.
func ReadFile(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, 0, info.Size()+1) // one more, so that the end is seen without growing
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, f.Close()
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if len(data) == cap(data) { // it grows while it is read
			data = append(data, 0)[:len(data)]
		}
	}
}

// openDigested opens a file and compares it with its SHA-256, hex; an empty one is not compared.
func openDigested(path, digest string) (*os.File, error) {
	f, err := openRegular(path)
	if err != nil || digest == "" {
		return f, err
	}
	sum, err := fileDigest(f)
	if err == nil && sum != digest {
		err = digestError(path, sum, digest)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// digestError says that a file is not the one that its cell wrote.
func digestError(path, got, want string) error {
	return fmt.Errorf("%s: SHA-256 %.12s, the record of the cell has %.12s: the file was changed or damaged after it was written",
		path, got, want)
}

// fileDigest returns the SHA-256 of an open file, hex, and goes back to its beginning.
func fileDigest(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
