package datasets

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cubFiles returns lists in the layout of CUB-200-2011, with images[i] images of class i+1. Every
// second flag is 1, until flagged flags are.
func cubFiles(images []int, flagged int) rawFiles {
	var classes, names, labels, flags, boxes strings.Builder
	id, ones := 0, 0
	for c, n := range images {
		class := fmt.Sprintf("%03d.Class_Of_%d", c+1, c+1)
		fmt.Fprintf(&classes, "%d %s\n", c+1, class)
		for range n {
			id++
			flag := (id + 1) % 2
			if ones == flagged {
				flag = 0
			}
			ones += flag
			fmt.Fprintf(&names, "%d %s/Image_%04d.jpg\n", id, class, id)
			fmt.Fprintf(&labels, "%d %d\n", id, c+1)
			fmt.Fprintf(&flags, "%d %d\n", id, flag)
			fmt.Fprintf(&boxes, "%d 60.0 27.0 325.0 304.0\n", id)
		}
	}
	return rawFiles{
		"classes.txt": classes.String(), "images.txt": names.String(), "image_class_labels.txt": labels.String(),
		"train_test_split.txt": flags.String(), "bounding_boxes.txt": boxes.String(),
	}
}

// cubOfficial returns lists with the counts of the release: 5,864 images of
// classes 1..100, 5,924 of 101..200 and flag 1 for 5,894 + 100 images.
func cubOfficial() rawFiles {
	images := make([]int, 200)
	for i := range images {
		images[i] = 58
		if i < 64 || i >= 100 && i < 200 {
			images[i] = 59
		}
	}
	images[199] += 24
	f := cubFiles(images, 5800)
	ones := 0
	f.each("train_test_split.txt", func(line string) string {
		if strings.HasSuffix(line, " 1") || ones == cubFlagTrain-5800 || strings.HasPrefix(line, "1 ") {
			return line
		}
		ones++
		return strings.TrimSuffix(line, "0") + "1"
	})
	return f
}

func TestReadCUB(t *testing.T) {
	layout := cubFiles([]int{2, 1, 1, 3}, 100).read(t, "cub", "mini")
	if layout.Release != "mini" || layout.Set != "cub" || len(layout.Lists) != 5 || len(layout.Rows) != 7 {
		t.Fatalf("got %+v", layout)
	}
	want := Row{
		ID: 4, Name: "003.Class_Of_3/Image_0004.jpg", File: "images/003.Class_Of_3/Image_0004.jpg", Class: 3, ClassName: "003.Class_Of_3",
		Split: Test, Box: &Box{X0: 60, Y0: 27, X1: 385, Y1: 331}, Line: "images.txt:4",
	}
	if diff := cmp.Diff(want, layout.Rows[3]); diff != "" {
		t.Error(diff)
	}
	// By class id, not by train_test_split.txt.
	if diff := cmp.Diff(map[Split]int{Train: 3, Test: 4}, layout.splits()); diff != "" {
		t.Error(diff)
	}
}

func TestReadCUBOfficialCounts(t *testing.T) {
	good := cubOfficial()
	layout := good.read(t, "cub", "")
	if diff := cmp.Diff(map[Split]int{Train: 5864, Test: 5924}, layout.splits()); diff != "" || layout.Release != "official" {
		t.Fatal(layout.Release, diff)
	}
	other := cubFiles([]int{3000, 3336}, 3000)
	refuses(t, "cub", "", good, map[string]badLists{
		// Known copies: lists of 543 rows beside complete label files; 6,336
		// rows of another set; comma separated, from 0, with an inverted flag.
		"cut list beside complete ones": {func(f rawFiles) { f.head("images.txt", 543) }, "images.txt:543: list ends after 543 rows, want the 11788"},
		"images of another set":         {func(f rawFiles) { f["images.txt"] = other["images.txt"] }, "images.txt:6336: list ends after 6336 rows, want the 11788"},
		"another set":                   {func(f rawFiles) { maps.Copy(f, other) }, "classes.txt:2: list ends after 2 rows, want the 200"},
		"comma separated, from 0": {func(f rawFiles) {
			id := -1
			f.each("images.txt", func(line string) string {
				id++
				_, name, _ := strings.Cut(line, " ")
				return fmt.Sprintf("%d,%s", id, name)
			})
		}, `images.txt:1: want "<id> <path below images/>" with one space between, got "0,001.`},
		"inverted flag": {func(f rawFiles) {
			f.each("train_test_split.txt", func(line string) string {
				id, flag, _ := strings.Cut(line, " ")
				return id + " " + map[string]string{"0": "1", "1": "0"}[flag]
			})
		}, "train_test_split.txt:1: the flag is inverted: want 0 for image 1 and 1 for 5994 images, got 1 and 5794"},
		"another split":    {func(f rawFiles) { f.line("train_test_split.txt", 1, "1 1") }, "train_test_split.txt:11788: images with flag 1: want 5994"},
		"a class too many": {func(f rawFiles) { f["classes.txt"] += "201 201.More\n" }, "classes.txt:201: list goes on after 200 rows to 201"},
		"an image too many": {
			func(f rawFiles) { f["images.txt"] += "11789 200.Class_Of_200/More.jpg\n" },
			"images.txt:11789: list goes on after 11788 rows to 11789",
		},
		"a training image in a test class": {func(f rawFiles) {
			f.line("images.txt", 5864, "5864 101.Class_Of_101/Image_5864.jpg")
			f.line("image_class_labels.txt", 5864, "5864 101")
		}, "image_class_labels.txt:5864: class of image 5864"},
	})
}

func TestReadCUBRefuses(t *testing.T) {
	good := cubFiles([]int{2, 1, 1, 3}, 100)
	refuses(t, "cub", "mini", good, map[string]badLists{
		"from 0": {func(f rawFiles) {
			id := -1
			f.each("images.txt", func(line string) string {
				id++
				_, name, _ := strings.Cut(line, " ")
				return fmt.Sprintf("%d %s", id, name)
			})
		}, "images.txt:1: ids count up from 1, want id 1, got 0"},
		"duplicate id":             {func(f rawFiles) { f.line("images.txt", 3, "2 002.Class_Of_2/Image_0003.jpg") }, "images.txt:3: id 2 is listed twice"},
		"duplicate path":           {func(f rawFiles) { f.line("images.txt", 2, "2 001.Class_Of_1/Image_0001.jpg") }, "images.txt:2: path"},
		"missing id":               {func(f rawFiles) { f.line("images.txt", 3) }, "images.txt:3: ids count up from 1, want id 3, got 4"},
		"path with ..":             {func(f rawFiles) { f.line("images.txt", 2, "2 ../x.jpg") }, `images.txt:2: path "../x.jpg" leaves`},
		"absolute path":            {func(f rawFiles) { f.line("images.txt", 2, "2 /etc/x.jpg") }, `images.txt:2: path "/etc/x.jpg" is absolute`},
		"path with a backslash":    {func(f rawFiles) { f.line("images.txt", 2, `2 a\x.jpg`) }, "has a backslash"},
		"path with NUL":            {func(f rawFiles) { f.line("images.txt", 2, "2 a\x00.jpg") }, "images.txt:2: not a line"},
		"two spaces":               {func(f rawFiles) { f.line("images.txt", 2, "2  a.jpg") }, "images.txt:2: want"},
		"cut in a line":            {func(f rawFiles) { f["image_class_labels.txt"] = "1 1\n2" }, `image_class_labels.txt:2: want "<id> <class id>"`},
		"cut labels":               {func(f rawFiles) { f.head("image_class_labels.txt", 4) }, "image_class_labels.txt:4: list ends with image id 4, want 7"},
		"cut images":               {func(f rawFiles) { f.head("images.txt", 4) }, "image_class_labels.txt:5: image id 5 is not in images.txt, which ends with id 4"},
		"class that is not there":  {func(f rawFiles) { f.line("image_class_labels.txt", 7, "7 5") }, `image_class_labels.txt:7: class id, want 1 to 4 as in classes.txt, got "5"`},
		"class 0":                  {func(f rawFiles) { f.line("image_class_labels.txt", 7, "7 0") }, "image_class_labels.txt:7: class id, want 1 to 4"},
		"class of another folder":  {func(f rawFiles) { f.line("image_class_labels.txt", 2, "2 3") }, "image_class_labels.txt:2: class 3 is"},
		"duplicate class":          {func(f rawFiles) { f.line("classes.txt", 2, "2 001.Class_Of_1") }, "classes.txt:2: class"},
		"class without an image":   {func(f rawFiles) { f["classes.txt"] += "5 005.More\n" }, "class 5 "},
		"one class":                {func(f rawFiles) { f.head("classes.txt", 1) }, "classes.txt:1: want 2 classes or more"},
		"flag 2":                   {func(f rawFiles) { f.line("train_test_split.txt", 3, "3 2") }, `train_test_split.txt:3: flag, want 0 or 1, got "2"`},
		"box of three numbers":     {func(f rawFiles) { f.line("bounding_boxes.txt", 3, "3 1.0 2.0 3.0") }, "bounding_boxes.txt:3: want"},
		"box of words":             {func(f rawFiles) { f.line("bounding_boxes.txt", 3, "3 1.0 2.0 3.0 x") }, "bounding_boxes.txt:3: want"},
		"box that is not a number": {func(f rawFiles) { f.line("bounding_boxes.txt", 3, "3 1.0 2.0 NaN 3") }, "bounding_boxes.txt:3: want"},
		"box beyond all images":    {func(f rawFiles) { f.line("bounding_boxes.txt", 3, "3 1.0 2.0 1e300 3") }, "bounding_boxes.txt:3: want"},
		"box without a width":      {func(f rawFiles) { f.line("bounding_boxes.txt", 3, "3 1.0 2.0 0.0 3.0") }, "bounding_boxes.txt:3: box"},
		"folders of another spelling": {
			func(f rawFiles) { f.line("images.txt", 1, "1 001.class_of_1/Image_0001.jpg") },
			"image_class_labels.txt:1: class 1 is",
		},
	})
	for name := range good {
		missingList(t, "cub", good, name)
	}
	lineEnds(t, "cub", good)
}

func FuzzReadCUB(f *testing.F) {
	good := cubFiles([]int{2, 1}, 1)
	f.Add(good["classes.txt"], good["images.txt"], good["image_class_labels.txt"], good["train_test_split.txt"], good["bounding_boxes.txt"])
	f.Fuzz(func(t *testing.T, classes, images, labels, flags, boxes string) {
		fuzzRead(t, "cub", rawFiles{
			"classes.txt": classes, "images.txt": images, "image_class_labels.txt": labels,
			"train_test_split.txt": flags, "bounding_boxes.txt": boxes,
		})
	})
}

// fuzzRead reads lists of any content: an error, or rows that hold what Row says.
func fuzzRead(t *testing.T, name string, files rawFiles) {
	t.Helper()
	set, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := readFolder(t.Context(), set, files.write(t), "fuzz")
	if err != nil {
		return
	}
	seen := map[int64]bool{}
	for _, row := range layout.Rows {
		if badPath(row.File) != "" || row.Class < 0 || row.ClassName == "" || row.Split == "" || row.ID < 1 || seen[row.ID] {
			t.Errorf("row %+v", row)
		}
		if b := row.Box; b != nil && (b.X0 >= b.X1 || b.Y0 >= b.Y1) {
			t.Errorf("box %+v", *b)
		}
		seen[row.ID] = true
	}
	if len(layout.Rows) == 0 {
		t.Error("no rows and no error")
	}
}
