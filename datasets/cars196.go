package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"bierbench/datasets/internal/matfile"
)

const (
	carsTitle      = "Cars-196"
	carsAnnos      = "cars_annos.mat"
	carsMeta       = "devkit/cars_meta.mat"
	carsTrainAnnos = "devkit/cars_train_annos.mat"
	carsTestAnnos  = "cars_test_annos_withlabels.mat"
	carsUnlabelled = "devkit/cars_test_annos.mat"
)

// The published counts of Cars-196. Classes 1..98 train and 99..196 test. The field test and the
// two annotation files of the devkit are another split, that of classification.
const (
	carsClasses     = 196
	carsImages      = 16185
	carsTrainImages = 8054 // of classes 1..98
	carsDevkitTrain = 8144 // images with test = 0, and rows of cars_train_annos.mat
)

// cars196 is Cars-196 (Krause et al. 2013). Its train classes are the first
// half of the class names, its test classes the second.
func cars196() Set {
	return Set{
		Name: "cars196", Title: carsTitle, Folders: []string{"stanford_cars"},
		Protocols: []Protocol{{ID: "cars196-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 2, 4, 8, 16, 32}}},
		Read:      readCars196,
		archives: []published{
			{stem: "stanford_cars", lists: true, unpacked: []string{"stanford_cars", "car_ims", "cars_train"}},
			{stem: "car_devkit", lists: true, unpacked: []string{"devkit"}},
			{stem: "devkit", lists: true, unpacked: []string{"devkit"}},
			{stem: "car_ims", unpacked: []string{"car_ims"}},
			{stem: "cars_train", unpacked: []string{"cars_train"}},
			{stem: "cars_test", unpacked: []string{"cars_test"}},
		},
		Looks: func(src *Source) bool {
			return firstFile(src, carsAnnos, carsTrainAnnos, carsMeta) != ""
		},
	}
}

// carsReader holds what was read so far.
type carsReader struct {
	src     *Source
	custom  string
	layout  *Layout
	classes []string
	names   map[string]string // "file:row n" by image name
	test    int               // number of images with test = 1
	tests   []bool            // by row: test = 1
}

// readCars196 reads the layout of the papers, car_ims/ with cars_annos.mat, or that of the devkit,
// cars_train/ and cars_test/ with their annotations. Where the lists of both are there, the image
// folders decide. Copies by class folders are joined to either. Row ids count through cars_annos.mat, or through the training annotations of the
// devkit and on through its test annotations.
func readCars196(ctx context.Context, src *Source, custom string) (*Layout, error) {
	r := &carsReader{
		src: src, custom: custom, names: map[string]string{},
		layout: &Layout{Set: "cars196", Root: src.Name(), Release: releaseName(custom)},
	}
	papers := firstFile(src, carsAnnos) != ""
	devkit := firstFile(src, carsTrainAnnos) != ""
	others := !isFolder(src, "car_ims") && (isFolder(src, "cars_train") || isFolder(src, "cars_test"))
	if papers && devkit && others {
		papers = false
	}
	parts, err := r.findParts(ctx)
	if err != nil {
		return nil, err
	}
	if len(parts) > 0 && (papers || devkit) {
		if joined, failed := r.readParts(ctx, parts); joined || failed != nil {
			return r.layout, failed
		}
	}
	switch {
	case papers && others:
		err = fmt.Errorf("%s in %s: %s is for images in car_ims/, but there are cars_train/ or cars_test/, whose lists are missing: want devkit/ and %s",
			carsTitle, src.Name(), carsAnnos, carsTestAnnos)
	case papers:
		r.layout.Found = "car_ims/ with cars_annos.mat"
		err = r.readPapers(ctx)
	case devkit:
		r.layout.Found = "cars_train/ and cars_test/ with devkit/"
		err = r.readDevkit(ctx)
	default:
		err = fmt.Errorf("%s in %s: want %s or %s, got neither", carsTitle, src.Name(), carsAnnos, carsTrainAnnos)
	}
	if err != nil {
		return nil, err
	}
	return r.layout, r.check()
}

// readParts reads the annotations of class folders. It reads nothing where no folder is named after a class.
func (r *carsReader) readParts(ctx context.Context, parts []carsPart) (joined bool, err error) {
	papers, devkit := firstFile(r.src, carsAnnos) != "", firstFile(r.src, carsTrainAnnos) != ""
	file := carsMeta
	if !devkit {
		file = carsAnnos
	}
	names := &carsReader{src: r.src, custom: r.custom, layout: &Layout{}}
	variables, err := names.parse(file)
	if err == nil {
		err = names.readClasses(file, variables)
	}
	if err != nil {
		return false, err
	}
	if parts = names.ofClasses(parts); len(parts) == 0 {
		return false, nil
	}
	byDevkit, err := r.checkParts(parts, papers, devkit)
	if err != nil {
		return false, err
	}
	if byDevkit {
		err = r.readDevkit(ctx)
	} else {
		err = r.readPapers(ctx)
	}
	if err == nil {
		err = r.join(parts, byDevkit)
	}
	if err == nil {
		err = r.check()
	}
	return true, err
}

// readPapers reads the layout of the papers.
func (r *carsReader) readPapers(ctx context.Context) error {
	variables, err := r.parse(carsAnnos)
	if err != nil {
		return err
	}
	if err := r.readClasses(carsAnnos, variables); err != nil {
		return err
	}
	return r.readRows(ctx, carsAnnos, variables, "relative_im_path", "")
}

// readDevkit reads the layout of the devkit.
func (r *carsReader) readDevkit(ctx context.Context) error {
	test := firstFile(r.src, "devkit/"+carsTestAnnos, carsTestAnnos)
	if test == "" {
		test = "devkit/" + carsTestAnnos
		if firstFile(r.src, carsUnlabelled) != "" {
			return fmt.Errorf("%s in %s: %s has no classes, want %s beside it", carsTitle, r.src.Name(), carsUnlabelled, carsTestAnnos)
		}
	}
	if err := needLists(carsTitle, r.src, carsMeta, carsTrainAnnos, test); err != nil {
		return err
	}
	variables, err := r.parse(carsMeta)
	if err != nil {
		return err
	}
	if err = r.readClasses(carsMeta, variables); err != nil {
		return err
	}
	for _, part := range []struct{ name, folder string }{{carsTrainAnnos, "cars_train/"}, {test, "cars_test/"}} {
		if variables, err = r.parse(part.name); err != nil {
			return err
		}
		before := len(r.layout.Rows)
		if err = r.readRows(ctx, part.name, variables, "fname", part.folder); err != nil {
			return err
		}
		want := carsDevkitTrain
		if part.name == test {
			want = carsImages - carsDevkitTrain
		}
		if rows := len(r.layout.Rows) - before; r.custom == "" && rows != want {
			return r.errorf(part.name, "annotations, want the %d of %s (another set in this layout needs --custom NAME), got %d",
				want, carsTitle, rows)
		}
	}
	return nil
}

// parse reads a MAT-file and adds it to the lists.
func (r *carsReader) parse(name string) ([]*matfile.Array, error) {
	full := r.path(name)
	f, size, err := r.src.Open(r.src.resolve(name))
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	data, err := readAll(f, full, size, matfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	sum := sha256.Sum256(data)
	r.layout.Lists = append(r.layout.Lists, List{Name: name, SHA256: hex.EncodeToString(sum[:])})
	return matfile.Parse(full, data)
}

// path returns the place of a file on disk.
func (r *carsReader) path(name string) string {
	return r.src.Path(name)
}

// errorf returns a FormatError about a file.
func (r *carsReader) errorf(name, format string, args ...any) error {
	return &FormatError{File: r.path(name), Msg: fmt.Sprintf(format, args...)}
}

// variable returns the variable of a name, which must have the class.
func (r *carsReader) variable(file string, variables []*matfile.Array, name string, class matfile.Class) (*matfile.Array, error) {
	for _, v := range variables {
		if v.Name == name {
			if v.Class != class {
				return nil, r.errorf(file, "variable %s, want a %s array, got %s", name, class, v.Class)
			}
			return v, nil
		}
	}
	return nil, r.errorf(file, "variable %s is missing", name)
}

// readClasses reads the variable class_names of a file.
func (r *carsReader) readClasses(file string, variables []*matfile.Array) error {
	v, err := r.variable(file, variables, "class_names", matfile.Cell)
	if err != nil {
		return err
	}
	for i, e := range v.Elements {
		name, err := e.Line()
		if err != nil || name == "" || strings.ContainsFunc(name, isControl) {
			return r.errorf(file, "class name %d, want a line of text, got %s (%v)", i+1, quote(name), err)
		}
		if first := slices.Index(r.classes, name); first >= 0 {
			return r.errorf(file, "class name %s is listed twice, as %d and %d", quote(name), first+1, i+1)
		}
		r.classes = append(r.classes, name)
	}
	if n := len(r.classes); r.custom == "" && n != carsClasses {
		return r.errorf(file, "class names, want the %d of %s, got %d", carsClasses, carsTitle, n)
	} else if n < 2 || n > 1<<16 {
		return r.errorf(file, "want 2 classes or more, half of them for training, got %d", n)
	}
	r.layout.Lists[len(r.layout.Lists)-1].Rows = len(r.classes)
	return nil
}

// readRows reads the variable annotations of a file. The field named image holds the names of the
// images, relative to folder.
func (r *carsReader) readRows(ctx context.Context, file string, variables []*matfile.Array, image, folder string) error {
	v, err := r.variable(file, variables, "annotations", matfile.Struct)
	if err != nil {
		return err
	}
	for _, field := range []string{image, "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class"} {
		if !slices.Contains(v.Fields, field) {
			hint := ""
			if field == "class" {
				hint = ": this is the list without classes, want the one with labels"
			}
			return r.errorf(file, "annotations have no field %s%s (fields: %s)", field, hint, strings.Join(v.Fields, ", "))
		}
	}
	for i := range v.Len() {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row, err := r.row(v, i, image, folder)
		place := fmt.Sprintf("%s:row %d", file, i+1)
		if err != nil {
			return r.errorf(file, "row %d: %v", i+1, err)
		}
		if first, seen := r.names[row.Name]; seen {
			return r.errorf(file, "row %d: image %s is listed twice, first in %s", i+1, quote(row.Name), first)
		}
		r.names[row.Name] = place
		row.ID, row.Line = int64(len(r.layout.Rows)+1), place
		r.layout.Rows = append(r.layout.Rows, row)
	}
	if v.Len() == 0 {
		return r.errorf(file, "annotations are empty")
	}
	r.layout.Lists[len(r.layout.Lists)-1].Rows = v.Len()
	return nil
}

// row reads annotation i. Boxes are corners, 1-based and inclusive.
func (r *carsReader) row(v *matfile.Array, i int, image, folder string) (Row, error) {
	name, err := v.Field(i, image).Line()
	if err != nil {
		return Row{}, fmt.Errorf("field %s: %w", image, err)
	}
	if why := badPath(name); why != "" {
		return Row{}, fmt.Errorf("path %s %s", quote(name), why)
	}
	if strings.ContainsFunc(name, isControl) {
		return Row{}, fmt.Errorf("path %s has control characters", quote(name))
	}
	if folder == "" && !strings.HasPrefix(name, "car_ims/") || folder != "" && strings.Contains(name, "/") {
		return Row{}, fmt.Errorf("path %s, want an image of %s", quote(name), expectedFolder(folder))
	}
	var values [6]int
	fields := []string{"class", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "test"}
	for k, field := range fields {
		e := v.Field(i, field)
		if e == nil && field == "test" {
			continue // the devkit's files have none
		}
		if values[k], err = e.Int(); err != nil {
			return Row{}, fmt.Errorf("field %s: %w", field, err)
		}
	}
	class, box := values[0], values[1:5]
	if class < 1 || class > len(r.classes) {
		return Row{}, fmt.Errorf("class, want 1 to %d as in class_names, got %d", len(r.classes), class)
	}
	if box[2] < box[0] || box[3] < box[1] || slices.Min(box) < -maxCoordinate || slices.Max(box) > maxCoordinate {
		return Row{}, fmt.Errorf("box, want corners x1 <= x2 and y1 <= y2 in pixels, got %v", box)
	}
	r.tests = append(r.tests, values[5] == 1)
	switch values[5] {
	case 0:
	case 1:
		r.test++
	default:
		return Row{}, fmt.Errorf("field test, want 0 or 1, got %d", values[5])
	}
	return Row{
		Name: folder + name, File: folder + name,
		Class: int32(class), ClassName: r.classes[class-1], Split: splitOfHalf(class, len(r.classes)),
		Box: &Box{X0: box[0] - 1, Y0: box[1] - 1, X1: box[2], Y1: box[3]},
	}, nil
}

// expectedFolder says where an image is expected.
func expectedFolder(folder string) string {
	if folder == "" {
		return "car_ims/"
	}
	return folder + " without a folder in its name"
}

// check checks the counts against the published ones, and that every class has an image.
func (r *carsReader) check() error {
	file := r.layout.Lists[len(r.layout.Lists)-1].Name
	images := make([]int, len(r.classes)+1)
	train := 0
	for _, row := range r.layout.Rows {
		images[row.Class]++
		if row.Split == Train {
			train++
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
		holds     bool
	}{
		{"annotations", len(r.layout.Rows), carsImages, true},
		{"images of classes 1..98", train, carsTrainImages, true},
		{"images with test = 1", r.test, carsImages - carsDevkitTrain, file == carsAnnos},
	} {
		if r.custom == "" && c.holds && c.got != c.want {
			return r.errorf(file, "%s, want the %d of %s (another set in this layout needs --custom NAME), got %d", c.what, c.want, carsTitle, c.got)
		}
	}
	if empty := slices.Index(images[1:], 0); empty >= 0 {
		return r.errorf(file, "class %d (%s) has no image", empty+1, quote(r.classes[empty]))
	}
	return nil
}
