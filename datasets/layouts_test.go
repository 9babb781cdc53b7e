package datasets

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// moveIn moves what is in a folder.
func moveIn(t *testing.T, root string, moves ...[2]string) {
	t.Helper()
	for _, m := range moves {
		to := filepath.Join(root, m[1])
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(filepath.Join(root, m[0]), to)); err != nil {
			t.Fatal(err)
		}
	}
}

// Copies in which folders lie deeper or higher than published, or have names in another case, are the
// same data, and their layout says where the images were.
func TestIngestMoved(t *testing.T) {
	raw := smallMini(t)
	want := map[string]*Manifest{}
	for name, c := range map[string]struct {
		set   Set
		moves [][2]string
		raw   string // below the folder
		found string
	}{
		"cub in itself":         {cub(), nil, "", "images/ with five lists"},
		"cub deeper":            {cub(), [][2]string{{"images", "data/images"}}, "", "images in data/images"},
		"cub in upper case":     {cub(), [][2]string{{"images", "Images"}, {"images.txt", "IMAGES.TXT"}}, "", "images in Images"},
		"cub beside the lists":  {cub(), [][2]string{{"images", "x"}, {"x", "y"}}, "", ""},
		"vehicleid higher":      {vehicleid(), [][2]string{{"image", "all"}}, "", ""},
		"vehicleid deeper":      {vehicleid(), [][2]string{{"image", "VehicleID_V1.0/Image"}, {"attribute", "Attribute"}}, "", "images in VehicleID_V1.0/Image"},
		"sop deeper":            {sop(), nil, "", ""},
		"inshop img":            {inshop(), [][2]string{{"Img/img", "img2"}, {"img2", "img"}}, "", "images in img"},
		"inshop IMG":            {inshop(), [][2]string{{"Img/img", "IMG/IMG"}, {"Eval", "eval"}, {"Anno", "anno"}}, "", "images in IMG/IMG"},
		"inshop without img":    {inshop(), [][2]string{{"Img/img", "x"}, {"Img", "empty"}, {"x", "Img"}}, "", "images in Img"},
		"inshop highres, moved": {inshop(), [][2]string{{"Img/img", "Img/IMG_Highres"}}, "", "images in Img/IMG_Highres (high resolution), boxes not used: they refer to the 256x256 images"},
		"cars deeper":           {cars196(), [][2]string{{"car_ims", "images/car_ims"}}, "", "images in images/car_ims"},
		"cars beside the lists": {cars196(), [][2]string{{"car_ims", "x"}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := Locate(c.set, raw)
			if err != nil {
				t.Fatal(err)
			}
			if want[c.set.Name] == nil {
				if want[c.set.Name], err = ingestMini(t, c.set, dir); err != nil {
					t.Fatal(err)
				}
			}
			home := filepath.Join(t.TempDir(), "holder", c.set.Folders[0], c.set.Folders[0]) // one folder too many
			if err = os.CopyFS(home, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			moveIn(t, home, c.moves...)
			if c.found == "" { // the images themselves, or the folders of them
				from := home
				if len(c.moves) > 0 {
					from = filepath.Join(home, c.moves[len(c.moves)-1][1])
				}
				to := home
				if c.set.Name == "sop" {
					to = filepath.Join(home, "deep")
					c.found = "images in deep"
				} else {
					c.found = "images in the top folder"
				}
				entries, failed := os.ReadDir(from)
				if failed != nil {
					t.Fatal(failed)
				}
				for _, e := range entries {
					if c.set.Name != "sop" || e.IsDir() {
						err = errors.Join(err, os.MkdirAll(to, 0o755), os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			m, err := ingestMini(t, c.set, filepath.Dir(filepath.Dir(home)))
			if err != nil {
				t.Fatal(err)
			}
			same := m.Digest == want[c.set.Name].Digest
			if same == m.Options.HighRes || !strings.Contains(m.Layout, c.found) {
				t.Errorf("digest is the same: %t, layout is %q, want %q", same, m.Layout, c.found)
			}
		})
	}
}

// Images that could belong to two rows, or are in two places, are not guessed.
func TestIngestMovedRefuses(t *testing.T) {
	raw := smallMini(t)
	dir, err := Locate(cub(), raw)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err = errors.Join(os.CopyFS(filepath.Join(home, "top"), os.DirFS(dir)), os.CopyFS(filepath.Join(home, "top/b"), os.DirFS(filepath.Join(dir)))); err != nil {
		t.Fatal(err)
	}
	moveIn(t, home, [2]string{"top/images", "top/a/images"})
	_, err = ingestMini(t, cub(), filepath.Join(home, "top"))
	wantError(t, err, "more than one folder has its images: a/images and b/images; want one of them")

	if err = errors.Join(os.RemoveAll(filepath.Join(home, "top/a")), os.RemoveAll(filepath.Join(home, "top/b"))); err != nil {
		t.Fatal(err)
	}
	writeTo(t, home, "top/photos.zip", zipOf(t, packed{name: "x"}))
	_, err = ingestMini(t, cub(), filepath.Join(home, "top"))
	wantError(t, err, "listed images exists in", "; there is photos.zip: unpack it there")

	_, err = ingestMini(t, cub(), filepath.Join(dir, "images"))
	wantError(t, err, "its lists are in the folder above: name that one")
	writeTo(t, home, "holder/archive.zip", zipOf(t, packed{name: "x"}))
	_, err = ingestMini(t, cub(), filepath.Join(home, "holder"))
	wantError(t, err, "it holds archive.zip: name the archive itself, if that is it")

	// Both groups of the devkit have an image 00001.jpg.
	set, files := cars196(), devkitFiles()
	for i := range 4 {
		files[fmt.Sprintf("%05d.jpg", i+1)] = string(photo(t, 40, 40, uint64(i)))
	}
	_, err = ingestMini(t, set, files.write(t))
	wantError(t, err, "00001.jpg is not where it was published, and may be the image of devkit/cars_train_annos.mat:row 1 too")
}

// carsByClass writes the lists of Cars and an image for each row, which holds the row's name. folder returns
// the folder of a row.
func carsByClass(t *testing.T, files rawFiles, folder func(r Row) string) string {
	t.Helper()
	layout := files.read(t, "cars196", MiniRelease)
	all := maps.Clone(files)
	for _, r := range layout.Rows {
		all[path.Join(folder(r), path.Base(r.File))] = r.Name
	}
	return all.write(t)
}

// className is the name of a class as it is in copies, whose folders cannot have a slash.
func className(r Row) string { return strings.ReplaceAll(r.ClassName, "/", "-") }

// Copies of Cars-196 by class folders are joined to the annotations where their numbers can be told.
func TestIngestCarsByClass(t *testing.T) {
	official := func(r Row) string { return path.Dir(r.File) }
	split := func(r Row) string { return strings.TrimPrefix(path.Dir(r.File), "cars_") }
	both := papersFiles()
	maps.Copy(both, devkitFiles())
	tests := map[string]struct {
		files  rawFiles
		folder func(r Row) string
		found  string
		err    string
	}{
		"Kaggle's by classes": {
			devkitFiles(), func(r Row) string { return "car_data/car_data/" + split(r) + "/" + className(r) },
			"class folders in car_data/car_data/test and car_data/car_data/train, joined to devkit/ by split and number", "",
		},
		"in the published folders": {devkitFiles(), func(r Row) string { return official(r) + "/" + className(r) }, "class folders in cars_test and cars_train, joined", ""},
		"without blanks":           {devkitFiles(), func(r Row) string { return split(r) + "/" + strings.ReplaceAll(className(r), " ", "_") }, "class folders in test and train", ""},
		"doubled":                  {devkitFiles(), func(r Row) string { return official(r) + "/" + official(r) }, "cars_train/ and cars_test/ with devkit/, images in cars_train/cars_train, images in cars_test/cars_test", ""},
		"6 digits, one folder":     {papersFiles(), func(r Row) string { return "cars/" + className(r) }, "class folders in cars, joined to cars_annos.mat", ""},
		"6 digits, both lists":     {both, func(r Row) string { return className(r) }, "class folders in ., joined to cars_annos.mat", ""},
		"5 digits, one folder":     {devkitFiles(), func(r Row) string { return "cars/" + className(r) }, "", "a 5-digit number is that of a training and of a test image"},
		"two copies": {
			devkitFiles(), func(r Row) string { return fmt.Sprintf("%c/%s/%s", 'a'+r.Class%2, split(r), className(r)) }, "",
			"b/test cannot be joined to the annotations: a/test has class folders of the same split",
		},
		"another class": {devkitFiles(), func(r Row) string { return split(r) + "/Maker Model 2 Sedan 2012" }, "", "but its folder is \"Maker Model 2 Sedan 2012\": the numbers are not those"},
		"no class":      {papersFiles(), func(r Row) string { return fmt.Sprint("class ", r.Class) }, "", "none of the 6 listed images exists"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			root := carsByClass(t, c.files, c.folder)
			src := folderSource(t, root)
			layout, err := cars196().Read(t.Context(), src, MiniRelease)
			var rows []*Row
			var nested []string
			if err == nil {
				if rows, err = sortedRows(layout); err == nil {
					rows, _, nested, err = newSources(src).existing(t.Context(), rows, false)
				}
			}
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(append([]string{layout.Found}, nested...), ", images in "); !strings.HasPrefix(found, c.found) {
				t.Errorf("layout %q, want %q", found, c.found)
			}
			want := c.files.read(t, "cars196", MiniRelease)
			for _, r := range rows {
				data, err := os.ReadFile(filepath.Join(root, r.File))
				if other := want.Rows[r.ID-1]; string(data) != r.Name || err != nil || r.Name != other.Name || r.Class != other.Class || *r.Box != *other.Box {
					t.Errorf("%s: got image %q of class %d, %v, want %+v", r.Name, data, r.Class, err, other)
				}
			}
		})
	}
}

// A copy whose numbers are of the other lists, are mixed, or are nobody's, is refused.
func TestCarsByClassRefuses(t *testing.T) {
	class := "Maker Model 2 Sedan 2012"
	for name, c := range map[string]struct {
		lists  rawFiles
		images []string
		want   string
	}{
		"5 digits, the papers' list": {papersFiles(), []string{"train/" + class + "/00001.jpg"}, "5-digit names are numbers of the devkit, and cars_annos.mat has others"},
		"6 digits, the devkit":       {devkitFiles(), []string{"train/" + class + "/000001.jpg"}, "6-digit names are numbers of cars_annos.mat, and the devkit has others"},
		"mixed":                      {devkitFiles(), []string{"train/" + class + "/00002.jpg", "train/" + class + "/000003.jpg"}, "names of 5 and of 6 digits are different numberings"},
		"nobody's":                   {devkitFiles(), []string{"train/" + class + "/00002.jpg", "train/" + class + "/00099.jpg"}, "no annotation names cars_train/00099.jpg"},
		"the other split":            {papersFiles(), []string{"train/" + class + "/000003.jpg"}, "is an image of the other split"},
		"twice":                      {devkitFiles(), []string{"train/" + class + "/00002.jpg", "train/" + class + "/00002.JPG"}, "is there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(c.lists)
			for _, image := range c.images {
				files[image] = "x"
				files[path.Dir(image)+"/._"+path.Base(image)] = "resource fork"
			}
			_, err := readFolder(t.Context(), cars196(), files.write(t), MiniRelease)
			wantError(t, err, c.want)
		})
	}
}

// The 196 published names stay different without blanks and signs.
func TestPlainClass(t *testing.T) {
	if got := plainClass("Ram C/V Cargo Van Minivan 2012"); got != plainClass("ram_C-V_Cargo Van Minivan-2012") || got != "ramcvcargovanminivan2012" {
		t.Error(got)
	}
	if got := slices.Compact(mergeFolders([]string{"x/b", "x/a"})); len(got) != 1 || got[0] != "x" {
		t.Error(got)
	}
}
