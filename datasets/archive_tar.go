package datasets

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// tarPadding is how much may follow the end of a tar file: programs fill it up to whole records.
const tarPadding = 1 << 20

// tarBlock is the number of bytes of which headers and contents have a multiple.
const tarBlock = 512

// A tarSource is what a tar file is read from: a file, or what a gzip file unpacks to.
type tarSource interface {
	io.Reader
	position() int64 // bytes that were read so far
}

// readTar notes where the members of a tar file are.
func (a *archive) readTar(ctx context.Context, f *os.File, size int64) error {
	section := sectionSource{io.NewSectionReader(f, 0, size)}
	err := a.readHeaders(ctx, section, func(_ io.Reader, h *tar.Header) (int64, error) {
		offset := section.position()
		if h.Size > size-offset {
			return 0, io.ErrUnexpectedEOF
		}
		return offset, nil
	})
	a.reader = sectionsOf(f)
	return err
}

// readCompressedTar unpacks a compressed tar file once, because gzip can only be read from its start and
// no set has its images in the order in which they are stored. What is unpacked are the contents of the
// members, one after the other, into a file in the folder spool that has no name.
func (a *archive) readCompressedTar(ctx context.Context, f *os.File, spool string) error {
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return a.damaged("", err)
	}
	unpacked, err := spoolFile(spool)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", a.path, err)
	}
	out := bufio.NewWriterSize(unpacked, 1<<20)
	end := int64(0)
	buffer := make([]byte, 256<<10)
	in := &countedSource{ctx: ctx, reader: z}
	err = a.readHeaders(ctx, in, func(content io.Reader, h *tar.Header) (int64, error) {
		offset := end
		n, failed := io.CopyBuffer(struct{ io.Writer }{spoolWriter{out}}, content, buffer)
		end += n
		if failed == nil && n != h.Size {
			failed = io.ErrUnexpectedEOF
		}
		return offset, failed
	})
	if err == nil {
		err = a.afterEnd(in)
	}
	if err == nil {
		if failed := out.Flush(); failed != nil {
			err = fmt.Errorf("unpack %s into %s: %w", a.path, spool, failed)
		}
	}
	if err != nil {
		return errors.Join(err, unpacked.Close())
	}
	a.reader, a.closer = sectionsOf(unpacked), unpacked
	return f.Close()
}

// afterEnd reads what follows the end of a tar file in a gzip file, whose checksum comes last.
func (a *archive) afterEnd(in io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(in, tarPadding+1))
	if err != nil {
		return a.damaged("", err)
	}
	if n > tarPadding {
		return a.errorf("", "goes on for more than %d bytes after its end", tarPadding)
	}
	return nil
}

// readHeaders reads every member of a tar file. keep says where the content of a regular one is, and
// may read it.
func (a *archive) readHeaders(ctx context.Context, in tarSource,
	keep func(content io.Reader, h *tar.Header) (offset int64, err error),
) error {
	t := tar.NewReader(in)
	last, end := "", int64(0)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if in.position() < end+tarBlock { // it ends with a block of zeros, or two of them
				return a.errorf(last, "is the last one, without an end of the archive: it is cut off")
			}
			return nil
		}
		if err != nil {
			return a.damaged(last, fmt.Errorf("what follows it: %w", err))
		}
		last, end = h.Name, in.position()+(h.Size+tarBlock-1)/tarBlock*tarBlock
		p, err := a.clean(h.Name)
		if err != nil {
			return err
		}
		if err = a.addTarred(p, h, func() (int64, error) { return keep(t, h) }); err != nil {
			return err
		}
	}
}

// addTarred adds a member of a tar file.
func (a *archive) addTarred(p string, h *tar.Header, keep func() (int64, error)) error {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			h.Typeflag = tar.TypeGNUSparse
		}
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		return a.errorf(h.Name, "is refused: it is a symbolic link")
	case tar.TypeLink:
		return a.errorf(h.Name, "is refused: it is a hard link")
	case tar.TypeChar, tar.TypeBlock:
		return a.errorf(h.Name, "is refused: it is a device")
	case tar.TypeFifo:
		return a.errorf(h.Name, "is refused: it is a pipe")
	case tar.TypeGNUSparse:
		return a.errorf(h.Name, "is refused: it has holes")
	default:
		return a.errorf(h.Name, "is refused: it is of the unknown kind %q", h.Typeflag)
	}
	if a.leftover(p) {
		return a.unpacks(h.Name, h.Size)
	}
	if h.Typeflag == tar.TypeDir {
		return a.addFolder(h.Name, p)
	}
	if err := a.addFile(h.Name, p, 0, h.Size); err != nil {
		return err
	}
	offset, err := keep()
	if err != nil {
		if full, ok := errors.AsType[*spoolError](err); ok {
			return fmt.Errorf("unpack %s: %w", a.path, full.err)
		}
		return a.damaged(h.Name, err)
	}
	a.members[len(a.members)-1].offset = offset
	return nil
}

// sectionsOf returns the reader of members that lie in one file.
func sectionsOf(f *os.File) func(m *member) (io.ReadCloser, error) {
	return func(m *member) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, m.offset, m.size)), nil
	}
}

// A sectionSource is a tar file on disk. What is not read, is skipped.
type sectionSource struct{ *io.SectionReader }

// position is for tarSource.
func (s sectionSource) position() int64 {
	at, _ := s.Seek(0, io.SeekCurrent) // it cannot fail
	return at
}

// A countedSource is what a gzip file unpacks to.
type countedSource struct {
	ctx    context.Context // a read ends with it
	reader io.Reader
	n      int64
}

// Read reads on, until the context ends.
func (c *countedSource) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.reader.Read(p)
	c.n += int64(n)
	return n, err
}

// position is for tarSource.
func (c *countedSource) position() int64 { return c.n }

// A spoolError is an error of the file that is unpacked to, and none of the archive.
type spoolError struct{ err error }

// Error returns the error of the file.
func (e *spoolError) Error() string { return e.err.Error() }

// A spoolWriter marks errors of the file that is unpacked to.
type spoolWriter struct{ io.Writer }

// Write writes.
func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = &spoolError{err}
	}
	return n, err
}
