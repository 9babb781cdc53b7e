package datasets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fiveSets returns the lists of all sets, each in its published folder.
func fiveSets() map[string]rawFiles {
	return map[string]rawFiles{
		"CUB_200_2011": cubFiles([]int{2, 1}, 1), "stanford_cars": papersFiles(), "Stanford_Online_Products": sopFiles(3, []int{2}, []int{2}),
		"In-shop Clothes Retrieval Benchmark": inshopFiles(someGarments()), "VehicleID_V1.0": someVehicles(),
	}
}

// below returns the files in folders.
func below(sets map[string]rawFiles, parents ...string) rawFiles {
	all := rawFiles{}
	for folder, files := range sets {
		for _, parent := range parents {
			for name, text := range files {
				all[parent+folder+"/"+name] = text
			}
		}
	}
	return all
}

func TestLocate(t *testing.T) {
	root := below(fiveSets(), "").write(t)
	for _, set := range Published() {
		want := filepath.Join(root, set.Folders[0])
		for _, raw := range []string{root, want} {
			if got, err := Locate(set, raw); err != nil || got != want {
				t.Errorf("%s in %s: got %s, %v", set.Name, raw, got, err)
			}
		}
	}
	link := filepath.Join(t.TempDir(), "cub")
	if err := os.Symlink(filepath.Join(root, "CUB_200_2011"), link); err != nil {
		t.Fatal(err)
	}
	if got, err := Locate(cub(), filepath.Dir(link)); err != nil || got != link {
		t.Errorf("link: got %s, %v", got, err)
	}
}

func TestLocateRefuses(t *testing.T) {
	two := below(map[string]rawFiles{"a": cubFiles([]int{2, 1}, 1), "b": cubFiles([]int{2, 1}, 1)}, "").write(t)
	_, err := Locate(cub(), two)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(two, "a")+" and "+filepath.Join(two, "b")) {
		t.Errorf("two candidates: got %v", err)
	}
	if _, err := Locate(cub(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "CUB_200_2011") {
		t.Errorf("nothing there: got %v", err)
	}
	if _, err := Locate(cub(), filepath.Join(two, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: got %v", err)
	}
	if _, err := Locate(cub(), filepath.Join(two, "a", "images.txt")); err == nil {
		t.Error("a file was searched")
	}
}

func TestLocateAll(t *testing.T) {
	want := []string{"cub", "cars196", "sop", "inshop", "vehicleid"}
	for _, parent := range []string{"", "deep/"} { // one level and two levels deep
		root := below(fiveSets(), parent).write(t)
		found, err := LocateAll(root)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Set.Name)
			if f.Root != filepath.Join(root, parent, f.Set.Folders[0]) {
				t.Errorf("%s: got %s", f.Set.Name, f.Root)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
	}
	root := below(fiveSets(), "").write(t)
	if found, err := LocateAll(filepath.Join(root, "CUB_200_2011")); err != nil || len(found) != 1 || found[0].Set.Name != "cub" {
		t.Errorf("the folder itself: got %v, %v", found, err)
	}
}

func TestLocateAllRefuses(t *testing.T) {
	one := map[string]rawFiles{"CUB_200_2011": cubFiles([]int{2, 1}, 1)}
	root := below(one, "a/", "b/").write(t)
	_, err := LocateAll(root)
	want := filepath.Join(root, "a", "CUB_200_2011") + " and " + filepath.Join(root, "b", "CUB_200_2011")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("two candidates: got %v", err)
	}
	for _, raw := range []string{t.TempDir(), below(one, "a/b/").write(t), filepath.Join(root, "none")} { // the second lies three levels deep
		if found, err := LocateAll(raw); err == nil {
			t.Errorf("found %v", found)
		}
	}
}
