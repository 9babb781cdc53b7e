package datasets

import (
	"context"
	"strconv"
	"strings"
)

const sopTitle = "Stanford Online Products"

// sopHead is the first line of the lists, which some copies lack.
const sopHead = "image_id class_id super_class_id path"

// sopCounts are the published counts of one list. Class ids go on from the training list to the
// test list.
type sopCounts struct{ rows, firstClass, lastClass int }

// sop is Stanford Online Products (Oh Song et al. 2016).
func sop() Set {
	return Set{
		Name: "sop", Title: sopTitle, Folders: []string{"Stanford_Online_Products"},
		Protocols: []Protocol{{ID: "sop-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 10, 100, 1000}}},
		Read:      readSOP,
		archives: []published{
			{stem: "Stanford_Online_Products", lists: true, unpacked: []string{"Stanford_Online_Products", "bicycle_final"}},
		},
		Looks: func(src *Source) bool { return firstFile(src, "Ebay_train.txt", "Ebay_test.txt") != "" },
	}
}

// sopReader holds what was read so far.
type sopReader struct {
	src       *Source
	custom    string
	layout    *Layout
	paths     map[string]int32 // index of the row by path
	classes   map[int]*sopClass
	lastClass int
	supers    map[int]sopSuper
	bySuper   map[string]int // super class id by folder
	heads     int
}

// sopClass is a class as its rows have it so far; place is "file:line" of its first row.
type sopClass struct {
	split  Split
	super  int
	images int
	place  string
}

// sopSuper is a super class; place is "file:line" of its first row.
type sopSuper struct{ folder, place string }

// readSOP reads the training list and then the test list, whose ids go on.
func readSOP(ctx context.Context, src *Source, custom string) (*Layout, error) {
	if err := needLists(sopTitle, src, "Ebay_train.txt", "Ebay_test.txt"); err != nil {
		return nil, err
	}
	r := &sopReader{
		src: src, custom: custom,
		layout: &Layout{Set: "sop", Root: src.Name(), Release: releaseName(custom)},
		paths:  map[string]int32{}, classes: map[int]*sopClass{}, supers: map[int]sopSuper{}, bySuper: map[string]int{},
	}
	if err := r.readList(ctx, "Ebay_train.txt", Train, sopCounts{59551, 1, 11318}); err != nil {
		return nil, err
	}
	if err := r.readList(ctx, "Ebay_test.txt", Test, sopCounts{60502, 11319, 22634}); err != nil {
		return nil, err
	}
	heads := map[int]string{0: "without header lines", 1: "of which one has a header line", 2: "with header lines"}
	r.layout.Found = "lists " + heads[r.heads]
	return r.layout, nil
}

// readList reads one list and checks its counts.
func (r *sopReader) readList(ctx context.Context, name string, split Split, want sopCounts) error {
	l := &listFile{src: r.src, name: name}
	head, before := 0, len(r.layout.Rows)
	sum, err := l.read(ctx, func(line int, text string) error {
		if line == 1 {
			first, _, _ := strings.Cut(text, " ")
			if _, ok := parseNumber(first); !ok {
				head = 1
				if text != sopHead {
					return l.errorf(line, "want %q or the first row, got %s", sopHead, quote(text))
				}
				return nil
			}
		}
		return r.row(l, line, text, split)
	})
	if err != nil {
		return err
	}
	rows := len(r.layout.Rows) - before
	r.heads += head
	r.layout.Lists = append(r.layout.Lists, List{Name: name, SHA256: sum, Rows: rows})
	if rows == 0 {
		return l.errorf(l.last, "list has no rows")
	}
	if r.custom == "" {
		if err := l.wantRows(rows, want.rows, head, sopTitle); err != nil {
			return err
		}
	}
	return r.checkClasses(l, split, want)
}

// row reads "<image_id> <class_id> <super_class_id> <path>".
func (r *sopReader) row(l *listFile, line int, text string, split Split) error {
	fields := strings.Fields(text)
	var v [3]int
	ok := len(fields) == 4
	for i := 0; ok && i < len(v); i++ {
		v[i], ok = parseNumber(fields[i])
	}
	if !ok {
		return l.errorf(line, `want "<image_id> <class_id> <super_class_id> <path>", got %s`, quote(text))
	}
	id, class, super, file := v[0], v[1], v[2], fields[3]
	switch want := len(r.layout.Rows) + 1; {
	case id > 0 && id < want:
		return l.errorf(line, "image id %d is listed twice, want id %d (ids go on from list to list)", id, want)
	case id != want:
		return l.errorf(line, "image ids count up from 1 and go on from list to list, want %d, got %d", want, id)
	}
	if class < 1 || super < 1 {
		return l.errorf(line, "class and super class, want 1 or more, got %d and %d", class, super)
	}
	if why := badPath(file); why != "" {
		return l.errorf(line, "path %s %s", quote(file), why)
	}
	if first, seen := r.paths[file]; seen {
		return l.errorf(line, "path %s is listed twice, first in %s", quote(file), r.layout.Rows[first].Line)
	}
	folder, _, ok := strings.Cut(file, "/")
	if !ok {
		return l.errorf(line, `path, want "<super class>/<image>", got %s`, quote(file))
	}
	if err := r.check(l, line, class, super, split, folder); err != nil {
		return err
	}
	r.paths[file] = int32(len(r.layout.Rows))
	r.layout.Rows = append(r.layout.Rows, Row{
		ID: int64(id), Name: file, File: file, Class: int32(class), ClassName: fields[1],
		Superclass: strings.TrimSuffix(folder, "_final"), Split: split, Line: l.place(line),
	})
	return nil
}

// check compares a row with the earlier rows of its class and super class.
func (r *sopReader) check(l *listFile, line, class, super int, split Split, folder string) error {
	c, seen := r.classes[class]
	switch {
	case !seen:
		c = &sopClass{split: split, super: super, place: l.place(line)}
		r.classes[class] = c
	case c.split != split:
		return l.errorf(line, "class %d is in both lists, first in %s", class, c.place)
	case c.super != super:
		return l.errorf(line, "super class of class %d, want %d as in %s, got %d", class, c.super, c.place, super)
	}
	c.images++
	r.lastClass = max(r.lastClass, class)
	s, seen := r.supers[super]
	if !seen {
		if other, ok := r.bySuper[folder]; ok {
			return l.errorf(line, "folder %s is super class %d in %s, got %d", quote(folder), other, r.supers[other].place, super)
		}
		r.supers[super] = sopSuper{folder: folder, place: l.place(line)}
		r.bySuper[folder] = super
	} else if s.folder != folder {
		return l.errorf(line, "folder of super class %d, want %s as in %s, got %s", super, quote(s.folder), s.place, quote(folder))
	}
	return nil
}

// checkClasses checks that the class ids so far have no gap. In a published list it also checks
// which ids there are, and the number of images of each class.
func (r *sopReader) checkClasses(l *listFile, split Split, want sopCounts) error {
	if len(r.classes) != r.lastClass {
		for id := 1; ; id++ {
			if _, ok := r.classes[id]; !ok {
				return l.errorf(l.last, "class ids count up from 1 and go on from list to list: %d has no image, but %d has", id, r.lastClass)
			}
		}
	}
	if r.custom != "" {
		return nil
	}
	if r.lastClass != want.lastClass {
		return l.wantCount(l.last, "last class id", r.lastClass, want.lastClass, sopTitle)
	}
	for id := 1; id <= r.lastClass; id++ {
		c := r.classes[id]
		if (c.split == split) != (id >= want.firstClass) {
			return l.errorf(l.last, "classes of the %s list, want %d..%d, but %s has class %s",
				split, want.firstClass, want.lastClass, c.place, strconv.Itoa(id))
		}
		if c.images < 2 || c.images > 12 {
			return l.errorf(l.last, "images of class %d, want 2 to 12 as in %s, got %d", id, sopTitle, c.images)
		}
	}
	if split == Test && len(r.supers) != 12 {
		return l.wantCount(l.last, "super classes", len(r.supers), 12, sopTitle)
	}
	return nil
}
