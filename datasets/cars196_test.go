package datasets

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/datasets/internal/matfile/mattest"
)

// car is one annotation.
type car struct {
	image string
	box   [4]int
	class int
	test  int
}

// carNames returns n class names; one has a slash, as one of the published does.
func carNames(n int) mattest.Value {
	names := []mattest.Value{mattest.Text("Ram C/V Cargo Van Minivan 2012")}
	for i := 2; i <= n; i++ {
		names = append(names, mattest.Text(fmt.Sprintf("Maker Model %d Sedan 2012", i)))
	}
	return mattest.Cells(names[:n]...)
}

// papersMat returns a cars_annos.mat, fields in the published order.
func papersMat(classes mattest.Value, cars []car) string {
	fields := []string{"relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test"}
	rows := make([][]mattest.Value, len(cars))
	for i, c := range cars {
		n := mattest.Number
		rows[i] = []mattest.Value{mattest.Text(c.image), n(c.box[0]), n(c.box[1]), n(c.box[2]), n(c.box[3]), n(c.class), n(c.test)}
	}
	return string(mattest.File(
		mattest.Compress(mattest.Variable("annotations", mattest.Structs(fields, rows...))),
		mattest.Compress(mattest.Variable("class_names", classes))))
}

// devkitMat returns annotations of the devkit; without labels they have no class.
func devkitMat(cars []car, labels bool) string {
	fields := []string{"bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "fname"}
	if labels {
		fields = []string{"bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname"}
	}
	rows := make([][]mattest.Value, len(cars))
	for i, c := range cars {
		n := mattest.Number
		rows[i] = []mattest.Value{n(c.box[0]), n(c.box[1]), n(c.box[2]), n(c.box[3])}
		if labels {
			rows[i] = append(rows[i], n(c.class))
		}
		rows[i] = append(rows[i], mattest.Text(c.image))
	}
	return string(mattest.File(mattest.Compress(mattest.Variable("annotations", mattest.Structs(fields, rows...)))))
}

// someCars returns images[c] cars of class c+1; name is a format of their number.
func someCars(name string, images ...int) []car {
	var cars []car
	for c, n := range images {
		for range n {
			i := len(cars) + 1
			cars = append(cars, car{fmt.Sprintf(name, i), [4]int{112, 7, 853, 717}, c + 1, i % 2})
		}
	}
	return cars
}

const paperName, devkitName = "car_ims/%06d.jpg", "%05d.jpg"

func papersFiles() rawFiles {
	return rawFiles{carsAnnos: papersMat(carNames(4), someCars(paperName, 2, 1, 1, 2))}
}

func devkitFiles() rawFiles {
	return rawFiles{
		carsMeta:                  string(mattest.File(mattest.Variable("class_names", carNames(4)))),
		carsTrainAnnos:            devkitMat(someCars(devkitName, 1, 1, 1, 1), true),
		"devkit/" + carsTestAnnos: devkitMat(someCars(devkitName, 2, 0, 0, 1), true),
		carsUnlabelled:            devkitMat(someCars(devkitName, 2, 0, 0, 1), false),
	}
}

func TestReadCars196Papers(t *testing.T) {
	layout := papersFiles().read(t, "cars196", "mini")
	want := Row{
		ID: 1, Name: "car_ims/000001.jpg", File: "car_ims/000001.jpg", Class: 1, ClassName: "Ram C/V Cargo Van Minivan 2012",
		Split: Train, Box: &Box{X0: 111, Y0: 6, X1: 853, Y1: 717}, Line: "cars_annos.mat:row 1",
	}
	if diff := cmp.Diff(want, layout.Rows[0]); diff != "" || layout.Found != "car_ims/ with cars_annos.mat" {
		t.Error(layout.Found, diff)
	}
	// By class, not by the field test.
	if diff := cmp.Diff(map[Split]int{Train: 3, Test: 3}, layout.splits()); diff != "" {
		t.Error(diff)
	}
	if len(layout.Lists) != 1 || layout.Lists[0].Rows != 6 || len(layout.Lists[0].SHA256) != 64 {
		t.Errorf("lists %+v", layout.Lists)
	}
}

func TestReadCars196Devkit(t *testing.T) {
	files := devkitFiles()
	layout := files.read(t, "cars196", "mini")
	want := Row{
		ID: 5, Name: "cars_test/00001.jpg", File: "cars_test/00001.jpg", Class: 1, ClassName: "Ram C/V Cargo Van Minivan 2012",
		Split: Train, Box: &Box{X0: 111, Y0: 6, X1: 853, Y1: 717}, Line: "devkit/cars_test_annos_withlabels.mat:row 1",
	}
	if diff := cmp.Diff(want, layout.Rows[4]); diff != "" || layout.Found != "cars_train/ and cars_test/ with devkit/" || len(layout.Rows) != 7 {
		t.Error(layout.Found, len(layout.Rows), diff)
	}
	// Many copies have the labelled list beside the devkit.
	files[carsTestAnnos] = files["devkit/"+carsTestAnnos]
	delete(files, "devkit/"+carsTestAnnos)
	if got := files.read(t, "cars196", "mini"); len(got.Rows) != 7 {
		t.Errorf("got %d rows", len(got.Rows))
	}
}

// With the lists of both layouts the image folders decide.
func TestReadCars196Both(t *testing.T) {
	for name, tt := range map[string]struct{ image, want string }{
		"no images": {"readme.txt", "car_ims/ with cars_annos.mat"},
		"papers":    {"car_ims/000001.jpg", "car_ims/ with cars_annos.mat"},
		"devkit":    {"cars_train/00001.jpg", "cars_train/ and cars_test/ with devkit/"},
	} {
		files := devkitFiles()
		files[carsAnnos] = papersFiles()[carsAnnos]
		files[tt.image] = "x"
		if got := files.read(t, "cars196", "mini").Found; got != tt.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// officialCars returns cars with the counts of the release: 8,054 of classes
// 1..98, 8,131 of 99..196, and test = 1 for 8,041.
func officialCars() []car {
	cars := someCars(paperName, append(spread(98, 8054), spread(98, 8131)...)...)
	for i := range cars {
		cars[i].test = 0
		if i < 8041 {
			cars[i].test = 1
		}
	}
	return cars
}

func TestReadCars196OfficialCounts(t *testing.T) {
	names := carNames(196)
	good := rawFiles{carsAnnos: papersMat(names, officialCars())}
	if diff := cmp.Diff(map[Split]int{Train: 8054, Test: 8131}, good.read(t, "cars196", "").splits()); diff != "" {
		t.Fatal(diff)
	}
	refuses(t, "cars196", "", good, map[string]badLists{
		"another set": {func(f rawFiles) { f[carsAnnos] = papersFiles()[carsAnnos] }, "cars_annos.mat: class names, want the 196 of Cars-196, got 4"},
		"cut list":    {func(f rawFiles) { f[carsAnnos] = papersMat(names, officialCars()[:16000]) }, "cars_annos.mat: annotations, want the 16185"},
		"another split": {func(f rawFiles) {
			f[carsAnnos] = papersMat(names, append([]car{{"car_ims/x.jpg", [4]int{1, 1, 2, 2}, 196, 1}}, officialCars()[1:]...))
		}, "images of classes 1..98, want the 8054 of Cars-196 (another set in this layout needs --custom NAME), got 8053"},
		"inverted test": {func(f rawFiles) { f[carsAnnos] = papersMat(names, invertedCars()) }, "images with test = 1, want the 8041 of Cars-196"},
		"small devkit":  {func(f rawFiles) { delete(f, carsAnnos); maps.Copy(f, devkitFiles()) }, "class names, want the 196"},
		"cut devkit": {func(f rawFiles) {
			delete(f, carsAnnos)
			maps.Copy(f, devkitFiles())
			f[carsMeta] = string(mattest.File(mattest.Variable("class_names", names)))
		}, "cars_train_annos.mat: annotations, want the 8144 of Cars-196"},
		"class too many": {func(f rawFiles) { f[carsAnnos] = papersMat(carNames(197), officialCars()) }, "class names, want the 196 of Cars-196, got 197"},
	})
}

// invertedCars are the official ones with the field test inverted.
func invertedCars() []car {
	cars := officialCars()
	for i := range cars {
		cars[i].test = 1 - cars[i].test
	}
	return cars
}

func TestReadCars196Refuses(t *testing.T) {
	cars := func(change func(c []car)) func(rawFiles) {
		return func(f rawFiles) {
			c := someCars(paperName, 2, 1, 1, 2)
			change(c)
			f[carsAnnos] = papersMat(carNames(4), c)
		}
	}
	refuses(t, "cars196", "mini", papersFiles(), map[string]badLists{
		"images of the other layout": {
			func(f rawFiles) { f["cars_train/cars_train/00001.jpg"], f["cars_test/cars_test/00001.jpg"] = "x", "x" },
			"cars_annos.mat is for images in car_ims/, but there are cars_train/ or cars_test/, whose lists are missing: want devkit/ and cars_test_annos_withlabels.mat",
		},
		"no file":               {func(f rawFiles) { delete(f, carsAnnos) }, "want cars_annos.mat or devkit/cars_train_annos.mat"},
		"version 7.3":           {func(f rawFiles) { f[carsAnnos] = "MATLAB 7.3 MAT-file, Platform: GLNXA64" }, "cars_annos.mat:0: MAT-file of version 7.3"},
		"cut in the middle":     {func(f rawFiles) { f[carsAnnos] = f[carsAnnos][:300] }, "cars_annos.mat:128: element of "},
		"cut between variables": {func(f rawFiles) { f[carsAnnos] = string(mattest.File()) }, "cars_annos.mat: variable class_names is missing"},
		"duplicate image":       {cars(func(c []car) { c[1].image = c[0].image }), "cars_annos.mat: row 2: image"},
		"path with ..":          {cars(func(c []car) { c[1].image = "car_ims/../../x.jpg" }), "row 2: path"},
		"absolute path":         {cars(func(c []car) { c[1].image = "/x.jpg" }), "is absolute"},
		"path with a backslash": {cars(func(c []car) { c[1].image = `car_ims\x.jpg` }), "has a backslash"},
		"path with NUL":         {cars(func(c []car) { c[1].image = "car_ims/x\x00.jpg" }), "row 2: path"},
		"path with escapes":     {cars(func(c []car) { c[1].image = "car_ims/\x1b[2J.jpg" }), "control characters"},
		"another folder":        {cars(func(c []car) { c[1].image = "cars/x.jpg" }), `want an image of car_ims/`},
		"class of none":         {cars(func(c []car) { c[1].class = 5 }), "row 2: class, want 1 to 4 as in class_names, got 5"},
		"class 0":               {cars(func(c []car) { c[1].class = 0 }), "row 2: class, want 1 to 4"},
		"class without images":  {cars(func(c []car) { c[2].class = 1 }), "class 2 ("},
		"box inside out":        {cars(func(c []car) { c[1].box[2] = 3 }), "row 2: box, want corners"},
		"test of 2":             {cars(func(c []car) { c[1].test = 2 }), "row 2: field test, want 0 or 1, got 2"},
		"no cars":               {func(f rawFiles) { f[carsAnnos] = papersMat(carNames(4), nil) }, "annotations are empty"},
		"one class":             {func(f rawFiles) { f[carsAnnos] = papersMat(carNames(1), someCars(paperName, 1)) }, "want 2 classes or more"},
		"duplicate class name":  {func(f rawFiles) { f[carsAnnos] = papersMat(mattest.Cells(mattest.Text("a"), mattest.Text("a")), nil) }, `class name "a" is listed twice`},
		"class name of numbers": {func(f rawFiles) { f[carsAnnos] = papersMat(mattest.Cells(mattest.Number(1)), nil) }, "class name 1, want a line of text"},
		"class names in a struct": {
			func(f rawFiles) { f[carsAnnos] = papersMat(mattest.Structs([]string{"a"}), nil) },
			"variable class_names, want a cell array, got struct",
		},
	})
	for name := range devkitFiles() {
		if name != carsUnlabelled && name != carsTrainAnnos {
			files := devkitFiles()
			delete(files, carsUnlabelled)
			missingList(t, "cars196", files, name)
		}
	}
	refuses(t, "cars196", "mini", devkitFiles(), map[string]badLists{
		"test list without labels": {
			func(f rawFiles) { delete(f, "devkit/"+carsTestAnnos) },
			"devkit/cars_test_annos.mat has no classes, want cars_test_annos_withlabels.mat beside it",
		},
		"renamed list without labels": {
			func(f rawFiles) { f["devkit/"+carsTestAnnos] = f[carsUnlabelled] },
			"devkit/cars_test_annos_withlabels.mat: annotations have no field class: this is the list without classes",
		},
		"image in a folder": {
			func(f rawFiles) { f[carsTrainAnnos] = devkitMat(someCars("a/%d.jpg", 1, 1, 1, 1), true) },
			"cars_train/ without a folder in its name",
		},
	})
}

func FuzzReadCars196(f *testing.F) {
	f.Add(papersFiles()[carsAnnos], true)
	f.Add(strings.Repeat(papersFiles()[carsAnnos], 2), true)
	f.Add(devkitFiles()[carsTrainAnnos], false)
	f.Fuzz(func(t *testing.T, annotations string, papers bool) {
		files := devkitFiles()
		files[carsTrainAnnos] = annotations
		if papers {
			files = rawFiles{carsAnnos: annotations}
		}
		fuzzRead(t, "cars196", files)
	})
}
