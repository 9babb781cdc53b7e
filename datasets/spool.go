package datasets

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// A spool is a layer of images in a file that has no name, so that nothing is left of it when the process
// ends, however it ends. Images are added in the order of their numbers, from 0 on. Row.File ends in # and
// the number.
//
// Images lie in their source in any order, compressed, while a data set is written by class: without the
// spool each would be looked for in the whole source, or all would be in memory.
type spool struct {
	file *os.File
	out  *bufio.Writer
	ends []int64 // position behind each image
	none []bool  // there is no such image
}

// newSpool starts a spool of about n images in the folder dir.
func newSpool(dir string, n int) (*spool, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		return nil, err
	}
	if err = os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f, out: bufio.NewWriterSize(f, 1<<20), ends: make([]int64, 0, n), none: make([]bool, 0, n)}, nil
}

// end returns the position behind the last image.
func (s *spool) end() int64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// add adds an image.
func (s *spool) add(image []byte) error {
	_, err := s.out.Write(image)
	s.ends, s.none = append(s.ends, s.end()+int64(len(image))), append(s.none, false)
	return err
}

// skip adds the number of an image that is missing.
func (s *spool) skip() error {
	s.ends, s.none = append(s.ends, s.end()), append(s.none, true)
	return nil
}

// flush writes what is buffered; it comes after the last image.
func (s *spool) flush() error { return s.out.Flush() }

// find returns where an image lies.
func (s *spool) find(op, name string) (start, size int64, err error) {
	i, err := strconv.Atoi(name[strings.LastIndexByte(name, '#')+1:])
	if err != nil || i < 0 || i >= len(s.ends) || s.none[i] {
		return 0, 0, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if i > 0 {
		start = s.ends[i-1]
	}
	return start, s.ends[i] - start, nil
}

// open is for Source.Open.
func (s *spool) open(name string) (io.ReadCloser, int64, error) {
	start, size, err := s.find("open", name)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(io.NewSectionReader(s.file, start, size)), size, nil
}

// stat is for Source.Stat.
func (s *spool) stat(name string) (fs.FileInfo, error) {
	_, size, err := s.find("stat", name)
	return spooled{name, size}, err
}

// list is for Source.ReadDir: nobody looks for an image by another name than its row has.
func (s *spool) list(string) ([]fs.DirEntry, error) { return nil, nil }

// Close gives the space back.
func (s *spool) Close() error { return s.file.Close() }

// spooled is what stat says of an image.
type spooled struct {
	name string
	size int64
}

func (s spooled) Name() string     { return s.name }
func (s spooled) Size() int64      { return s.size }
func (spooled) Mode() fs.FileMode  { return 0o400 }
func (spooled) ModTime() time.Time { return time.Time{} }
func (spooled) IsDir() bool        { return false }
func (spooled) Sys() any           { return nil }
