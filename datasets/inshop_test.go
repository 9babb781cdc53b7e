package datasets

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const inshopHead = "image_name item_id evaluation_status"

// garment is a row of the partition.
type garment struct {
	item   int
	split  Split
	folder string
}

// inshopFiles returns lists in the layout of In-Shop, with boxes. Columns are
// padded with runs of spaces and trailing ones, as published.
func inshopFiles(garments []garment) rawFiles {
	var partition, boxes strings.Builder
	fmt.Fprintf(&partition, "%d\n%s\n", len(garments), inshopHead)
	fmt.Fprintf(&boxes, "%d\nimage_name clothes_type pose_type x_1 y_1 x_2 y_2\n", len(garments))
	for i, g := range garments {
		item := fmt.Sprintf("id_%08d", g.item)
		name := fmt.Sprintf("img/WOMEN/%s/%s/%02d_1_front.jpg", g.folder, item, i+1)
		fmt.Fprintf(&partition, "%-70s %s %-11s\n", name, item, g.split)
		fmt.Fprintf(&boxes, "%-70s 1 1 050 049 208 235\n", name)
	}
	return rawFiles{"Eval/" + inshopPartition: partition.String(), "Anno/" + inshopBoxes: boxes.String()}
}

func someGarments() []garment {
	return []garment{
		{1, Train, "Dresses"}, {1, Train, "Skirts"}, {2, Query, "Tees"}, {2, Gallery, "Tees"}, {9, Train, "Tees"}, {10, Query, "Tees"}, {10, Gallery, "Tees"},
	}
}

func TestReadInShop(t *testing.T) {
	layout := inshopFiles(someGarments()).read(t, "inshop", "mini")
	want := Row{
		ID: 2, Name: "img/WOMEN/Skirts/id_00000001/02_1_front.jpg", File: "img/WOMEN/Skirts/id_00000001/02_1_front.jpg",
		Class: 1, ClassName: "id_00000001", Superclass: "WOMEN/Skirts", Split: Train,
		Box: &Box{X0: 50, Y0: 49, X1: 208, Y1: 235}, Line: "Eval/list_eval_partition.txt:4", // 049 is decimal
	}
	if diff := cmp.Diff(want, layout.Rows[1]); diff != "" || layout.Found != "no image folder" {
		t.Error(layout.Found, diff)
	}
	if diff := cmp.Diff(map[Split]int{Train: 3, Query: 2, Gallery: 2}, layout.splits()); diff != "" {
		t.Error(diff)
	}
	// One item in two category folders is one class.
	if a, b := layout.Rows[0], layout.Rows[1]; a.Class != b.Class || a.Superclass == b.Superclass {
		t.Errorf("got %+v and %+v", a, b)
	}
	// The boxes are optional, and the partition lies in other places too.
	for _, place := range []string{"", "Anno/"} {
		files := rawFiles{place + inshopPartition: inshopFiles(someGarments())["Eval/"+inshopPartition]}
		if got := files.read(t, "inshop", "mini"); len(got.Rows) != 7 || got.Rows[0].Box != nil {
			t.Errorf("%s: got %+v", place, got.Rows)
		}
	}
}

func TestReadInShopImageFolders(t *testing.T) {
	tests := map[string]struct {
		folders     []string
		file, found string
		box         bool
	}{
		"as published":    {[]string{"Img/img"}, "Img/img/WOMEN", "images in Img/img", true},
		"unpacked":        {[]string{"img"}, "img/WOMEN", "images in img", true},
		"high resolution": {[]string{"img_highres"}, "img_highres/WOMEN", "images in img_highres (high resolution), boxes not used: they refer to the 256x256 images", false},
		"high resolution in Img": {
			[]string{"Img/img_highres"}, "Img/img_highres/WOMEN", "images in Img/img_highres (high resolution), boxes not used: they refer to the 256x256 images", false,
		},
		"all of them": {
			[]string{"img_highres", "Img/img", "img"}, "Img/img/WOMEN", "images in Img/img, not used: img, img_highres (high resolution)", true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			files := inshopFiles(someGarments())
			for _, folder := range tt.folders {
				files[folder+"/WOMEN/x.jpg"] = "x"
			}
			layout := files.read(t, "inshop", "mini")
			row := layout.Rows[0]
			if !strings.HasPrefix(row.File, tt.file+"/") || layout.Found != tt.found || (row.Box != nil) != tt.box {
				t.Errorf("found %q, file %s, box %v", layout.Found, row.File, row.Box)
			}
			if !strings.HasPrefix(row.Name, "img/WOMEN/") { // the list's own path, whatever the folder
				t.Errorf("name %s", row.Name)
			}
		})
	}
}

// officialGarments have the counts of the release.
func officialGarments() []garment {
	var all []garment
	add := func(split Split, first, items, images int) {
		for i, n := range spread(items, images) {
			for range n {
				all = append(all, garment{first + i, split, "Dresses"})
			}
		}
	}
	add(Train, 1, 3997, 25882)
	add(Query, 3998, 3985, 14218)
	add(Gallery, 3998, 3985, 12612)
	return all
}

func TestReadInShopOfficialCounts(t *testing.T) {
	garments := officialGarments()
	good := inshopFiles(garments)
	if diff := cmp.Diff(map[Split]int{Train: 25882, Query: 14218, Gallery: 12612}, good.read(t, "inshop", "").splits()); diff != "" {
		t.Fatal(diff)
	}
	const list = "Eval/" + inshopPartition
	replace := func(g []garment) func(rawFiles) { return func(f rawFiles) { maps.Copy(f, inshopFiles(g)) } }
	more := append([]garment{{9000, Train, "Dresses"}}, garments[1:]...)
	refuses(t, "inshop", "", good, map[string]badLists{
		"another set":          {replace(someGarments()), list + ":9: train: want the 25882 images of 3997 items of DeepFashion In-Shop (another set in this layout needs --custom NAME), got 3 of 2"},
		"an item too many":     {replace(more), "train: want the 25882 images of 3997 items"},
		"a query less":         {replace(append(garments[:30000:30000], garments[30001:]...)), "query: want the 14218 images of 3985 items"},
		"a gallery image less": {replace(garments[:len(garments)-1]), "gallery: want the 12612 images of 3985 items"},
		"cut list":             {func(f rawFiles) { f.head(list, 1002) }, list + ":1002: list ends after 1000 rows, want 52712 as line 1 says"},
	})
}

func TestReadInShopRefuses(t *testing.T) {
	good := inshopFiles(someGarments())
	const list, boxes = "Eval/" + inshopPartition, "Anno/" + inshopBoxes
	const image = "img/WOMEN/Tees/id_00000002/x.jpg id_00000002 "
	refuses(t, "inshop", "mini", good, map[string]badLists{
		"no list":                  {func(f rawFiles) { delete(f, list) }, "Eval/list_eval_partition.txt is missing"},
		"list of CelebA":           {func(f rawFiles) { f[list] = "000001.jpg 0\n000002.jpg 0\n" }, list + `:1: want the number of rows, got "000001.jpg 0" (this is CelebA's list`},
		"list of CelebA with head": {func(f rawFiles) { f[list] = "2\n" + inshopHead + "\n000001.jpg 0\n000002.jpg 2\n" }, list + ":3: want"},
		"header of another list":   {func(f rawFiles) { f.line(list, 2, "image_name evaluation_status") }, list + `:2: want "image_name item_id evaluation_status"`},
		"count too high":           {func(f rawFiles) { f.line(list, 1, "8") }, list + ":9: list ends after 7 rows, want 8 as line 1 says"},
		"count too low":            {func(f rawFiles) { f.line(list, 1, "6") }, list + ":9: row 7, but line 1 says 6 rows"},
		"count 0 and no rows":      {func(f rawFiles) { f[list] = "0\n" + inshopHead + "\n" }, list + ":2: list has no rows"},
		"no header":                {func(f rawFiles) { f.line(list, 2) }, list + ":2: want"},
		"code for a split":         {func(f rawFiles) { f.line(list, 3, image+"0") }, list + ":3: evaluation_status"},
		"item without id_":         {func(f rawFiles) { f.line(list, 3, "img/WOMEN/Tees/2/x.jpg 00000002 train") }, list + ":3: item_id"},
		"item of 7 digits":         {func(f rawFiles) { f.line(list, 3, "img/WOMEN/Tees/2/x.jpg id_0000002 train") }, list + ":3: item_id"},
		"item in train and test":   {func(f rawFiles) { f.line(list, 3, image+"train") }, list + ":5: item id_00000002 is in train and in test, first in " + list + ":3"},
		"duplicate image":          {func(f rawFiles) { f.line(list, 4, strings.Split(f[list], "\n")[2]) }, list + ":4: image"},
		"path with ..":             {func(f rawFiles) { f.line(list, 3, "img/../../x.jpg id_00000001 train") }, "leaves the data set's folder"},
		"absolute path":            {func(f rawFiles) { f.line(list, 3, "/img/x.jpg id_00000001 train") }, "is absolute"},
		"path with a backslash":    {func(f rawFiles) { f.line(list, 3, `img\a\b\x.jpg id_00000001 train`) }, "has a backslash"},
		"path of another layout":   {func(f rawFiles) { f.line(list, 3, "images/WOMEN/a/x.jpg id_00000001 train") }, list + ":3: path, want"},
		"box count lies":           {func(f rawFiles) { f.line(boxes, 1, "8") }, boxes + ":9: list ends after 7 rows"},
		"box list of another set":  {func(f rawFiles) { f.line(boxes, 3, "img/WOMEN/x.jpg 1 1 001 002 003 004") }, boxes + ":3: image"},
		"box twice":                {func(f rawFiles) { f.line(boxes, 4, strings.Split(f[boxes], "\n")[2]) }, boxes + ":4: image"},
		"box missing":              {func(f rawFiles) { f.line(boxes, 9); f.line(boxes, 1, "6") }, boxes + ":8: list has no box for"},
		"box of hexadecimal":       {func(f rawFiles) { f[boxes] = strings.Replace(f[boxes], "050", "0x5", 1) }, boxes + ":3: x_1, want a number"},
		"box inside out":           {func(f rawFiles) { f[boxes] = strings.Replace(f[boxes], "208", "008", 1) }, boxes + ":3: box, want"},
		"box of five columns":      {func(f rawFiles) { f.line(boxes, 3, "img/x.jpg 1 2 3 4") }, boxes + ":3: want"},
	})
	lineEnds(t, "inshop", good)
}

func FuzzReadInShop(f *testing.F) {
	good := inshopFiles(someGarments())
	f.Add(good["Eval/"+inshopPartition], good["Anno/"+inshopBoxes])
	f.Fuzz(func(t *testing.T, partition, boxes string) {
		fuzzRead(t, "inshop", rawFiles{"Eval/" + inshopPartition: partition, "Anno/" + inshopBoxes: boxes})
	})
}
