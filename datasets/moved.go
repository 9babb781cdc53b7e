package datasets

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// movedDepth is how deep a folder of images is looked for that is not where it was published.
const movedDepth = 3

// movedSample is how many rows of a folder are looked for in another one.
const movedSample = 256

// relocate looks for the images of folders of which none is there: in a folder that is called the same,
// but for upper and lower case, elsewhere in the data set, or, where its name was left out, in the top
// folder. It changes the files of the rows and returns the folders. Two places on one level, or two rows
// that come to mean one file, are an error.
func (s *sources) relocate(rows []*Row, there []bool) ([]string, error) {
	groups, tops := dead(rows, there)
	if len(tops) == 0 {
		return nil, nil
	}
	folders, err := s.foldersBelow()
	if err != nil {
		return nil, err
	}
	var moved []string
	for _, top := range tops {
		place, err := s.placeOf(top, groups[top], folders)
		if err != nil {
			return nil, err
		}
		if place == "" {
			continue
		}
		for _, r := range groups[top] {
			r.File = path.Join(place, strings.TrimPrefix(r.File, top+"/"))
		}
		moved = append(moved, place)
	}
	if len(moved) == 0 {
		return nil, nil
	}
	taken := make(map[string]*Row, len(rows))
	for _, r := range rows {
		if first, twice := taken[r.File]; twice {
			return nil, fmt.Errorf("%s: %s is not where it was published, and may be the image of %s too: "+
				"put the images into their published folders", r.Line, r.File, first.Line)
		}
		taken[r.File] = r
	}
	moved = mergeFolders(moved)
	if at := slices.Index(moved, "."); at >= 0 {
		moved[at] = "the top folder"
	}
	return moved, nil
}

// mergeFolders returns folders in order; those of one folder are replaced by it. Online Products has one
// for each super class.
func mergeFolders(folders []string) []string {
	slices.Sort(folders)
	folders = slices.Compact(folders)
	if len(folders) < 2 {
		return folders
	}
	parent := path.Dir(folders[0])
	for _, f := range folders {
		if path.Dir(f) != parent {
			return folders
		}
	}
	return []string{parent}
}

// dead returns the first folders in the paths of rows of which no image is there, and their rows.
func dead(rows []*Row, there []bool) (groups map[string][]*Row, tops []string) {
	groups = map[string][]*Row{}
	alive := map[string]bool{}
	for i, r := range rows {
		top, _, _ := strings.Cut(r.File, "/")
		if groups[top] == nil {
			tops = append(tops, top)
		}
		groups[top] = append(groups[top], r)
		alive[top] = alive[top] || there[i]
	}
	return groups, slices.DeleteFunc(tops, func(top string) bool { return alive[top] })
}

// foldersBelow returns the folders of the source by their depth, those in the top folder first.
func (s *sources) foldersBelow() ([][]string, error) {
	levels := make([][]string, movedDepth)
	level := []string{"."}
	for i := range levels {
		next, err := s.below(level)
		if err != nil {
			return nil, err
		}
		levels[i], level = next, next
	}
	return levels, nil
}

// placeOf returns the folder where the images of a published folder are, or "".
func (s *sources) placeOf(top string, rows []*Row, levels [][]string) (string, error) {
	for _, level := range levels {
		var places []string
		for _, folder := range level {
			if strings.EqualFold(path.Base(folder), top) && s.holds(folder, top, rows) {
				places = append(places, folder)
			}
		}
		switch len(places) {
		case 0:
		case 1:
			return places[0], nil
		default:
			return "", fmt.Errorf("there is no %s in %s, but more than one folder has its images: %s; want one of them",
				top, s.Name(), strings.Join(places, " and "))
		}
	}
	if s.holds(".", top, rows) {
		return ".", nil
	}
	return "", nil
}

// holds reports whether one of some images of a published folder is in another folder.
func (s *sources) holds(folder, top string, rows []*Row) bool {
	n := min(movedSample, len(rows))
	for k := range n {
		r := rows[k*len(rows)/n]
		rest, below := strings.CutPrefix(r.File, top+"/")
		if !below {
			continue
		}
		if info, err := s.Stat(path.Join(folder, rest)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}
