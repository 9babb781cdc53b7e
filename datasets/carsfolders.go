package datasets

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// carsNumber is the name of an image: 5 digits are its number in one of the two lists of the devkit, 6
// digits its number in cars_annos.mat. They are different numberings.
var carsNumber = regexp.MustCompile(`^(\d{5}|\d{6})\.(jpg|JPG)$`)

// carsImageFolders returns the published folders of images.
func carsImageFolders() []string { return []string{"car_ims", "cars_train", "cars_test"} }

// A carsPart is a folder of class folders.
type carsPart struct {
	dir   string
	split string // train, test, or "" where its name says neither
	files []carsFile
}

// A carsFile is an image in a class folder.
type carsFile struct{ class, name string }

// findParts looks for copies of Cars-196 by class folders, such as train/<class name>/00001.jpg. It
// returns none where the published image folders are there.
func (r *carsReader) findParts(ctx context.Context) ([]carsPart, error) {
	for _, name := range carsImageFolders() {
		folder := r.src.resolve(name)
		if r.hasNumbers(folder) || r.hasNumbers(path.Join(folder, name)) {
			return nil, nil
		}
	}
	var parts []carsPart
	level := []string{"."}
	for range movedDepth + 1 {
		var next []string
		for _, dir := range level {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			folders, err := r.src.Folders(dir)
			if err != nil {
				return nil, err
			}
			part := carsPart{dir: dir, split: carsSplit(path.Base(dir))}
			for _, class := range folders {
				numbers, err := r.numbers(path.Join(dir, class))
				if err != nil {
					return nil, err
				}
				if len(numbers) == 0 || slices.ContainsFunc(carsImageFolders(), func(f string) bool { return strings.EqualFold(f, class) }) {
					next = append(next, path.Join(dir, class))
					continue
				}
				for _, name := range numbers {
					part.files = append(part.files, carsFile{class, name})
				}
			}
			if len(part.files) > 0 {
				parts = append(parts, part)
			}
		}
		level = next
	}
	return parts, nil
}

// hasNumbers reports whether a folder holds images with numbers for names.
func (r *carsReader) hasNumbers(dir string) bool {
	numbers, err := r.numbers(dir)
	return err == nil && len(numbers) > 0
}

// numbers returns the files in a folder that have numbers for names.
func (r *carsReader) numbers(dir string) ([]string, error) {
	entries, err := r.src.ReadDir(dir)
	if isMissing(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && carsNumber.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// carsSplit returns what the name of a folder says about the split of classification.
func carsSplit(name string) string {
	switch strings.TrimPrefix(strings.ToLower(name), "cars_") {
	case "train", "training":
		return "train"
	case "test", "testing":
		return "test"
	}
	return ""
}

// checkParts says whether the images of class folders are numbered as in the devkit, or why nobody can
// say which list they belong to.
func (r *carsReader) checkParts(parts []carsPart, papers, devkit bool) (byDevkit bool, err error) {
	digits := 0
	bySplit := map[string]string{}
	for _, p := range parts {
		for _, f := range p.files {
			n := strings.IndexByte(f.name, '.')
			if digits != 0 && n != digits {
				return false, r.ambiguous(p, "names of 5 and of 6 digits are different numberings, and there are both")
			}
			digits = n
		}
		if other, twice := bySplit[p.split]; twice {
			return false, r.ambiguous(p, "%s has class folders of the same split: take one of them away", other)
		}
		bySplit[p.split] = p.dir
	}
	for _, p := range parts {
		switch {
		case digits == 5 && p.split == "":
			return false, r.ambiguous(p, "a 5-digit number is that of a training and of a test image, and the folder is called neither train nor test")
		case digits == 5 && !devkit:
			return false, r.ambiguous(p, "5-digit names are numbers of the devkit, and %s has others: want devkit/ and %s",
				carsAnnos, carsTestAnnos)
		case digits == 6 && !papers:
			return false, r.ambiguous(p, "6-digit names are numbers of %s, and the devkit has others: want %s", carsAnnos, carsAnnos)
		}
	}
	return digits == 5, nil
}

// ambiguous returns the error of class folders whose images cannot be told.
func (r *carsReader) ambiguous(p carsPart, format string, args ...any) error {
	return fmt.Errorf("class folders in %s cannot be joined to the annotations: %s", r.path(p.dir), fmt.Sprintf(format, args...))
}

// ofClasses keeps the parts in which a folder is named after a class.
func (r *carsReader) ofClasses(parts []carsPart) []carsPart {
	known := map[string]bool{}
	for _, name := range r.classes {
		known[plainClass(name)] = true
	}
	return slices.DeleteFunc(parts, func(p carsPart) bool {
		return !slices.ContainsFunc(p.files, func(f carsFile) bool { return known[plainClass(f.class)] })
	})
}

// plainClass returns the letters and digits of a class name: folders have no slash, and some have no
// blanks.
func plainClass(name string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, name)
}

// join finds the image of each row in the class folders, by split and number. An image whose folder is
// not of the row's class, or that no row names, shows that the numbers are others.
func (r *carsReader) join(parts []carsPart, byDevkit bool) error {
	plain := map[string]string{}
	for _, name := range r.classes {
		if other, twice := plain[plainClass(name)]; twice {
			return fmt.Errorf("class folders of %s cannot be told apart: %s and %s", carsTitle, quote(other), quote(name))
		}
		plain[plainClass(name)] = name
	}
	rows := make(map[string]int, len(r.layout.Rows))
	for i, row := range r.layout.Rows {
		rows[row.Name] = i
	}
	taken := make(map[int]string, len(rows))
	var dirs []string
	for _, p := range parts {
		dirs = append(dirs, p.dir)
		for _, f := range p.files {
			file := path.Join(p.dir, f.class, f.name)
			name := "car_ims/" + strings.ToLower(f.name)
			if byDevkit {
				name = "cars_" + p.split + "/" + strings.ToLower(f.name)
			}
			i, known := rows[name]
			if !known {
				return r.errorf(file, "no annotation names %s", name)
			}
			row := &r.layout.Rows[i]
			if class := plain[plainClass(f.class)]; class != row.ClassName {
				return r.errorf(file, "%s says that %s is of class %s, but its folder is %s: the numbers are not those of the annotations",
					row.Line, name, quote(row.ClassName), quote(f.class))
			}
			if test := p.split == "test"; !byDevkit && p.split != "" && test != r.tests[i] {
				return r.errorf(file, "%s says that %s is an image of the other split", row.Line, name)
			}
			if first, twice := taken[i]; twice {
				return r.errorf(file, "%s is there twice, first as %s", name, first)
			}
			taken[i], row.File = file, file
		}
	}
	with := carsAnnos
	if byDevkit {
		with = "devkit/"
	}
	r.layout.Found = fmt.Sprintf("class folders in %s, joined to %s by split and number", strings.Join(dirs, " and "), with)
	return nil
}
