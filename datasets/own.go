package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ownSet is a set of the user's own data: name is that of the kind of input. Its data sets are always
// custom releases, and have the protocols that their splits allow.
//
// Recalls are at 1, 5 and 10, which fit sets of any size and are what other tools show first, and at
// 100, which still tells methods apart where a gallery is large; where it is small, R@100 is near 1.
func ownSet(name, title string, read func(ctx context.Context, o IngestOptions) (*Layout, *Source, error)) Set {
	recalls := []int{1, 5, 10, 100}
	return Set{
		Name: name, Title: title,
		Protocols: []Protocol{
			{ID: name + "-loo", Kind: KindLeaveOneOut, Recalls: recalls},
			{ID: name + "-qg", Kind: KindQueryGallery, Recalls: recalls},
		},
		readOwn: read,
	}
}

// ownRow is an image of the user's own data, as it was found.
type ownRow struct {
	place    string // "file:line", "file:row n" or the file's path, for messages
	file     string // Row.File
	name     string // Row.Name
	id       int64  // 0: its place among all rows, counted from 1
	label    string // the class
	number   int32  // of the class, where the data number their classes; -1 elsewhere
	split    string // one of splitWords; empty where the data say nothing
	category string
	box      *Box
}

// errorf returns an error at the row's place.
func (r ownRow) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %s", r.place, fmt.Sprintf(format, args...))
}

// validationWord is the split that is called validation. It tests where there is no other test split,
// as in the tables of open-metric-learning.
const validationWord = "validation"

// splitWord returns the split that a word names in folders, tables and names of files; "" for another
// word.
func splitWord(word string) string {
	switch strings.ToLower(word) {
	case "train", "training":
		return string(Train)
	case "test", "testing":
		return string(Test)
	case "val", "valid", validationWord:
		return validationWord
	case "query":
		return string(Query)
	case "gallery":
		return string(Gallery)
	}
	return ""
}

// ownLayout makes the layout of a set from its rows: it numbers the classes, and says which row is in
// which split. rule is nil where the data are to say it.
func ownLayout(ctx context.Context, set string, o IngestOptions, rows []ownRow) (*Layout, error) {
	rule, err := parseTrainRule(o.TrainClasses)
	if err != nil {
		return nil, err
	}
	if err = checkOwnRows(rows, o); err != nil {
		return nil, err
	}
	classes, err := numberClasses(rows)
	if err != nil {
		return nil, err
	}
	layout := &Layout{Set: set, Release: o.Custom, Lists: []List{}, Rows: make([]Row, len(rows))}
	var splits []Split
	if rule == nil {
		splits, err = ownSplits(rows)
	} else {
		splits, layout.Lists, err = ruledSplits(ctx, rule, rows, classes)
	}
	if err != nil {
		return nil, err
	}
	if err = checkSplits(rows, splits, rule); err != nil {
		return nil, err
	}
	for i, r := range rows {
		layout.Rows[i] = Row{
			ID: cmp.Or(r.id, int64(i+1)), Name: r.name, File: r.file, Class: classes[r.label], ClassName: r.label,
			Superclass: r.category, Split: splits[i], Box: r.box, Line: r.place,
		}
	}
	return layout, nil
}

// checkOwnRows checks what is wrong with rows whatever their splits.
func checkOwnRows(rows []ownRow, o IngestOptions) error {
	if len(rows) == 0 {
		return errors.New("there is no image")
	}
	type copied struct {
		file string
		box  Box
	}
	seen := make(map[copied]int, len(rows))
	boxes := 0
	for i, r := range rows {
		if r.box != nil {
			boxes++
		}
		at := copied{file: r.file}
		if r.box != nil && o.Crop == CropBox {
			at.box = *r.box
		}
		if first, twice := seen[at]; twice {
			hint := ""
			if r.box != nil && o.Crop != CropBox {
				hint = "; with --crop box, an image may be there once for each of its boxes"
			}
			return r.errorf("image %s is listed twice, first in %s%s", quote(r.name), rows[first].place, hint)
		}
		seen[at] = i
	}
	if o.Crop == CropBox && boxes == 0 {
		return errors.New("crop: the data have no boxes")
	}
	return nil
}

// numberClasses returns the number of each class. Where every class is named by a whole number, that is
// its number. Else it is the place of its name, counted from 1, among the names in the order of their
// bytes.
func numberClasses(rows []ownRow) (map[string]int32, error) {
	numbers := map[string]int32{}
	first := map[string]string{} // place by name
	whole := true
	for _, r := range rows {
		if _, known := numbers[r.label]; known {
			continue
		}
		if r.label == "" {
			return nil, r.errorf("the class has no name")
		}
		if strings.ContainsFunc(r.label, isControl) {
			return nil, r.errorf("the name of the class has control characters: %s", quote(r.label))
		}
		number := r.number
		if number < 0 {
			n, err := strconv.ParseInt(r.label, 10, 32)
			if err == nil && n < 0 {
				return nil, r.errorf("label is %d, which stands for an image without a label; leave such rows out", n)
			}
			whole = whole && err == nil
			number = int32(n)
		}
		numbers[r.label], first[r.label] = number, r.place
	}
	byNumber := map[int32]string{}
	for _, name := range sortedNames(numbers) {
		if _, taken := byNumber[numbers[name]]; taken {
			whole = false // such as 1 and 01
		}
		byNumber[numbers[name]] = name
	}
	if !whole {
		for i, name := range sortedNames(numbers) {
			numbers[name] = int32(i + 1)
		}
	}
	if len(numbers) < 2 {
		return nil, fmt.Errorf("all images are of one class, %s; want 2 classes or more", quote(rows[0].label))
	}
	return numbers, nil
}

// sortedNames returns the names of classes in the order of their bytes.
func sortedNames(numbers map[string]int32) []string {
	names := make([]string, 0, len(numbers))
	for name := range numbers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ruledSplits divides the classes by a rule. An image of another class than those that train keeps the
// part that it has in a search, query or gallery, and tests else.
func ruledSplits(ctx context.Context, rule *trainRule, rows []ownRow, classes map[string]int32) ([]Split, []List, error) {
	names := sortedNames(classes)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(classes[a], classes[b]) })
	train, lists, err := rule.pick(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	if lists == nil {
		lists = []List{}
	}
	splits := make([]Split, len(rows))
	for i, r := range rows {
		switch {
		case train[r.label]:
			splits[i] = Train
		case r.split == string(Query) || r.split == string(Gallery):
			splits[i] = Split(r.split)
		default:
			splits[i] = Test
		}
	}
	return splits, lists, nil
}

// ownSplits are the splits that the data have themselves.
func ownSplits(rows []ownRow) ([]Split, error) {
	splits := make([]Split, len(rows))
	first := map[string]int{} // row by the word of its split
	for i, r := range rows {
		if _, seen := first[r.split]; !seen {
			first[r.split] = i
		}
		splits[i] = Split(r.split)
		if r.split == validationWord {
			splits[i] = Test
		}
	}
	none, some := first[""]
	switch {
	case some && len(first) == 1:
		return nil, errors.New("the data do not say which classes train: --train-classes does, with " + trainChoices)
	case some:
		return nil, rows[none].errorf("the image has no split, but others have")
	}
	validation, both := first[validationWord]
	if test, also := first[string(Test)]; both && also {
		return nil, fmt.Errorf("the data have a validation split (%s) and a test split (%s): leave out one of them, "+
			"or divide the classes with --train-classes", rows[validation].place, rows[test].place)
	}
	return splits, nil
}

// checkSplits checks that rows in these splits can be searched, and that no class both trains and tests.
func checkSplits(rows []ownRow, splits []Split, rule *trainRule) error {
	first := map[Split]int{}
	trains := map[string]int{} // first row by class
	for i, s := range splits {
		if _, seen := first[s]; !seen {
			first[s] = i
		}
		if s == Train {
			if _, seen := trains[rows[i].label]; !seen {
				trains[rows[i].label] = i
			}
		}
	}
	for i, s := range splits {
		if k, shared := trains[rows[i].label]; shared && s != Train {
			return rows[i].errorf("class %s both trains (%s) and tests; classes that test must be new to a model, "+
				"and --train-classes divides them: %s", quote(rows[i].label), rows[k].place, trainChoices)
		}
	}
	test, tests := first[Test]
	query, queries := first[Query]
	gallery, galleries := first[Gallery]
	switch {
	case tests && (queries || galleries):
		searched := query
		if !queries {
			searched = gallery
		}
		return rows[test].errorf("the image is searched among all others, as query and gallery at once, but that of %s is %s alone; "+
			"want one way for all", rows[searched].place, splits[searched])
	case queries && !galleries:
		return rows[query].errorf("the image is a query, but there is no gallery")
	case galleries && !queries:
		return rows[gallery].errorf("the image is of the gallery, but there is no query")
	case !tests && !queries && rule != nil:
		return errors.New("train-classes: all classes train, so that none is left to test with")
	case !tests && !queries:
		return errors.New("all images train, so that none is left to test with; --train-classes divides the classes: " + trainChoices)
	}
	return nil
}

// ownFields is a row of a table, with what it has in columns of these names; empty where there is none.
type ownFields struct {
	label, split, isQuery, isGallery, category, id string
	corners                                        [4]string // x_1, y_1, x_2, y_2
}

// fill puts what the fields say into a row. The columns are those of open-metric-learning, see
// https://open-metric-learning.readthedocs.io; x_1, y_1 is the first pixel of the box, x_2, y_2 is
// behind its last.
func (f ownFields) fill(r *ownRow) error {
	if r.label = f.label; r.label == "" {
		return r.errorf("the image has no label")
	}
	if r.category = f.category; r.category != "" {
		if strings.ContainsFunc(r.category, isControl) {
			return r.errorf("category has control characters: %s", quote(r.category))
		}
	}
	if f.id != "" {
		id, err := strconv.ParseInt(f.id, 10, 64)
		if err != nil || id < 1 {
			return r.errorf("id, want whole numbers from 1 on, one for each image, got %s; call the column otherwise if it is something else", quote(f.id))
		}
		r.id = id
	}
	if err := f.fillSplit(r); err != nil {
		return err
	}
	return f.fillBox(r)
}

// fillSplit says which split the row is in.
func (f ownFields) fillSplit(r *ownRow) error {
	word := splitWord(f.split)
	if word == "" && !isNone(f.split) {
		return r.errorf("split, want train, validation, test, query or gallery, got %s", quote(f.split))
	}
	query, queryGiven, err := parseFlag(f.isQuery)
	if err != nil {
		return r.errorf("is_query, %v", err)
	}
	gallery, galleryGiven, err := parseFlag(f.isGallery)
	if err != nil {
		return r.errorf("is_gallery, %v", err)
	}
	tests := word == string(Test) || word == validationWord
	switch {
	case !queryGiven && !galleryGiven:
	case query && gallery && (word == "" || tests):
		word = cmp.Or(word, validationWord)
	case query && !gallery && (word == "" || tests || word == string(Query)):
		word = string(Query)
	case gallery && !query && (word == "" || tests || word == string(Gallery)):
		word = string(Gallery)
	case query || gallery:
		return r.errorf("split %s does not fit is_query %t and is_gallery %t", quote(f.split), query, gallery)
	case tests:
		return r.errorf("the image tests, but is neither query nor gallery")
	}
	r.split = word
	return nil
}

// fillBox reads the four corners.
func (f ownFields) fillBox(r *ownRow) error {
	var v [4]int
	given := 0
	for i, text := range f.corners {
		if isNone(text) {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != math.Trunc(n) || math.Abs(n) > maxCoordinate {
			return r.errorf("box, want whole numbers of pixels in x_1, y_1, x_2 and y_2, got %s", quote(text))
		}
		v[i] = int(n)
		given++
	}
	switch {
	case given == 0:
		return nil
	case given < len(v):
		return r.errorf("box, want x_1, y_1, x_2 and y_2, got %d of them", given)
	case v[0] >= v[2] || v[1] >= v[3]:
		return r.errorf("box, want x_1 < x_2 and y_1 < y_2, got %d,%d and %d,%d", v[0], v[1], v[2], v[3])
	}
	r.box = &Box{v[0], v[1], v[2], v[3]}
	return nil
}

// isNone reports whether a field of a table says that there is nothing: as pandas writes it, too.
func isNone(text string) bool {
	switch strings.ToLower(text) {
	case "", "none", "nan", "null", "na", "<na>":
		return true
	}
	return false
}

// parseFlag reads a truth value; given is false where there is none.
func parseFlag(text string) (value, given bool, err error) {
	switch strings.ToLower(text) {
	case "true", "1", "1.0":
		return true, true, nil
	case "false", "0", "0.0":
		return false, true, nil
	}
	if isNone(text) {
		return false, false, nil
	}
	return false, false, fmt.Errorf("want True, False or nothing, got %s", quote(text))
}
