package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Located is a data set and its top folder.
type Located struct {
	Set  Set
	Root string
}

// Locate returns the top folder of a set: raw itself, or the folder in raw that
// looks like it. Two of them are an error that names both.
func Locate(set Set, raw string) (string, error) {
	info, err := os.Stat(raw)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", set.Title, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("look for %s: %s is not a folder", set.Title, raw)
	}
	if set.Looks(raw) {
		return raw, nil
	}
	below, err := subfolders(raw)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", set.Title, err)
	}
	var found []string
	for _, dir := range below {
		if set.Looks(dir) {
			found = append(found, dir)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no %s in %s: want the published folder (%s) or the folder that holds it",
			set.Title, raw, strings.Join(set.Folders, ", "))
	case 1:
		return found[0], nil
	}
	return "", ambiguousError(set, found)
}

// LocateAll returns every data set in raw, in the order of All. It looks in raw itself and two
// levels below it, but not inside a folder that looks like a data set. Two folders for one set are
// an error that names both.
func LocateAll(raw string) ([]Located, error) {
	info, err := os.Stat(raw)
	if err != nil {
		return nil, fmt.Errorf("look for data sets: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("look for data sets: %s is not a folder", raw)
	}
	sets := All()
	found := make([][]string, len(sets))
	level := []string{raw}
	for depth := 0; depth <= 2; depth++ {
		var next []string
		for _, dir := range level {
			looks := false
			for i, set := range sets {
				if set.Looks(dir) {
					looks = true
					found[i] = append(found[i], dir)
				}
			}
			if looks || depth == 2 {
				continue
			}
			below, err := subfolders(dir)
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

// subfolders returns the folders in dir by name, with links to folders and without hidden ones.
func subfolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var below []string
	for _, e := range entries {
		if e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || !isFolder(dir, e.Name()) {
			continue
		}
		below = append(below, filepath.Join(dir, e.Name()))
	}
	return below, nil
}
