package datasets

import (
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

	"golang.org/x/sys/unix"
)

// A Source holds the files of a raw data set: a folder, an archive, or a folder with archives that are
// read as if they were unpacked where they lie. Names are slash paths below its top, as fs.ValidPath
// has them; "." is the top itself.
type Source struct {
	name   string  // of the top on disk, for messages: a folder, or an archive and a folder in it
	base   string  // where the top is in the layers
	layers []layer // the first that has a name wins
	folded folded
}

// folded are the names in folders by their lower case, by folder: what resolve has looked up.
type folded map[string]map[string][]string

// A layer is a folder or an archive.
type layer interface {
	stat(name string) (fs.FileInfo, error)
	open(name string) (io.ReadCloser, int64, error) // a regular file with its size in bytes
	list(name string) ([]fs.DirEntry, error)
	io.Closer
}

// OpenSource opens a raw folder, or an archive with the ending .zip, .tar, .tar.gz or .tgz. In a folder,
// a symbolic link that leads out of it is an error, unless links are followed. A compressed tar is
// unpacked into a file in the folder spool that has no name, so that it is gone when the process ends.
// The caller closes the source.
func OpenSource(ctx context.Context, raw, spool string, followLinks bool) (*Source, error) {
	info, err := os.Stat(raw)
	if err != nil {
		return nil, err
	}
	var l layer
	if info.IsDir() {
		l, err = openFolderLayer(raw, followLinks)
	} else {
		l, err = openArchive(ctx, raw, ".", spool, standardArchiveLimits())
	}
	if err != nil {
		return nil, err
	}
	return &Source{name: raw, base: ".", layers: []layer{l}, folded: folded{}}, nil
}

// Name returns the place of the source on disk: a folder, or an archive and a folder in it.
func (s *Source) Name() string { return s.name }

// Path returns the place of a name on disk, for messages.
func (s *Source) Path(name string) string { return filepath.Join(s.name, filepath.FromSlash(name)) }

// Close closes the source and those that Sub made of it.
func (s *Source) Close() error {
	var errs []error
	for _, l := range s.layers {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Sub returns the source whose top is a folder of s. It is closed with s.
func (s *Source) Sub(name string) *Source {
	return &Source{name: s.Path(name), base: path.Join(s.base, name), layers: s.layers, folded: s.folded}
}

// Stat says what is at a name. A name that leads out of the source is an error.
func (s *Source) Stat(name string) (fs.FileInfo, error) {
	full, err := s.full("stat", name)
	if err != nil {
		return nil, err
	}
	for _, l := range s.layers {
		info, failed := l.stat(full)
		if failed == nil {
			return info, nil
		}
		if !isMissing(failed) {
			return nil, failed
		}
	}
	return nil, s.missing("stat", name)
}

// Open opens a regular file and returns its size in bytes.
func (s *Source) Open(name string) (io.ReadCloser, int64, error) {
	full, err := s.full("open", name)
	if err != nil {
		return nil, 0, err
	}
	for _, l := range s.layers {
		f, size, failed := l.open(full)
		if !isMissing(failed) {
			return f, size, failed
		}
	}
	return nil, 0, s.missing("open", name)
}

// ReadDir returns what is in a folder, by name, without what macOS leaves: __MACOSX, .DS_Store and files
// that begin with "._".
func (s *Source) ReadDir(name string) ([]fs.DirEntry, error) {
	full, err := s.full("open", name)
	if err != nil {
		return nil, err
	}
	var all []fs.DirEntry
	seen, found := map[string]bool{}, false
	for _, l := range s.layers {
		entries, failed := l.list(full)
		if isMissing(failed) {
			continue
		}
		if failed != nil {
			return nil, failed
		}
		found = true
		for _, e := range entries {
			if !seen[e.Name()] && !isLeftover(e.Name()) {
				seen[e.Name()] = true
				all = append(all, e)
			}
		}
	}
	if !found {
		return nil, s.missing("open", name)
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// Folders returns the names of the folders in a folder, with links to folders and without hidden ones. A
// folder that is not there has none.
func (s *Source) Folders(name string) ([]string, error) {
	entries, err := s.ReadDir(name)
	if isMissing(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || !isFolder(s, path.Join(name, e.Name())) {
			continue
		}
		names = append(names, e.Name())
	}
	return names, err
}

// resolve returns a name as it is written in the source: itself, or the only name that differs from it in
// upper and lower case alone. Where there is none, it returns the name. It is for lists and for the
// folders of a layout, and not for images: the names of two of them may differ in nothing else.
func (s *Source) resolve(name string) string {
	if _, err := s.Stat(name); !isMissing(err) {
		return name
	}
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		like := s.like(at)[strings.ToLower(part)]
		switch {
		case slices.Contains(like, part):
			at = path.Join(at, part)
		case len(like) == 1:
			at = path.Join(at, like[0])
		default:
			return name
		}
	}
	return at
}

// like returns the names in a folder by their lower case.
func (s *Source) like(dir string) map[string][]string {
	full := path.Join(s.base, dir)
	names, known := s.folded[full]
	if !known {
		names = map[string][]string{}
		entries, _ := s.ReadDir(dir) // what cannot be listed has no names
		for _, e := range entries {
			lower := strings.ToLower(e.Name())
			names[lower] = append(names[lower], e.Name())
		}
		s.folded[full] = names
	}
	return names
}

// full returns the path of a name in the layers.
func (s *Source) full(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: errors.New("path escapes from parent")}
	}
	return path.Join(s.base, name), nil
}

// missing returns the error of a name that no layer has.
func (s *Source) missing(op, name string) error {
	return &fs.PathError{Op: op, Path: s.Path(name), Err: fs.ErrNotExist}
}

// archives returns the archives of the source.
func (s *Source) archives() []*archive {
	var all []*archive
	for _, l := range s.layers {
		if a, ok := l.(*archive); ok {
			all = append(all, a)
		}
	}
	return all
}

// note says in words which archives are read, and how many of their members are left out.
func (s *Source) note() string {
	var names []string
	ignored := 0
	for _, a := range s.archives() {
		names = append(names, filepath.Base(a.path))
		ignored += a.ignored
	}
	if len(names) == 0 {
		return ""
	}
	note := ", read from " + strings.Join(names, ", ")
	if ignored > 0 {
		note += fmt.Sprintf(" (%d members of macOS left out)", ignored)
	}
	return note
}

// isMissing reports whether an error says that there is nothing of that name.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) }

// isLeftover reports whether a name is of what macOS leaves in folders and archives.
func isLeftover(name string) bool {
	return name == "__MACOSX" || name == ".DS_Store" || strings.HasPrefix(name, "._")
}

// A folderLayer is a folder on disk.
type folderLayer struct {
	dir  string
	root *os.Root // does not leave dir, through symbolic links neither; nil: links are followed
}

// openFolderLayer opens the folder dir.
func openFolderLayer(dir string, followLinks bool) (*folderLayer, error) {
	if followLinks {
		return &folderLayer{dir: dir}, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folderLayer{dir: dir, root: root}, nil
}

// Close closes the folder.
func (f *folderLayer) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// path returns the place of a name on disk.
func (f *folderLayer) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// stat is for Source.Stat.
func (f *folderLayer) stat(name string) (fs.FileInfo, error) {
	if f.root == nil {
		return os.Stat(f.path(name))
	}
	info, err := f.root.Stat(filepath.FromSlash(name))
	return info, f.explain(name, err)
}

// open is for Source.Open. A pipe in the place of a file, which would wait for a writer, is an error.
func (f *folderLayer) open(name string) (io.ReadCloser, int64, error) {
	var file *os.File
	var err error
	if f.root == nil {
		file, err = os.OpenFile(f.path(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	} else {
		file, err = f.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, 0, f.explain(name, err)
	}
	file, size, err := regular(file)
	if err != nil {
		return nil, 0, err
	}
	return file, size, nil
}

// list is for Source.ReadDir.
func (f *folderLayer) list(name string) ([]fs.DirEntry, error) {
	if f.root == nil {
		return os.ReadDir(f.path(name))
	}
	d, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, f.explain(name, err)
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}

// A linkError is the error of a symbolic link that leads out of a data set's folder.
type linkError struct {
	link, target, dir string
	err               error
}

// Error names the link, and says what to do.
func (e *linkError) Error() string {
	return fmt.Sprintf("%s is a symbolic link to %s, outside the data set's folder %s; --follow-links reads what it leads to: %v",
		e.link, e.target, e.dir, e.err)
}

// Unwrap returns the error of the system.
func (e *linkError) Unwrap() error { return e.err }

// explain adds to an error which symbolic link in a path leads out of the folder, and what to do.
func (f *folderLayer) explain(name string, err error) error {
	if err == nil || f.root == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	home, failed := filepath.EvalSymlinks(f.dir)
	if failed != nil {
		return err
	}
	for at := range name + "/" {
		if (name + "/")[at] != '/' {
			continue
		}
		link := f.path(name[:at])
		if info, missing := os.Lstat(link); missing != nil || info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, broken := filepath.EvalSymlinks(link)
		if broken != nil {
			continue
		}
		if inside, failed := filepath.Rel(home, target); failed != nil || !filepath.IsLocal(inside) {
			return &linkError{link: name[:at], target: target, dir: f.dir, err: err}
		}
	}
	return err
}
