package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

// A DamagedError says that a file of the cache does not hold the bytes that were installed.
type DamagedError struct {
	Path      string
	Hash      string // SHA-256 or XXH3-128
	Got, Want string // the hash, hex
	Fix       string // what to do: a sentence that ends in a command
}

func (e *DamagedError) Error() string {
	text := fmt.Sprintf("%s is damaged: %s is %s, want %s", e.Path, e.Hash, e.Got, e.Want)
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// verifyFile hashes the file at path. A SHA-256 other than digest, hex, is a DamagedError.
func verifyFile(path, digest string) error {
	got, err := fileSHA256(path)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if got != digest {
		return &DamagedError{Path: path, Hash: "SHA-256", Got: got, Want: digest}
	}
	return nil
}

// verifyQuickly does the same as verifyFile with XXH3-128, hex, which takes a quarter of the time. It
// finds any damage that a disk or a copy does; who makes a file on purpose can give it any XXH3.
func verifyQuickly(path, digest string) error {
	f, err := openFile(path)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	hash := xxh3.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{f}, make([]byte, 128<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	sum := hash.Sum128().Bytes()
	if got := hex.EncodeToString(sum[:]); got != digest {
		return &DamagedError{Path: path, Hash: "XXH3-128", Got: got, Want: digest}
	}
	return nil
}

// openFile opens a regular file. Anything else is refused before it is opened: a FIFO would wait for
// a writer, and a device may have no end.
func openFile(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.Open(path)
}

// fileSHA256 returns the SHA-256 of a file, hex.
func fileSHA256(path string) (string, error) {
	f, err := openFile(path)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// verified holds which files a process has hashed. A file that has been written since, or replaced,
// has another state and is hashed again.
type verified struct {
	mutex  sync.Mutex
	states map[string]fileState // by path
}

// fileState is what a file was when it was hashed. No program can write a file and leave all of it
// as it was: the kernel sets the time of the change.
type fileState struct {
	device, inode uint64
	bytes         int64
	changed       unix.Timespec
	digest        string // SHA-256, hex
}

// verify does what verifyFile does, once for each state of a file. A nil receiver remembers nothing.
func (v *verified) verify(path, digest string) error {
	if v == nil {
		return verifyFile(path, digest)
	}
	now, err := stateOf(path, digest)
	if err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	v.mutex.Lock()
	known := v.states[path] == now
	v.mutex.Unlock()
	if known {
		return nil
	}
	if err := verifyFile(path, digest); err != nil {
		return err
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.states == nil {
		v.states = map[string]fileState{}
	}
	v.states[path] = now
	return nil
}

func stateOf(path, digest string) (fileState, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return fileState{}, err
	}
	device := uint64(s.Dev) //nolint:unconvert // an int32 on macOS
	return fileState{device: device, inode: s.Ino, bytes: s.Size, changed: s.Ctim, digest: digest}, nil
}
