package datasets

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vehicleFiles returns lists in the layout of VehicleID: the test vehicles of
// 800, those that 1600 adds, those that 2400 adds, the training vehicles, and
// vehicles in no list. The split lists lack their last line end, as published.
func vehicleFiles(test800, add1600, add2400, train, unlisted []int) rawFiles {
	var all strings.Builder
	parts := make([]strings.Builder, 5)
	name, vehicle := 0, 0
	for i, images := range [][]int{test800, add1600, add2400, train, unlisted} {
		for _, n := range images {
			vehicle++
			for range n {
				name++
				line := fmt.Sprintf("%07d %d\n", name, vehicle)
				all.WriteString(line)
				parts[i].WriteString(line)
			}
		}
	}
	list := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(parts[i].String())
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	return rawFiles{
		vehicleImages:                         all.String(),
		"train_test_split/train_list.txt":     strings.TrimSuffix(parts[3].String(), "\n"),
		"train_test_split/test_list_800.txt":  list(1),
		"train_test_split/test_list_1600.txt": list(2),
		"train_test_split/test_list_2400.txt": list(3),
	}
}

func someVehicles() rawFiles {
	files := vehicleFiles([]int{2, 2}, []int{3}, []int{2}, []int{3, 1}, []int{1, 1})
	files[vehicleNames] = "大众 朗逸 2008款 0\nAudi A6L-2012款 1\n"
	files[vehicleModels] = "1 1\n5 0\n"
	return files
}

func TestReadVehicleID(t *testing.T) {
	layout := someVehicles().read(t, "vehicleid", "mini")
	if layout.Release != "mini" || layout.Unlisted != 2 || len(layout.Rows) != 13 || len(layout.Lists) != 7 {
		t.Fatalf("release %s, %d unlisted, %d rows, lists %v", layout.Release, layout.Unlisted, len(layout.Rows), layout.Lists)
	}
	want := []Row{
		{ID: 1, Name: "0000001", File: "image/0000001.jpg", Class: 1, ClassName: "1", Superclass: "Audi A6L-2012款", Split: Test, List: 7, Line: vehicleImages + ":1"},
		{ID: 5, Name: "0000005", File: "image/0000005.jpg", Class: 3, ClassName: "3", Split: Test, List: 6, Line: vehicleImages + ":5"},
		{ID: 8, Name: "0000008", File: "image/0000008.jpg", Class: 4, ClassName: "4", Split: Test, List: 4, Line: vehicleImages + ":8"},
		{ID: 10, Name: "0000010", File: "image/0000010.jpg", Class: 5, ClassName: "5", Superclass: "大众 朗逸 2008款", Split: Train, Line: vehicleImages + ":10"},
	}
	got := []Row{layout.Rows[0], layout.Rows[4], layout.Rows[7], layout.Rows[9]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The attributes are optional.
	files := someVehicles()
	delete(files, vehicleModels)
	if row := files.read(t, "vehicleid", "mini").Rows[0]; row.Superclass != "" {
		t.Errorf("got %+v", row)
	}
}

// releaseFiles returns lists with the counts of a release.
func releaseFiles(r vehicleRelease, total vehicleCount) rawFiles {
	l := r.lists
	listed := vehicleCount{l[0].images + l[3].images, l[0].vehicles + l[3].vehicles}
	return vehicleFiles(
		spread(l[1].vehicles, l[1].images), spread(l[2].vehicles-l[1].vehicles, l[2].images-l[1].images),
		spread(l[3].vehicles-l[2].vehicles, l[3].images-l[2].images), spread(l[0].vehicles, l[0].images),
		spread(total.vehicles-listed.vehicles, total.images-listed.images))
}

func TestReadVehicleIDReleases(t *testing.T) {
	for _, release := range vehicleReleases() {
		for _, total := range release.images {
			layout := releaseFiles(release, total).read(t, "vehicleid", "")
			want := map[Split]int{Train: release.lists[0].images, Test: release.lists[3].images}
			if diff := cmp.Diff(want, layout.splits()); diff != "" || layout.Release != release.name {
				t.Error(layout.Release, diff)
			}
			if got := layout.Unlisted; got != total.images-want[Train]-want[Test] {
				t.Errorf("%s: %d unlisted", release.name, got)
			}
		}
	}
	papers, public := vehicleReleases()[0], vehicleReleases()[1]
	mixed := public
	mixed.lists[0] = papers.lists[0]
	const dir = "train_test_split/"
	refuses(t, "vehicleid", "", releaseFiles(public, public.images[0]), map[string]badLists{
		"another set":  {func(f rawFiles) { maps.Copy(f, someVehicles()) }, dir + "train_list.txt:4: list ends here: want the 110178 images of 13134 vehicles of PKU VehicleID (papers) or the 113346 images of 13164 vehicles (public), got 4 images of 2 vehicles"},
		"cut training": {func(f rawFiles) { f.head(dir+"train_list.txt", 49999) }, dir + "train_list.txt:49999: list ends here"},
		"cut test":     {func(f rawFiles) { f.head(dir+"test_list_1600.txt", 9000) }, dir + "test_list_1600.txt:9000: list ends here"},
		"mixed":        {func(f rawFiles) { maps.Copy(f, releaseFiles(mixed, public.images[0])) }, "mix two releases: train_test_split/train_list.txt is of papers, train_test_split/test_list_800.txt is of public"},
		"cut img2vid":  {func(f rawFiles) { f.head(vehicleImages, 221000) }, vehicleImages + ":221000: list ends here: want the 221567 images of 26328 vehicles"},
	})
}

func TestReadVehicleIDRefuses(t *testing.T) {
	good := someVehicles()
	const train, test = "train_test_split/train_list.txt", "train_test_split/test_list_800.txt"
	refuses(t, "vehicleid", "mini", good, map[string]badLists{
		"three lists missing": {func(f rawFiles) {
			delete(f, train)
			delete(f, "train_test_split/test_list_1600.txt")
			delete(f, "train_test_split/test_list_2400.txt")
		}, "train_test_split/train_list.txt, train_test_split/test_list_1600.txt, train_test_split/test_list_2400.txt are missing"},
		"leading zeros lost":      {func(f rawFiles) { f.line(vehicleImages, 2, "2 1") }, vehicleImages + `:2: image name, want 7 digits with their leading zeros, got "2"`},
		"zeros lost in a list":    {func(f rawFiles) { f.line(train, 1, "10 5") }, train + ":1: image name, want 7 digits"},
		"name with an extension":  {func(f rawFiles) { f.line(vehicleImages, 2, "0000002.jpg 1") }, vehicleImages + ":2: want"},
		"name with a path":        {func(f rawFiles) { f.line(vehicleImages, 2, "../0002 1") }, vehicleImages + ":2: want"},
		"comma separated":         {func(f rawFiles) { f.line(vehicleImages, 2, "0000002,1") }, vehicleImages + ":2: want"},
		"duplicate image":         {func(f rawFiles) { f.line(vehicleImages, 2, "0000001 1") }, vehicleImages + ":2: image 0000001 is listed twice, first in line 1"},
		"vehicle below 0":         {func(f rawFiles) { f.line(vehicleImages, 2, "0000002 -1") }, vehicleImages + ":2: want"},
		"image of no list":        {func(f rawFiles) { f.line(train, 1, "0000099 5") }, train + ":1: image 0000099 is not in attribute/img2vid.txt"},
		"lists disagree":          {func(f rawFiles) { f.line(train, 1, "0000010 6") }, train + ":1: vehicle of image 0000010, want 5 as in attribute/img2vid.txt:10, got 6"},
		"duplicate in a list":     {func(f rawFiles) { f.line(train, 2, "0000010 5") }, train + ":2: image 0000010 is listed twice"},
		"duplicate in a test":     {func(f rawFiles) { f.line(test, 2, "0000001 1") }, test + ":2: image 0000001 is listed twice"},
		"vehicle in both":         {func(f rawFiles) { f.line(test, 1, "0000010 5") }, test + ":1: vehicle 5 is in train and in test, first in " + train + ":1"},
		"cut in a line":           {func(f rawFiles) { f[train] = f[train][:len(f[train])-2] }, train + ":4: want"},
		"model of no vehicle":     {func(f rawFiles) { f.line(vehicleModels, 1, "77 1") }, vehicleModels + ":1: vehicle 77 is not in"},
		"model twice":             {func(f rawFiles) { f.line(vehicleModels, 2, "1 0") }, vehicleModels + ":2: vehicle 1 is listed twice"},
		"model without a name":    {func(f rawFiles) { f.line(vehicleModels, 1, "1 9") }, vehicleModels + ":1: model id 9 is not in"},
		"model of words":          {func(f rawFiles) { f.line(vehicleModels, 1, "1 x") }, vehicleModels + ":1: want"},
		"model name without id":   {func(f rawFiles) { f.line(vehicleNames, 1, "Audi A6L") }, vehicleNames + ":1: want"},
		"model id before a name":  {func(f rawFiles) { f.line(vehicleNames, 1, "0 Audi") }, vehicleNames + ":1: want"},
		"model id of two names":   {func(f rawFiles) { f.line(vehicleNames, 1, "Audi 1") }, vehicleNames + ":2: model id 1 is listed twice"},
		"list of three columns":   {func(f rawFiles) { f.line(train, 1, "0000010 5 1") }, train + ":1: want"},
		"one list has no content": {func(f rawFiles) { f[test] = "" }, test + ":1: list is empty"},
	})
	for _, name := range []string{vehicleImages, train, test} {
		missingList(t, "vehicleid", good, name)
	}
	lineEnds(t, "vehicleid", good)
}

func TestVehicleProtocols(t *testing.T) {
	set, err := Lookup("vehicleid")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range set.Protocols {
		got = append(got, fmt.Sprint(p.ID, " ", p.Kind, " ", p.List, " ", p.Recalls))
	}
	want := []string{
		"vehicleid-800-loo loo 1 [1 5]", "vehicleid-800-1gallery 1gallery 1 [1 5]", "vehicleid-1600-loo loo 2 [1 5]",
		"vehicleid-1600-1gallery 1gallery 2 [1 5]", "vehicleid-2400-loo loo 4 [1 5]", "vehicleid-2400-1gallery 1gallery 4 [1 5]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzReadVehicleID(f *testing.F) {
	good := someVehicles()
	f.Add(good[vehicleImages], good["train_test_split/train_list.txt"], good["train_test_split/test_list_800.txt"], good[vehicleNames], good[vehicleModels])
	f.Fuzz(func(t *testing.T, images, train, test, names, models string) {
		files := someVehicles()
		files[vehicleImages], files[vehicleNames], files[vehicleModels] = images, names, models
		files["train_test_split/train_list.txt"], files["train_test_split/test_list_800.txt"] = train, test
		fuzzRead(t, "vehicleid", files)
	})
}
