package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Located is a data set and where it was found.
type Located struct {
	Set  Set
	Root string // its top folder, or the folder or archive that holds its archives
}

// searchDepth is how deep below a raw folder a data set is looked for.
const searchDepth = 2

// A published is an archive that a set is published in.
type published struct {
	stem     string   // its path below the folder that it is unpacked in, without the ending
	lists    bool     // it holds the lists
	unpacked []string // folders beside it that say that it is unpacked already
	instead  string   // stem of an archive that is read instead, where it is there
}

// Locate returns the top folder of a set: raw itself, or the folder in raw, at most two levels deep, that
// looks like it. Two of them on one level are an error that names both.
func Locate(set Set, raw string) (string, error) {
	src, err := openToLook(raw)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", set.Title, err)
	}
	defer src.Close()
	found, err := src.find(set)
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", missingError(set, raw)
	}
	return filepath.Join(raw, filepath.FromSlash(found)), nil
}

// openToLook opens the folder raw, in which links are followed.
func openToLook(raw string) (*Source, error) {
	info, err := os.Stat(raw)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", raw)
	}
	return OpenSource(context.Background(), raw, "", true)
}

// missingError returns the error of a folder in which a set was not found.
func missingError(set Set, raw string) error {
	return fmt.Errorf("no %s in %s: want the published folder (%s), the folder that holds it, or the published archive",
		set.Title, raw, strings.Join(set.Folders, ", "))
}

// find returns the folder in a source that looks like a set: the top, or one at most two levels below
// it. It is "" where there is none. Two on one level are an error that names both.
func (s *Source) find(set Set) (string, error) {
	level := []string{"."}
	for depth := 0; ; depth++ {
		var found []string
		for _, dir := range level {
			if set.Looks(s.Sub(dir)) {
				found = append(found, dir)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			for i, dir := range found {
				found[i] = s.Path(dir)
			}
			return "", ambiguousError(set, found)
		case depth == searchDepth:
			return "", nil
		}
		next, err := s.below(level)
		if err != nil {
			return "", fmt.Errorf("look for %s: %w", set.Title, err)
		}
		level = next
	}
}

// below returns the folders in folders.
func (s *Source) below(dirs []string) ([]string, error) {
	var all []string
	for _, dir := range dirs {
		names, err := s.Folders(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			all = append(all, path.Join(dir, name))
		}
	}
	return all, nil
}

// openSet opens the source of a set: an archive, a folder that looks like the set or holds one that does,
// with the published archives in it that are not unpacked, or a folder with nothing but such archives.
func openSet(ctx context.Context, set Set, o IngestOptions) (*Source, error) {
	info, err := os.Stat(o.Raw)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", set.Title, err)
	}
	raw := o.Raw
	if info.IsDir() {
		look, failed := openToLook(raw)
		if failed != nil {
			return nil, fmt.Errorf("look for %s: %w", set.Title, failed)
		}
		found, failed := look.find(set)
		if failed = errors.Join(failed, look.Close()); failed != nil {
			return nil, failed
		}
		raw = filepath.Join(raw, filepath.FromSlash(found))
	}
	src, err := OpenSource(ctx, raw, o.Out, o.FollowLinks)
	if err != nil {
		return nil, err
	}
	sub, err := src.openArchives(ctx, set, o.Out)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return sub, nil
}

// openArchives adds the published archives in the folder of a source, or in the folders in it where it
// does not look like the set, and returns the part of it that does.
func (s *Source) openArchives(ctx context.Context, set Set, spool string) (*Source, error) {
	var files []string
	switch _, archived := s.layers[0].(*archive); {
	case archived:
	case set.Looks(s):
		files = s.published(set, ".", false)
	default:
		dirs, err := s.below([]string{"."})
		if err != nil {
			return nil, err
		}
		for _, dir := range append([]string{"."}, dirs...) {
			files = append(files, s.published(set, dir, true)...)
		}
	}
	for _, file := range files {
		a, err := openArchive(ctx, s.Path(file), path.Join(s.base, path.Dir(file)), spool, standardArchiveLimits())
		if err != nil {
			return nil, err
		}
		s.layers = append(s.layers, a)
		if err = s.overlap(); err != nil {
			return nil, err
		}
	}
	clear(s.folded)
	found, err := s.find(set)
	if err != nil {
		return nil, err
	}
	if found == "" {
		return nil, s.notFound(set)
	}
	if found == "." {
		return s, nil
	}
	return s.Sub(found), nil
}

// published returns the archives of a set in a folder that are not unpacked there. With lists, it returns
// none where none of them holds the lists.
func (s *Source) published(set Set, dir string, lists bool) []string {
	sub := s.Sub(dir)
	var all []string
	there := map[string]bool{} // by stem
	for _, p := range set.archives {
		if there[p.instead] {
			continue
		}
		if slices.ContainsFunc(p.unpacked, func(name string) bool { return isFolder(sub, sub.resolve(name)) }) {
			continue
		}
		in := sub.resolve(path.Dir(p.stem))
		entries, _ := sub.ReadDir(in) // a folder that is not there has none
		for _, e := range entries {
			file := path.Join(dir, in, e.Name())
			if stem, ok := archiveStem(e.Name()); ok && isStem(stem, path.Base(p.stem)) && !slices.Contains(all, file) {
				all = append(all, file)
				there[p.stem] = true
				lists = lists && !p.lists
			}
		}
	}
	if lists {
		return nil
	}
	return all
}

// isStem reports whether the name of an archive is a published one. Google Drive hands out a folder as
// several archives, NAME-20260101T120000Z-001.zip and so on.
func isStem(stem, want string) bool {
	if len(stem) < len(want) || !strings.EqualFold(stem[:len(want)], want) {
		return false
	}
	rest := stem[len(want):]
	return rest == "" || strings.HasPrefix(rest, "-20")
}

// overlap returns an error where the last archive has a file that an earlier one has.
func (s *Source) overlap() error {
	all := s.archives()
	last := all[len(all)-1]
	for _, a := range all[:len(all)-1] {
		for name := range last.files {
			if _, twice := a.files[name]; twice {
				return fmt.Errorf("%s and %s both hold %s: take one of them away", a.path, last.path, name)
			}
		}
	}
	return nil
}

// notFound returns the error of a source in which a set was not found, with what may have been meant.
func (s *Source) notFound(set Set) error {
	err := missingError(set, s.Name())
	if parent, failed := openToLook(filepath.Join(s.Name(), "..")); failed == nil {
		defer parent.Close()
		if set.Looks(parent) {
			return fmt.Errorf("%w; its lists are in the folder above: name that one", err)
		}
	}
	entries, _ := s.ReadDir(".") // it is only a hint
	for _, e := range entries {
		if _, ok := archiveStem(e.Name()); ok {
			return fmt.Errorf("%w; it holds %s: name the archive itself, if that is it", err, e.Name())
		}
	}
	return err
}

// LocateAll returns every published data set in raw, in the order of All. It looks in raw itself and two
// levels below it, but not inside a folder that looks like a data set, and then for published archives
// in raw. Two folders for one set are an error that names both.
func LocateAll(raw string) ([]Located, error) {
	src, err := openToLook(raw)
	if err != nil {
		return nil, fmt.Errorf("look for data sets: %w", err)
	}
	defer src.Close()
	sets := Published()
	found := make([][]string, len(sets))
	level := []string{"."}
	for depth := 0; depth <= searchDepth; depth++ {
		var next []string
		for _, dir := range level {
			looks := false
			for i, set := range sets {
				if set.Looks(src.Sub(dir)) {
					looks = true
					found[i] = append(found[i], src.Path(dir))
				}
			}
			if looks || depth == searchDepth {
				continue
			}
			below, err := src.below([]string{dir})
			if err != nil {
				return nil, fmt.Errorf("look for data sets: %w", err)
			}
			next = append(next, below...)
		}
		level = next
	}
	var all []Located
	var problems []error
	for i, set := range sets {
		switch len(found[i]) {
		case 0:
			if len(src.published(set, ".", true)) > 0 {
				all = append(all, Located{Set: set, Root: raw})
			}
		case 1:
			all = append(all, Located{Set: set, Root: found[i][0]})
		default:
			problems = append(problems, ambiguousError(set, found[i]))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no data set in %s or two levels below it", raw)
	}
	return all, nil
}

// ambiguousError returns the error of several folders for one set.
func ambiguousError(set Set, found []string) error {
	return fmt.Errorf("there is more than one folder of %s: %s; name one of them", set.Title, strings.Join(found, " and "))
}
