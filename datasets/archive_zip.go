package datasets

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// encryptedZip is the flag of an encrypted member.
const encryptedZip = 1

// readZip reads the directory of a zip file.
func (a *archive) readZip(f *os.File, size int64) error {
	bounded := &boundedReader{file: f, left: a.limits.directory}
	z, err := zip.NewReader(bounded, size)
	switch {
	case bounded.left < 0:
		return a.errorf("", "directory is longer than %d bytes", a.limits.directory)
	case errors.Is(err, zip.ErrFormat):
		return a.errorf("", "zip file has no directory at its end: it is cut off or damaged")
	case err != nil:
		return a.damaged("", err)
	}
	bounded.released = true
	for i, file := range z.File {
		if err := a.addZipped(int64(i), file); err != nil {
			return err
		}
	}
	a.reader = func(m *member) (io.ReadCloser, error) { return z.File[m.offset].Open() }
	return nil
}

// addZipped adds a member of a zip file.
func (a *archive) addZipped(i int64, file *zip.File) error {
	p, err := a.clean(file.Name)
	if err != nil {
		return err
	}
	mode := file.Mode()
	switch kind := mode.Type(); {
	case mode&fs.ModeSymlink != 0:
		return a.errorf(file.Name, "is refused: it is a symbolic link")
	case kind != 0 && kind != fs.ModeDir:
		return a.errorf(file.Name, "is refused: it is %s", kindOf(mode))
	case a.leftover(p):
		return nil
	case mode.IsDir() || strings.HasSuffix(file.Name, "/"):
		return a.addFolder(file.Name, p)
	case file.Flags&encryptedZip != 0:
		return a.errorf(file.Name, "is encrypted: unpack the archive with the publisher's password (unzip asks for it), and name the folder")
	case file.Method != zip.Store && file.Method != zip.Deflate:
		return a.errorf(file.Name, "is compressed in a way that is not read (method %d): unpack the archive, and name the folder", file.Method)
	case file.UncompressedSize64 > uint64(a.limits.total):
		return a.errorf(file.Name, "is refused: it unpacks to more than %d bytes", a.limits.total)
	}
	return a.addFile(file.Name, p, i, int64(file.UncompressedSize64))
}

// A boundedReader reads a file, until so many bytes are read or it is released: after that several
// goroutines read, and nothing is counted.
type boundedReader struct {
	file     io.ReaderAt
	left     int64
	released bool
}

// ReadAt reads a part of the file.
func (r *boundedReader) ReadAt(p []byte, offset int64) (int, error) {
	if !r.released {
		if r.left -= int64(len(p)); r.left < 0 {
			return 0, errors.New("directory is too long")
		}
	}
	return r.file.ReadAt(p, offset)
}
