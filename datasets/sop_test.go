package datasets

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sopFiles returns lists in the layout of Stanford Online Products. train and
// test are the images of each class; class c is of super class c%supers + 1.
func sopFiles(supers int, train, test []int) rawFiles {
	files := rawFiles{}
	id, class := 0, 0
	for _, part := range []struct {
		name   string
		images []int
	}{{"Ebay_train.txt", train}, {"Ebay_test.txt", test}} {
		var b strings.Builder
		b.WriteString(sopHead + "\n")
		for _, n := range part.images {
			class++
			super := class%supers + 1
			for k := range n {
				id++
				fmt.Fprintf(&b, "%d %d %d super%d_final/%d_%d.JPG\n", id, class, super, super, 1000+class, k)
			}
		}
		files[part.name] = b.String()
	}
	return files
}

// spread returns n classes with total images, spread as evenly as possible.
func spread(n, total int) []int {
	images := make([]int, n)
	for i := range images {
		images[i] = total / n
		if i < total%n {
			images[i]++
		}
	}
	return images
}

// headless takes the header line out of a list.
func headless(f rawFiles, name string) { f.line(name, 1) }

func TestReadSOP(t *testing.T) {
	good := sopFiles(3, []int{2, 3}, []int{4, 2})
	layout := good.read(t, "sop", "mini")
	want := Row{
		ID: 6, Name: "super1_final/1003_0.JPG", File: "super1_final/1003_0.JPG", Class: 3, ClassName: "3", Superclass: "super1",
		Split: Test, Line: "Ebay_test.txt:2",
	}
	if diff := cmp.Diff(want, layout.Rows[5]); diff != "" || layout.Found != "lists with header lines" {
		t.Error(layout.Found, diff)
	}
	if diff := cmp.Diff(map[Split]int{Train: 5, Test: 6}, layout.splits()); diff != "" {
		t.Error(diff)
	}
	// Some copies lack the header line, in one list or in both.
	one, none := maps.Clone(good), maps.Clone(good)
	headless(one, "Ebay_test.txt")
	headless(none, "Ebay_train.txt")
	headless(none, "Ebay_test.txt")
	for found, files := range map[string]rawFiles{"lists of which one has a header line": one, "lists without header lines": none} {
		got := files.read(t, "sop", "mini")
		if got.Found != found || len(got.Rows) != len(layout.Rows) || got.Rows[0].Name != layout.Rows[0].Name {
			t.Errorf("%s: got %s with %d rows", found, got.Found, len(got.Rows))
		}
	}
}

func TestReadSOPOfficialCounts(t *testing.T) {
	train, test := spread(11318, 59551), spread(11316, 60502)
	good := sopFiles(12, train, test)
	if diff := cmp.Diff(map[Split]int{Train: 59551, Test: 60502}, good.read(t, "sop", "").splits()); diff != "" {
		t.Fatal(diff)
	}
	more := spread(11319, 59551)
	refuses(t, "sop", "", good, map[string]badLists{
		// Known copy: shoes, 9,131 and 2,051 classes under the same names.
		"shoes":             {func(f rawFiles) { maps.Copy(f, sopFiles(1, spread(9131, 45655), spread(2051, 10255))) }, "Ebay_train.txt:45656: list ends after 45655 rows, want the 59551"},
		"cut training list": {func(f rawFiles) { f.head("Ebay_train.txt", 1001) }, "Ebay_train.txt:1001: list ends after 1000 rows"},
		"cut test list":     {func(f rawFiles) { f.head("Ebay_test.txt", 1001) }, "Ebay_test.txt:1001: list ends after 1000 rows, want the 60502"},
		"a row too many":    {func(f rawFiles) { f["Ebay_train.txt"] += "59552 11318 3 super3_final/x.JPG\n" }, "Ebay_train.txt:59553: list goes on after 59551 rows to 59552"},
		"a class too many":  {func(f rawFiles) { f["Ebay_train.txt"] = sopFiles(12, more, nil)["Ebay_train.txt"] }, "last class id: want 11318 as in Stanford Online Products, got 11319"},
		"11 super classes":  {func(f rawFiles) { maps.Copy(f, sopFiles(11, train, test)) }, "Ebay_test.txt:60503: super classes: want 12 as in Stanford Online Products, got 11"},
		"a class of 1 image": {func(f rawFiles) {
			f["Ebay_train.txt"] = sopFiles(12, append([]int{1, train[0] + train[1] - 1}, train[2:]...), nil)["Ebay_train.txt"]
		}, "images of class 1, want 2 to 12"},
	})
}

func TestReadSOPRefuses(t *testing.T) {
	good := sopFiles(3, []int{2, 3}, []int{4, 2})
	const train, test = "Ebay_train.txt", "Ebay_test.txt"
	refuses(t, "sop", "mini", good, map[string]badLists{
		"header of another list": {func(f rawFiles) { f.line(train, 1, "image_id class_id path") }, train + ":1: want"},
		"no rows":                {func(f rawFiles) { f.head(test, 1) }, test + ":1: list has no rows"},
		"ids restart":            {func(f rawFiles) { f.line(test, 2, "1 3 1 super1_final/1003_0.JPG") }, test + ":2: image id 1 is listed twice, want id 6"},
		"duplicate id":           {func(f rawFiles) { f.line(train, 3, "1 1 2 super2_final/x.JPG") }, train + ":3: image id 1 is listed twice, want id 2"},
		"id left out":            {func(f rawFiles) { f.line(train, 3, "3 1 2 super2_final/x.JPG") }, train + ":3: image ids count up from 1 and go on from list to list, want 2, got 3"},
		"id 0":                   {func(f rawFiles) { f.line(train, 2, "0 1 2 super2_final/x.JPG") }, train + ":2: image ids count up"},
		"comma separated":        {func(f rawFiles) { f.line(train, 2, "1,1,2,super2_final/x.JPG") }, train + ":2: want"},
		"a column too many":      {func(f rawFiles) { f.line(train, 2, "1 1 2 super2_final/x.JPG 9") }, train + ":2: want"},
		"cut in a line":          {func(f rawFiles) { f[test] = strings.TrimSuffix(f[test], " super2_final/1004_1.JPG\n") }, test + ":7: want"},
		"class 0":                {func(f rawFiles) { f.line(train, 2, "1 0 2 super2_final/x.JPG") }, train + ":2: class and super class"},
		"duplicate path":         {func(f rawFiles) { f.line(train, 3, "2 1 2 super2_final/1001_0.JPG") }, train + ":3: path"},
		"path with ..":           {func(f rawFiles) { f.line(train, 2, "1 1 2 a/../../x.JPG") }, "leaves the data set's folder"},
		"absolute path":          {func(f rawFiles) { f.line(train, 2, "1 1 2 /x.JPG") }, "is absolute"},
		"path with a backslash":  {func(f rawFiles) { f.line(train, 2, `1 1 2 a\x.JPG`) }, "has a backslash"},
		"path without a folder":  {func(f rawFiles) { f.line(train, 2, "1 1 2 x.JPG") }, train + ":2: path, want"},
		"class in both lists":    {func(f rawFiles) { f.line(test, 2, "6 2 3 super3_final/x.JPG") }, test + ":2: class 2 is in both lists, first in " + train + ":4"},
		"super class changes":    {func(f rawFiles) { f.line(train, 3, "2 1 1 super1_final/x.JPG") }, train + ":3: super class of class 1, want 2 as in " + train + ":2, got 1"},
		"folder changes":         {func(f rawFiles) { f.line(train, 3, "2 1 2 super3_final/x.JPG") }, train + ":3: folder of super class 2"},
		"folder of two":          {func(f rawFiles) { f.line(train, 4, "3 2 3 super2_final/x.JPG") }, train + `:4: folder "super2_final" is super class 2`},
		"class left out":         {func(f rawFiles) { f[train] = strings.ReplaceAll(f[train], " 2 3 super3", " 9 3 super3") }, "2 has no image, but 9 has"},
	})
	for name := range good {
		missingList(t, "sop", good, name)
	}
	lineEnds(t, "sop", good)
}

func FuzzReadSOP(f *testing.F) {
	good := sopFiles(3, []int{2, 3}, []int{4, 2})
	f.Add(good["Ebay_train.txt"], good["Ebay_test.txt"])
	f.Fuzz(func(t *testing.T, train, test string) {
		fuzzRead(t, "sop", rawFiles{"Ebay_train.txt": train, "Ebay_test.txt": test})
	})
}

func BenchmarkReadSOP(b *testing.B) {
	root := sopFiles(12, spread(11318, 59551), spread(11316, 60502)).write(b)
	for b.Loop() {
		if _, err := readFolder(b.Context(), sop(), root, ""); err != nil {
			b.Fatal(err)
		}
	}
}
