package datasets

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// officialLists returns the folder of a set's published lists, which a checkout
// may lack.
func officialLists(t *testing.T, parts ...string) string {
	t.Helper()
	root := filepath.Join(append([]string{"..", "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the published lists are not at %s beside the module", root)
	}
	return root
}

// classesOf returns the number of classes in each split.
func classesOf(l *Layout) map[Split]int {
	seen := map[Split]map[int32]bool{}
	for _, row := range l.Rows {
		if seen[row.Split] == nil {
			seen[row.Split] = map[int32]bool{}
		}
		seen[row.Split][row.Class] = true
	}
	counts := map[Split]int{}
	for split, classes := range seen {
		counts[split] = len(classes)
	}
	return counts
}

// Counts of the published releases, as the data sets' papers and pages state them.
func TestOfficialLists(t *testing.T) {
	tests := []struct {
		name, folder    string
		images, classes map[Split]int
		first, last     Row // without boxes
	}{
		{
			"cub", "cub",
			map[Split]int{Train: 5864, Test: 5924},
			map[Split]int{Train: 100, Test: 100},
			Row{ID: 1, Name: "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg", Class: 1},
			Row{ID: 11788, Name: "200.Common_Yellowthroat/Common_Yellowthroat_0055_190967.jpg", Class: 200},
		},
		{
			"cars196", "cars",
			map[Split]int{Train: 8054, Test: 8131},
			map[Split]int{Train: 98, Test: 98},
			Row{ID: 1, Name: "car_ims/000001.jpg", Class: 1},
			Row{ID: 16185, Name: "car_ims/016185.jpg", Class: 196},
		},
		{
			"sop", "sop",
			map[Split]int{Train: 59551, Test: 60502},
			map[Split]int{Train: 11318, Test: 11316},
			Row{ID: 1, Name: "bicycle_final/111085122871_0.JPG", Class: 1},
			Row{ID: 120053, Name: "toaster_final/400977722713_3.JPG", Class: 22634},
		},
		{
			"inshop", "inshop",
			map[Split]int{Train: 25882, Query: 14218, Gallery: 12612},
			map[Split]int{Train: 3997, Query: 3985, Gallery: 3985},
			Row{ID: 1, Name: "img/WOMEN/Dresses/id_00000002/02_1_front.jpg", Class: 2},
			Row{ID: 52712, Name: "img/WOMEN/Jackets_Coats/id_00007982/13_7_additional.jpg", Class: 7982},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := officialLists(t, tt.folder)
			set, err := Lookup(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			root, err := Locate(set, raw)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			layout, err := readFolder(t.Context(), set, root, "")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d rows in %v, %s", len(layout.Rows), time.Since(start), layout.Found)
			if diff := cmp.Diff(tt.images, layout.splits()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.classes, classesOf(layout)); diff != "" {
				t.Error(diff)
			}
			for i, want := range map[int]Row{0: tt.first, len(layout.Rows) - 1: tt.last} {
				if got := layout.Rows[i]; got.ID != want.ID || got.Name != want.Name || got.Class != want.Class {
					t.Errorf("row %d: got %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

// The facts of the two annotation families of Cars-196 that a reader can trip
// over, and that both list the same classes.
func TestOfficialCars(t *testing.T) {
	root := officialLists(t, "cars")
	papers, err := readFolder(t.Context(), cars196(), root, "")
	if err != nil {
		t.Fatal(err)
	}
	files := rawFiles{}
	for _, name := range []string{carsMeta, carsTrainAnnos, "devkit/" + carsTestAnnos} {
		data, readErr := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if readErr != nil {
			t.Fatal(readErr)
		}
		files[name] = string(data)
	}
	devkit := files.read(t, "cars196", "")
	if diff := cmp.Diff(papers.splits(), devkit.splits()); diff != "" {
		t.Error(diff)
	}
	count := func(l *Layout) map[string]int {
		images := map[string]int{}
		for _, row := range l.Rows {
			images[row.ClassName]++
		}
		return images
	}
	if diff := cmp.Diff(count(papers), count(devkit)); diff != "" {
		t.Error(diff)
	}
	slashes := 0
	for name := range count(papers) {
		slashes += strings.Count(name, "/")
	}
	if slashes != 1 {
		t.Errorf("%d class names with a slash", slashes)
	}
	if want := (Box{X0: 111, Y0: 6, X1: 853, Y1: 717}); *papers.Rows[0].Box != want {
		t.Errorf("first box %+v", *papers.Rows[0].Box)
	}
	// The unlabelled test list is not enough.
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(carsUnlabelled)))
	if err != nil {
		t.Fatal(err)
	}
	files["devkit/"+carsTestAnnos] = string(data)
	if _, err := readFolder(t.Context(), cars196(), files.write(t), ""); err == nil || !strings.Contains(err.Error(), "no field class") {
		t.Errorf("got %v", err)
	}
}

// 99 item ids of In-Shop have images in more than one category folder.
func TestOfficialInShopItems(t *testing.T) {
	root := officialLists(t, "inshop", inshop().Folders[0])
	layout, err := readFolder(t.Context(), inshop(), root, "")
	if err != nil {
		t.Fatal(err)
	}
	folders := map[int32][]string{}
	for _, row := range layout.Rows {
		if !slices.Contains(folders[row.Class], row.Superclass) {
			folders[row.Class] = append(folders[row.Class], row.Superclass)
		}
	}
	several := 0
	for _, f := range folders {
		if len(f) > 1 {
			several++
		}
	}
	if several != 99 {
		t.Errorf("%d items in more than one folder, want 99", several)
	}
}

// Three of the lists of VehicleID are missing there: the error names all of them.
func TestOfficialVehicleIDLacksLists(t *testing.T) {
	root := officialLists(t, "vehicleid", "VehicleID_V1.0")
	_, err := readFolder(t.Context(), vehicleid(), root, "")
	want := "train_test_split/train_list.txt, train_test_split/test_list_1600.txt, train_test_split/test_list_2400.txt are missing"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	// The lists that are there are read. What follows from them without the others is not taken for
	// a release.
	files := rawFiles{}
	for name, source := range map[string]string{
		vehicleImages: vehicleImages, vehicleModels: vehicleModels, vehicleNames: vehicleNames,
		"train_test_split/train_list.txt":     "train_test_split/train_50000.txt",
		"train_test_split/test_list_800.txt":  "train_test_split/test_list_800.txt",
		"train_test_split/test_list_1600.txt": "train_test_split/test_list_800.txt",
		"train_test_split/test_list_2400.txt": "train_test_split/test_list_800.txt",
	} {
		data, readErr := os.ReadFile(filepath.Join(root, filepath.FromSlash(source)))
		if readErr != nil {
			t.Fatal(readErr)
		}
		files[name] = string(data)
	}
	layout := files.read(t, "vehicleid", "part")
	if diff := cmp.Diff(map[Split]int{Train: 49999, Test: 6493}, layout.splits()); diff != "" || layout.Unlisted != 221567-49999-6493 {
		t.Error(layout.Unlisted, diff)
	}
	if n := classesOf(layout)[Test]; n != 800 {
		t.Errorf("%d test vehicles", n)
	}
	set := vehicleid()
	if _, err := readFolder(t.Context(), set, maps.Clone(files).write(t), ""); err == nil || !strings.Contains(err.Error(), "train_list.txt:49999: list ends here") {
		t.Errorf("got %v", err)
	}
}

// Sets that stand in for others are refused without a custom name.
func TestOfficialStandIns(t *testing.T) {
	for folder, tt := range map[string]struct {
		set  string
		rows int
	}{"sop_grocery": {"sop", 519}, "inshop_clothing": {"inshop", 635}, "vehicleid_cars": {"vehicleid", 980}} {
		raw := officialLists(t, folder)
		set, err := Lookup(tt.set)
		if err != nil {
			t.Fatal(err)
		}
		root, err := Locate(set, raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = readFolder(t.Context(), set, root, ""); err == nil || !strings.Contains(err.Error(), "--custom NAME") {
			t.Errorf("%s: got %v", folder, err)
		}
		layout, err := readFolder(t.Context(), set, root, "standin")
		if err != nil || len(layout.Rows) != tt.rows || layout.Release != "standin" {
			t.Errorf("%s: got %v", folder, err)
		}
		for _, row := range layout.Rows { // images are there: the files that rows name exist
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(row.File))); err != nil {
				t.Error(err)
				break
			}
		}
	}
}
