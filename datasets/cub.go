package datasets

import (
	"context"
	"math"
	"path"
	"strconv"
	"strings"
)

// The published counts of CUB-200-2011. Classes 1..100 are the training
// classes of metric learning, and their images have the ids 1..5864.
const (
	cubTitle       = "CUB-200-2011"
	cubImages      = 11788
	cubClasses     = 200
	cubTrainImages = 5864
	cubSide        = 500  // pixels of the longest side of an image
	cubFlagTrain   = 5994 // rows with flag 1 in train_test_split.txt, which is the split of classification
)

// cub is Caltech-UCSD Birds 200-2011 (Wah et al. 2011). Its train classes are
// the first half of classes.txt, its test classes the second.
func cub() Set {
	return Set{
		Name: "cub", Title: cubTitle, Folders: []string{"CUB_200_2011"},
		Protocols: []Protocol{{ID: "cub-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 2, 4, 8, 16, 32}}},
		Read:      readCUB,
		archives: []published{
			{stem: "CUB_200_2011", lists: true, unpacked: []string{"CUB_200_2011", "images"}},
			{stem: "images", unpacked: []string{"images"}},
		},
		Looks: func(src *Source) bool {
			return firstFile(src, "images.txt") != "" && firstFile(src, "image_class_labels.txt", "classes.txt", "train_test_split.txt") != ""
		},
	}
}

// cubReader holds what was read so far.
type cubReader struct {
	src     *Source
	custom  string
	classes []string // by class id - 1
	rows    []Row
	lists   []List
}

// readCUB reads classes.txt, images.txt and the three lists with a row for each image.
func readCUB(ctx context.Context, src *Source, custom string) (*Layout, error) {
	err := needLists(cubTitle, src, "images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt", "classes.txt")
	if err != nil {
		return nil, err
	}
	r := &cubReader{src: src, custom: custom}
	steps := []func(context.Context) error{r.readClasses, r.readImages, r.readLabels, r.readFlags, r.readBoxes}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	layout := &Layout{
		Set: "cub", Root: src.Name(), Found: "images/ with five lists", Release: releaseName(custom),
		Lists: r.lists, Rows: r.rows,
	}
	if custom == "" {
		layout.most = cubSide
	}
	return layout, nil
}

// readClasses reads classes.txt.
func (r *cubReader) readClasses(ctx context.Context) error {
	l := &listFile{src: r.src, name: "classes.txt"}
	seen := map[string]int{}
	list, err := l.readNumbered(ctx, "<class name>", func(line, _ int, name string) error {
		if first, ok := seen[name]; ok {
			return l.errorf(line, "class %s is listed twice, first in line %d", quote(name), first)
		}
		seen[name] = line
		r.classes = append(r.classes, name)
		return nil
	})
	if err != nil {
		return err
	}
	r.lists = append(r.lists, list)
	if r.custom == "" {
		return l.wantRows(list.Rows, cubClasses, 0, cubTitle)
	}
	if list.Rows < 2 {
		return l.errorf(l.last, "want 2 classes or more, half of them for training, got %d", list.Rows)
	}
	return nil
}

// readImages reads images.txt.
func (r *cubReader) readImages(ctx context.Context) error {
	l := &listFile{src: r.src, name: "images.txt"}
	seen := map[string]int{}
	list, err := l.readNumbered(ctx, "<path below images/>", func(line, id int, name string) error {
		if why := badPath(name); why != "" {
			return l.errorf(line, "path %s %s", quote(name), why)
		}
		if first, ok := seen[name]; ok {
			return l.errorf(line, "path %s is listed twice, first in line %d", quote(name), first)
		}
		seen[name] = line
		r.rows = append(r.rows, Row{ID: int64(id), Name: name, File: "images/" + name, Line: l.place(line)})
		return nil
	})
	if err != nil {
		return err
	}
	r.lists = append(r.lists, list)
	if r.custom == "" {
		return l.wantRows(list.Rows, cubImages, 0, cubTitle)
	}
	return nil
}

// readPerImage reads a list with a row for each image of images.txt.
func (r *cubReader) readPerImage(ctx context.Context, name, what string,
	row func(l *listFile, line, id int, rest string) error,
) (*listFile, error) {
	l := &listFile{src: r.src, name: name}
	list, err := l.readNumbered(ctx, what, func(line, id int, rest string) error {
		if id > len(r.rows) {
			return l.errorf(line, "image id %d is not in images.txt, which ends with id %d", id, len(r.rows))
		}
		return row(l, line, id, rest)
	})
	if err != nil {
		return nil, err
	}
	if list.Rows != len(r.rows) {
		return nil, l.errorf(l.last, "list ends with image id %d, want %d as in images.txt", list.Rows, len(r.rows))
	}
	r.lists = append(r.lists, list)
	return l, nil
}

// readLabels reads image_class_labels.txt.
func (r *cubReader) readLabels(ctx context.Context) error {
	images := make([]int, len(r.classes))
	l, err := r.readPerImage(ctx, "image_class_labels.txt", "<class id>", func(l *listFile, line, id int, rest string) error {
		class, ok := parseNumber(rest)
		if !ok || class < 1 || class > len(r.classes) {
			return l.errorf(line, "class id, want 1 to %d as in classes.txt, got %s", len(r.classes), quote(rest))
		}
		row := &r.rows[id-1]
		if folder := path.Dir(row.Name); folder != r.classes[class-1] {
			return l.errorf(line, "class %d is %s in classes.txt, but %s has image %d in %s",
				class, quote(r.classes[class-1]), row.Line, id, quote(folder))
		}
		row.Class, row.ClassName = int32(class), r.classes[class-1]
		row.Split = splitOfHalf(class, len(r.classes))
		if train := id <= cubTrainImages; r.custom == "" && train != (row.Split == Train) {
			return l.errorf(line, "class of image %d: want classes 1..%d for ids 1..%d and no others, got %d",
				id, cubClasses/2, cubTrainImages, class)
		}
		images[class-1]++
		return nil
	})
	if err != nil {
		return err
	}
	for i, n := range images {
		if n == 0 {
			return l.errorf(l.last, "class %d (%s) of classes.txt has no image", i+1, quote(r.classes[i]))
		}
	}
	return nil
}

// splitOfHalf splits classes 1..n: the first half trains.
func splitOfHalf(class, n int) Split {
	if class <= n/2 {
		return Train
	}
	return Test
}

// readFlags checks train_test_split.txt. It is the split of classification and
// is not used, but copies with an inverted flag are known, and such a copy is
// not the published one in other ways too.
func (r *cubReader) readFlags(ctx context.Context) error {
	flagged := 0
	first := ""
	l, err := r.readPerImage(ctx, "train_test_split.txt", "<0 or 1>", func(l *listFile, line, id int, rest string) error {
		if rest != "0" && rest != "1" {
			return l.errorf(line, "flag, want 0 or 1, got %s", quote(rest))
		}
		if id == 1 {
			first = rest
		}
		if rest == "1" {
			flagged++
		}
		return nil
	})
	switch {
	case err != nil || r.custom != "" || flagged == cubFlagTrain:
		return err
	case flagged == cubImages-cubFlagTrain:
		return l.errorf(1, "the flag is inverted: want 0 for image 1 and 1 for %d images, got %s and %d", cubFlagTrain, first, flagged)
	}
	return l.wantCount(l.last, "images with flag 1", flagged, cubFlagTrain, cubTitle)
}

// readBoxes reads bounding_boxes.txt. A box is rounded outwards to whole pixels.
func (r *cubReader) readBoxes(ctx context.Context) error {
	_, err := r.readPerImage(ctx, "bounding_boxes.txt", "<x> <y> <width> <height>", func(l *listFile, line, id int, rest string) error {
		fields := strings.Split(rest, " ")
		var v [4]float64
		for i := range v {
			var err error
			if len(fields) == len(v) {
				v[i], err = strconv.ParseFloat(fields[i], 64)
			}
			if len(fields) != len(v) || err != nil || math.IsNaN(v[i]) || math.Abs(v[i]) > maxCoordinate {
				return l.errorf(line, `want "<x> <y> <width> <height>" in pixels, got %s`, quote(rest))
			}
		}
		if v[2] <= 0 || v[3] <= 0 {
			return l.errorf(line, "box, want a width and a height above 0, got %s", quote(rest))
		}
		r.rows[id-1].Box = &Box{
			X0: int(math.Floor(v[0])), Y0: int(math.Floor(v[1])),
			X1: int(math.Ceil(v[0] + v[2])), Y1: int(math.Ceil(v[1] + v[3])),
		}
		return nil
	})
	return err
}

// maxCoordinate is the largest absolute value of a coordinate of a box.
const maxCoordinate = 1 << 20
