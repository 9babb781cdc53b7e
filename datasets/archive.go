package datasets

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An archive is a zip or tar file that is read as it is. Its members are known from one pass over its
// directory or its headers; their contents are read where they lie, by any number of goroutines.
type archive struct {
	path    string // on disk
	at      string // where its members appear in the source: the folder that it lies in, or "."
	limits  archiveLimits
	members []member
	files   map[string]int32         // index in members
	folders map[string][]fs.DirEntry // what is in a folder, in no order
	ignored int                      // members that macOS left

	seen   int   // members so far, whatever they are
	names  int64 // bytes of their names
	total  int64 // bytes that the members unpack to
	size   int64 // bytes of the archive, or of what was read of it so far
	reader func(m *member) (io.ReadCloser, error)
	closer io.Closer
}

// A member is a regular file in an archive.
type member struct {
	name   string // as the archive has it
	offset int64  // tar: of its content, in bytes; zip: its number in the directory
	size   int64  // bytes unpacked
}

// archiveLimits bound what an archive may take. No published archive comes near one of them.
type archiveLimits struct {
	members   int   // number of files and folders
	names     int64 // bytes of their names together
	directory int64 // bytes of a zip's directory
	total     int64 // bytes that an archive unpacks to
	ratio     int64 // how many times its own size that may be, ...
	free      int64 // ... which is not asked of what unpacks to less than this
}

// standardArchiveLimits returns the limits. Photographs are compressed already: the published archives
// unpack to about their own size, lists of text to ten times theirs. VehicleID has 221,567 images.
func standardArchiveLimits() archiveLimits {
	return archiveLimits{members: 1 << 20, names: 64 << 20, directory: 96 << 20, total: 256 << 30, ratio: 100, free: 64 << 20}
}

// maxMemberName is the length of a member's name that is still read, in bytes.
const maxMemberName = 4 << 10

// archiveEndings returns the endings of the archives that are read.
func archiveEndings() []string { return []string{".tar.gz", ".tgz", ".tar", ".zip"} }

// archiveStem returns a file name without the ending of an archive; ok is false where it has none.
func archiveStem(name string) (stem string, ok bool) {
	for _, ending := range archiveEndings() {
		if cut := len(name) - len(ending); cut > 0 && strings.EqualFold(name[cut:], ending) {
			return name[:cut], true
		}
	}
	return "", false
}

// openArchive opens an archive whose members appear in the folder at. What kind it is, its first bytes
// say: browsers unpack a .tgz on the way and leave its name.
func openArchive(ctx context.Context, file, at, spool string, l archiveLimits) (*archive, error) {
	f, size, err := openRegular(file)
	if err != nil {
		return nil, err
	}
	a := &archive{
		path: file, at: at, limits: l, size: size, closer: f,
		files: map[string]int32{}, folders: map[string][]fs.DirEntry{at: nil},
	}
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("read %s: %w", file, err), f.Close())
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		err = a.readZip(f, size)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		err = a.readCompressedTar(ctx, f, spool)
	case len(head) == 512 && string(head[257:262]) == "ustar":
		err = a.readTar(ctx, f, size)
	default:
		err = a.errorf("", "want an archive (%s), but the file begins with %s",
			strings.Join(archiveEndings(), ", "), quote(string(head[:min(n, 16)])))
	}
	if err != nil {
		return nil, errors.Join(err, a.closer.Close())
	}
	return a, nil
}

// errorf returns an error about a member, or about the archive where the member is "".
func (a *archive) errorf(name, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if name != "" {
		msg = "member " + quote(name) + " " + msg
	}
	return &FormatError{File: a.path, Msg: msg}
}

// damaged returns the error of an archive that cannot be read to its end.
func (a *archive) damaged(name string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return a.errorf(name, "is cut off: the archive is not whole")
	}
	return a.errorf(name, "is damaged: %v", err)
}

// clean returns the path of a member in the source, or why it cannot have one.
func (a *archive) clean(name string) (string, error) {
	if len(name) > maxMemberName {
		return "", a.errorf(name, "has a name of %d bytes, want at most %d", len(name), maxMemberName)
	}
	a.seen++
	if a.names += int64(len(name)); a.names > a.limits.names || a.seen > a.limits.members {
		return "", a.errorf(name, "is one too many: want at most %d members, and %d bytes of names", a.limits.members, a.limits.names)
	}
	p := strings.TrimSuffix(name, "/")
	for strings.HasPrefix(p, "./") {
		p = strings.TrimLeft(p[2:], "/")
	}
	if p == "." || p == "" && name != "" && !strings.HasPrefix(name, "/") {
		return a.at, nil
	}
	if why := badPath(p); why != "" {
		return "", a.errorf(name, "is refused: its path %s", strings.Replace(why, "data set's folder", "archive", 1))
	}
	if strings.ContainsFunc(p, isControl) {
		return "", a.errorf(name, "is refused: its path has control characters")
	}
	return path.Join(a.at, p), nil
}

// leftover reports whether a path in the archive is of what macOS leaves, and counts it.
func (a *archive) leftover(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if isLeftover(part) {
			a.ignored++
			return true
		}
	}
	return false
}

// addFolder adds a folder and those above it. Archives may name a folder more than once.
func (a *archive) addFolder(name, p string) error {
	if _, there := a.folders[p]; there || p == "." {
		return nil
	}
	if _, file := a.files[p]; file {
		return a.errorf(name, "is a folder and a file")
	}
	if len(a.folders) >= a.limits.members {
		return a.errorf(name, "is one too many: want at most %d folders", a.limits.members)
	}
	parent := path.Dir(p)
	if err := a.addFolder(name, parent); err != nil {
		return err
	}
	a.folders[p] = nil
	a.folders[parent] = append(a.folders[parent], entry{name: path.Base(p), dir: true})
	return nil
}

// addFile adds a regular file.
func (a *archive) addFile(name, p string, offset, size int64) error {
	if size < 0 {
		return a.errorf(name, "has a size of %d bytes", size)
	}
	if first, twice := a.files[p]; twice {
		return a.errorf(name, "comes twice, first as %s", quote(a.members[first].name))
	}
	if _, folder := a.folders[p]; folder {
		return a.errorf(name, "is a file and a folder")
	}
	if err := a.addFolder(name, path.Dir(p)); err != nil {
		return err
	}
	if err := a.unpacks(name, size); err != nil {
		return err
	}
	a.files[p] = int32(len(a.members))
	a.members = append(a.members, member{name: name, offset: offset, size: size})
	dir := path.Dir(p)
	a.folders[dir] = append(a.folders[dir], entry{name: path.Base(p), size: size})
	return nil
}

// unpacks counts bytes of contents. More than the archive can hold are an error: a small file that
// unpacks to a large one is no photograph.
func (a *archive) unpacks(name string, n int64) error {
	if n > a.limits.total-a.total {
		return a.errorf(name, "is refused: the archive unpacks to more than %d bytes", a.limits.total)
	}
	a.total += n
	if a.total > a.limits.free && a.total/a.limits.ratio > a.size {
		return a.errorf(name, "is refused: the archive unpacks to more than %d times its size", a.limits.ratio)
	}
	return nil
}

// Close closes the archive.
func (a *archive) Close() error { return a.closer.Close() }

// stat is for Source.Stat.
func (a *archive) stat(name string) (fs.FileInfo, error) {
	if i, ok := a.files[name]; ok {
		return entry{name: path.Base(name), size: a.members[i].size}, nil
	}
	if _, ok := a.folders[name]; ok || name == "." {
		return entry{name: path.Base(name), dir: true}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: filepath.Join(a.path, name), Err: fs.ErrNotExist}
}

// open is for Source.Open.
func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	i, ok := a.files[name]
	if !ok {
		if _, folder := a.folders[name]; folder {
			return nil, 0, fmt.Errorf("%s in %s is a folder, want a regular file", name, a.path)
		}
		return nil, 0, &fs.PathError{Op: "open", Path: filepath.Join(a.path, name), Err: fs.ErrNotExist}
	}
	m := &a.members[i]
	r, err := a.reader(m)
	if err != nil {
		return nil, 0, a.damaged(m.name, err)
	}
	return &memberReader{archive: a, member: m, reader: r, left: m.size}, m.size, nil
}

// list is for Source.ReadDir.
func (a *archive) list(name string) ([]fs.DirEntry, error) {
	entries, ok := a.folders[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(a.path, name), Err: fs.ErrNotExist}
	}
	return slices.Clone(entries), nil
}

// A memberReader reads a member. It ends where the archive says that the member ends, and says so when
// there is more or less in it, or another checksum.
type memberReader struct {
	archive *archive
	member  *member
	reader  io.ReadCloser
	left    int64
}

// Read reads on. With the last byte it looks for the end, and does not give that byte where the end is
// wrong: io.ReadFull asks for no error behind it.
func (r *memberReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.end()
	}
	n, err := r.reader.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	switch {
	case r.left == 0:
		if err = r.end(); !errors.Is(err, io.EOF) {
			return 0, err
		}
		err = nil // the next Read says that it is the end
	case errors.Is(err, io.EOF):
		err = r.archive.damaged(r.member.name, io.ErrUnexpectedEOF)
	case err != nil:
		err = r.archive.damaged(r.member.name, err)
	}
	return n, err
}

// end returns io.EOF where the member has no byte more and the checksum that it should have.
func (r *memberReader) end() error {
	var more [1]byte
	n, err := r.reader.Read(more[:])
	switch {
	case n > 0, errors.Is(err, zip.ErrFormat):
		return r.archive.errorf(r.member.name, "is refused: it unpacks to more than the %d bytes that the archive says", r.member.size)
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return r.archive.damaged(r.member.name, err)
}

// Close closes the member.
func (r *memberReader) Close() error { return r.reader.Close() }

// An entry is a file or a folder in an archive.
type entry struct {
	name string
	size int64
	dir  bool
}

// Name returns the last part of the path.
func (e entry) Name() string { return e.name }

// Size returns the size in bytes.
func (e entry) Size() int64 { return e.size }

// Mode returns the kind, and permission to read.
func (e entry) Mode() fs.FileMode { return e.Type() | 0o444 }

// Type returns the kind.
func (e entry) Type() fs.FileMode {
	if e.dir {
		return fs.ModeDir
	}
	return 0
}

// ModTime returns no time: archives of the same content differ in it.
func (e entry) ModTime() time.Time { return time.Time{} }

// IsDir reports whether it is a folder.
func (e entry) IsDir() bool { return e.dir }

// Sys returns nothing.
func (e entry) Sys() any { return nil }

// Info returns the entry.
func (e entry) Info() (fs.FileInfo, error) { return e, nil }

// spoolFile returns a file in dir that has no name any more: the system frees it when it is closed or
// the process ends, however it ends.
func spoolFile(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".unpacked-*")
	if err != nil {
		return nil, err
	}
	if err = os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
