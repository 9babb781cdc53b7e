package claims

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// FileName is the name of the file of claims in the folder of a run, of the feature cache or of the
// measurements. The file stays empty.
const FileName = "claims"

// PollInterval is the time between two looks at a claim that another process holds.
const PollInterval = 200 * time.Millisecond

// File is an open file of claims. The claims that were taken with it end when it is closed.
type File struct{ file *os.File }

// Open opens the file of claims in a folder. It makes the folder and the file where they are missing.
func Open(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_CREATE|os.O_RDWR|unix.O_NONBLOCK, 0o666)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return checked(f)
}

// Look opens the file of claims in a folder only to ask who holds them, which takes no right to write
// there. Where there is no file, nobody holds a claim.
func Look(dir string) (*File, error) {
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return checked(f)
}

// checked refuses what is no file: its locks would not be those of the others.
func checked(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is no file (%s)", f.Name(), info.Mode().Type())
	}
	if err != nil {
		return nil, fmt.Errorf("claims: %w", errors.Join(err, f.Close()))
	}
	return &File{f}, nil
}

// Close gives back every claim that was taken with the file.
func (c *File) Close() {
	if c.file != nil {
		_ = c.file.Close() // nothing was written
	}
}

// Try takes the claim of a piece of work, and returns false where somebody else holds it.
func (c *File) Try(name string) (bool, error) {
	err := c.lock(unix.F_OFD_SETLK, unix.F_WRLCK, name)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// Take waits until the claim of a piece of work is free, and takes it.
func (c *File) Take(ctx context.Context, name string) error {
	for {
		ok, err := c.Try(name)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(PollInterval):
		}
	}
}

// Release gives one claim back.
func (c *File) Release(name string) error {
	return c.lock(unix.F_OFD_SETLK, unix.F_UNLCK, name)
}

// Held reports whether somebody else holds a claim.
func (c *File) Held(name string) (bool, error) {
	if c.file == nil {
		return false, nil
	}
	l := byteLock(unix.F_WRLCK, name)
	if err := unix.FcntlFlock(c.file.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("claim of %s: %w", name, err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// lock sets or lifts the lock of the byte of a name.
func (c *File) lock(command int, kind int16, name string) error {
	l := byteLock(kind, name)
	for {
		err := unix.FcntlFlock(c.file.Fd(), command, &l)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP):
			return fmt.Errorf("claim of %s: %w: the file system of %s has no locks; use one that has", name, err, c.file.Name())
		default:
			return fmt.Errorf("claim of %s: %w", name, err)
		}
	}
}

// byteLock returns a lock of the byte that stands for a name. There are 2^62 bytes: two of a million
// names share one with a chance of 1 in 10 million, and would only wait for each other.
func byteLock(kind int16, name string) unix.Flock_t {
	sum := sha256.Sum256([]byte(name))
	return unix.Flock_t{
		Type: kind, Whence: io.SeekStart, Start: int64(binary.LittleEndian.Uint64(sum[:]) >> 2), Len: 1,
	}
}
