package datasets

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	inshopTitle     = "DeepFashion In-Shop"
	inshopPartition = "list_eval_partition.txt"
	inshopBoxes     = "list_bbox_inshop.txt"
	inshopSide      = 256 // pixels of the images in img
)

// inshop is the In-shop Clothes Retrieval Benchmark of DeepFashion (Liu et al. 2016). A class is an
// item_id: 99 published items have images in more than one category folder. The superclass is the
// category folder of an image.
func inshop() Set {
	return Set{
		Name: "inshop", Title: inshopTitle, Folders: []string{"In-shop Clothes Retrieval Benchmark"},
		Protocols: []Protocol{{ID: "inshop-qg", Kind: KindQueryGallery, Recalls: []int{1, 10, 20, 30, 40, 50}}},
		Read:      readInShop,
		archives:  inshopArchives(),
		Looks:     func(src *Source) bool { return firstFile(src, inshopPlaces(inshopPartition)...) != "" },
	}
}

// inshopArchives returns the archives of the set. Images of high resolution are read where there are no
// others.
func inshopArchives() []published {
	all := []published{
		{stem: "In-shop Clothes Retrieval Benchmark", lists: true, unpacked: []string{"In-shop Clothes Retrieval Benchmark", "Img", "img"}},
		{stem: "Eval", lists: true, unpacked: []string{"Eval"}},
		{stem: "Anno", unpacked: []string{"Anno"}},
		{stem: "Img", unpacked: []string{"Img/img", "img"}},
	}
	for _, dir := range []string{"", "Img/"} {
		all = append(all,
			published{stem: dir + "img", unpacked: []string{dir + "img"}},
			published{stem: dir + "img_highres", unpacked: []string{dir + "img", dir + "img_highres"}, instead: dir + "img"})
	}
	return all
}

// inshopPlaces returns the paths where a list may be, the published one first.
func inshopPlaces(name string) []string {
	if name == inshopPartition {
		return []string{"Eval/" + name, name, "Anno/" + name}
	}
	return []string{"Anno/" + name, name}
}

// inshopReader holds what was read so far.
type inshopReader struct {
	src    *Source
	custom string
	layout *Layout
	folder inshopFolder
	images map[string]int // image_name -> index of its row
	items  map[int]inshopItem
}

// inshopItem is a class.
type inshopItem struct {
	training bool
	place    string // "file:line" of its first row
}

// inshopFolder is a folder where the images may be.
type inshopFolder struct {
	path  string // below the data set's folder; the img/ of the lists stands for it
	high  bool   // high resolution; else at most 256x256, padded
	words string
}

// inshopFolders returns the folders where the images may be, the preferred one first. The results
// of the benchmark are those of the padded 256x256 images in img; images of high resolution give
// other ones.
func inshopFolders() []inshopFolder {
	return []inshopFolder{
		{path: "Img/img", words: "Img/img"},
		{path: "img", words: "img"},
		{path: "Img/img_highres", high: true, words: "Img/img_highres (high resolution)"},
		{path: "img_highres", high: true, words: "img_highres (high resolution)"},
	}
}

// readInShop reads list_eval_partition.txt and, where it is there, list_bbox_inshop.txt. The boxes
// refer to the 256x256 images: with images of high resolution, rows have no box.
func readInShop(ctx context.Context, src *Source, custom string) (*Layout, error) {
	name := firstFile(src, inshopPlaces(inshopPartition)...)
	if name == "" {
		return nil, needLists(inshopTitle, src, "Eval/"+inshopPartition)
	}
	r := &inshopReader{
		src: src, custom: custom, images: map[string]int{}, items: map[int]inshopItem{},
		layout: &Layout{Set: "inshop", Root: src.Name(), Release: releaseName(custom)},
	}
	r.findFolder()
	r.layout.HighRes = r.folder.high
	if err := r.readPartition(ctx, name); err != nil {
		return nil, err
	}
	boxes, err := optionalFile(inshopTitle, src, inshopPlaces(inshopBoxes)...)
	if err == nil && boxes != "" {
		err = r.readBoxes(ctx, boxes)
	}
	if err != nil {
		return nil, err
	}
	r.layout.most = r.mostSide()
	return r.layout, nil
}

// mostSide returns the longest side of the images that the lists are for, or 0 where they say nothing
// about it: lists of other images than the published ones, without boxes or with boxes that are larger.
func (r *inshopReader) mostSide() int {
	if r.folder.high {
		return 0
	}
	for _, row := range r.layout.Rows {
		if r.custom != "" && (row.Box == nil || max(row.Box.X1, row.Box.Y1) > inshopSide) {
			return 0
		}
	}
	return inshopSide
}

// findFolder picks the folder of the images and names it in Layout.Found.
func (r *inshopReader) findFolder() {
	folders := slices.DeleteFunc(inshopFolders(), func(f inshopFolder) bool { return !exactFolder(r.src, f.path) })
	if len(folders) == 0 {
		folders = r.otherCase()
	}
	var there []string
	for _, f := range folders {
		if len(there) == 0 {
			r.folder = f
		}
		there = append(there, f.words)
	}
	if len(there) == 0 {
		r.folder = inshopFolders()[1]
		r.layout.Found = "no image folder"
		return
	}
	r.layout.Found = "images in " + there[0]
	if len(there) > 1 {
		r.layout.Found += ", not used: " + strings.Join(there[1:], ", ")
	}
}

// otherCase returns the first folder that is there, but for upper and lower case. A folder Img alone may
// be the published Img or img.
func (r *inshopReader) otherCase() []inshopFolder {
	all := inshopFolders()
	for _, i := range []int{0, 2, 3, 1} {
		f := all[i]
		if name := r.src.resolve(f.path); isFolder(r.src, name) {
			f.words = strings.Replace(f.words, f.path, name, 1)
			f.path = name
			return []inshopFolder{f}
		}
	}
	return nil
}

// exactFolder is isFolder with case counted on every file system: img and Img/img are two layouts.
func exactFolder(src *Source, name string) bool {
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		entries, err := src.ReadDir(at)
		if at = path.Join(at, part); err != nil || !isFolder(src, at) ||
			!slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == part }) {
			return false
		}
	}
	return true
}

// readCounted reads a list with the number of rows in its first line and head in its second.
func (r *inshopReader) readCounted(ctx context.Context, name, head string,
	row func(l *listFile, line int, text string, fields []string) error,
) (*listFile, error) {
	l := &listFile{src: r.src, name: name}
	want, rows := 0, 0
	sum, err := l.read(ctx, func(line int, text string) error {
		fields := strings.Fields(text)
		switch line {
		case 1:
			var ok bool
			if want, ok = parseNumber(strings.TrimSpace(text)); !ok {
				hint := ""
				if n := len(fields); n == 2 && strings.Contains("012", fields[1]) {
					hint = " (this is CelebA's list of the same name)"
				}
				return l.errorf(line, "want the number of rows, got %s%s", quote(text), hint)
			}
			return nil
		case 2:
			if got := strings.Join(fields, " "); got != head {
				return l.errorf(line, "want %q, got %s", head, quote(text))
			}
			return nil
		}
		if rows++; rows > want {
			return l.errorf(line, "row %d, but line 1 says %d rows", rows, want)
		}
		return row(l, line, text, fields)
	})
	switch {
	case err != nil:
		return nil, err
	case rows == 0:
		return nil, l.errorf(l.last, "list has no rows")
	case rows < want:
		return nil, l.errorf(l.last, "list ends after %d rows, want %d as line 1 says", rows, want)
	}
	r.layout.Lists = append(r.layout.Lists, List{Name: name, SHA256: sum, Rows: rows})
	return l, nil
}

// readPartition reads list_eval_partition.txt and checks its counts.
func (r *inshopReader) readPartition(ctx context.Context, name string) error {
	l, err := r.readCounted(ctx, name, "image_name item_id evaluation_status", r.row)
	if err != nil || r.custom != "" {
		return err
	}
	images, items := map[Split]int{}, map[Split]map[int32]bool{}
	for _, row := range r.layout.Rows {
		if images[row.Split]++; items[row.Split] == nil {
			items[row.Split] = map[int32]bool{}
		}
		items[row.Split][row.Class] = true
	}
	for _, want := range []struct {
		split         Split
		images, items int
	}{{Train, 25882, 3997}, {Query, 14218, 3985}, {Gallery, 12612, 3985}} {
		if got, n := images[want.split], len(items[want.split]); got != want.images || n != want.items {
			return l.errorf(l.last, "%s: want the %d images of %d items of %s (another set in this layout needs --custom NAME), got %d of %d",
				want.split, want.images, want.items, inshopTitle, got, n)
		}
	}
	return nil
}

// row reads "<image_name> <item_id> <evaluation_status>".
func (r *inshopReader) row(l *listFile, line int, text string, fields []string) error {
	if len(fields) != 3 {
		hint := ""
		if len(fields) == 2 {
			hint = " (CelebA has a list of the same name with two columns)"
		}
		return l.errorf(line, `want "<image_name> <item_id> <evaluation_status>", got %s%s`, quote(text), hint)
	}
	name, split := fields[0], Split(fields[2])
	if split != Train && split != Query && split != Gallery {
		return l.errorf(line, "evaluation_status, want train, query or gallery, got %s", quote(fields[2]))
	}
	digits, ok := strings.CutPrefix(fields[1], "id_")
	item, valid := parseNumber(digits)
	if !ok || !valid || len(digits) != 8 {
		return l.errorf(line, "item_id, want id_ and 8 digits, got %s", quote(fields[1]))
	}
	if why := badPath(name); why != "" {
		return l.errorf(line, "path %s %s", quote(name), why)
	}
	rest, ok := strings.CutPrefix(name, "img/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 {
		return l.errorf(line, `path, want "img/<category>/<item>/<image>", got %s`, quote(name))
	}
	if first, seen := r.images[name]; seen {
		return l.errorf(line, "image %s is listed twice, first in %s", quote(name), r.layout.Rows[first].Line)
	}
	place := l.place(line)
	if first, seen := r.items[item]; !seen {
		r.items[item] = inshopItem{training: split == Train, place: place}
	} else if first.training != (split == Train) {
		return l.errorf(line, "item %s is in train and in test, first in %s", fields[1], first.place)
	}
	r.images[name] = len(r.layout.Rows)
	r.layout.Rows = append(r.layout.Rows, Row{
		ID: int64(len(r.layout.Rows) + 1), Name: name, File: r.folder.path + "/" + rest,
		Class: int32(item), ClassName: fields[1], Superclass: strings.Join(parts[:len(parts)-2], "/"),
		Split: split, Line: place,
	})
	return nil
}

// readBoxes reads list_bbox_inshop.txt: a box for each image of the partition. Its numbers are
// decimal, with or without leading zeros, and its corners are points: x_1 <= x < x_2.
func (r *inshopReader) readBoxes(ctx context.Context, name string) error {
	const head = "image_name clothes_type pose_type x_1 y_1 x_2 y_2"
	seen := make([]int, len(r.layout.Rows))
	l, err := r.readCounted(ctx, name, head, func(l *listFile, line int, text string, fields []string) error {
		if len(fields) != 7 {
			return l.errorf(line, `want "<image_name> <clothes_type> <pose_type> <x_1> <y_1> <x_2> <y_2>", got %s`, quote(text))
		}
		i, ok := r.images[fields[0]]
		if !ok {
			return l.errorf(line, "image %s is not in %s", quote(fields[0]), r.layout.Lists[0].Name)
		}
		if seen[i] != 0 {
			return l.errorf(line, "image %s is listed twice, first in line %d", quote(fields[0]), seen[i])
		}
		seen[i] = line
		var v [6]int
		for k := range v {
			n, err := strconv.ParseInt(fields[k+1], 10, 32)
			if err != nil || n < -maxCoordinate || n > maxCoordinate {
				return l.errorf(line, "%s, want a number, got %s", strings.Fields(head)[k+1], quote(fields[k+1]))
			}
			v[k] = int(n)
		}
		if v[4] <= v[2] || v[5] <= v[3] {
			return l.errorf(line, "box, want x_1 < x_2 and y_1 < y_2, got %v", v[2:])
		}
		if !r.folder.high {
			r.layout.Rows[i].Box = &Box{X0: v[2], Y0: v[3], X1: v[4], Y1: v[5]}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if i := slices.Index(seen, 0); i >= 0 {
		row := r.layout.Rows[i]
		return l.errorf(l.last, "list has no box for %s of %s", quote(row.Name), row.Line)
	}
	if r.folder.high {
		r.layout.Found += ", boxes not used: they refer to the 256x256 images"
	}
	return nil
}
