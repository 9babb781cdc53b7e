package vectors

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// headBytes is how much of a file says what it is.
const headBytes = 16

// file is an open file that another program wrote and that may be broken.
type file struct {
	path string
	size int64
	head []byte // its first bytes, at most headBytes
	io.ReaderAt
	closer io.Closer
}

// openFile opens a regular file. What is none is an error at once: a plain open of a pipe waits for its
// writer and heeds no signal.
func openFile(path string) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %s, want a file", path, info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return newFile(path, f, info.Size(), f)
}

// newFile describes an open file of a size.
func newFile(path string, r io.ReaderAt, size int64, c io.Closer) (*file, error) {
	f := &file{path: path, size: size, ReaderAt: r, closer: c, head: make([]byte, min(size, headBytes))}
	if _, err := f.ReadAt(f.head, 0); err != nil && len(f.head) > 0 {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if size == 0 {
		c.Close()
		return nil, fmt.Errorf("%s: the file is empty", path)
	}
	return f, nil
}

func (f *file) close() error { return f.closer.Close() }

// digest returns the file's SHA-256, hex.
func (f *file) digest() (string, error) {
	h := sha256.New()
	n, err := io.Copy(h, f.section(0))
	if err == nil && n != f.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// section reads the file from an offset on.
func (f *file) section(offset int64) *io.SectionReader {
	return io.NewSectionReader(f, offset, f.size-offset)
}

// readAt fills p from an offset on. The error names the offset.
func (f *file) readAt(p []byte, offset int64) error {
	if offset < 0 || offset > f.size || int64(len(p)) > f.size-offset {
		return f.errorAt(offset, "%d bytes wanted, the file ends at %d", len(p), f.size)
	}
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, int64(len(p))), p); err != nil {
		return f.errorAt(offset, "%w", err)
	}
	return nil
}

// errorAt is an error about an offset of the file.
func (f *file) errorAt(offset int64, format string, args ...any) error {
	return fmt.Errorf("%s: offset %d: "+format, append([]any{f.path, offset}, args...)...)
}

// errorf is an error about the file.
func (f *file) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{f.path}, args...)...)
}

// mostExpansion is how many times larger than the file its content may be. LZ4 and Snappy reach less;
// other codecs reach it with content that is constant.
const mostExpansion = 256

// mostBytes is the most memory that the content of the file may take.
func (f *file) mostBytes() int64 { return 1<<20 + mostExpansion*f.size }

// mostValues is the most values that the file may claim to have. A compressed one takes at least a bit
// of what it decompresses to.
func (f *file) mostValues() int64 { return 8 * f.mostBytes() }

// guarded calls use and turns its panic into an error: parsers of broken files slice and index by
// what they read.
func (f *file) guarded(use func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged file: %v", f.path, p)
		}
	}()
	return use()
}
