package datasets

import (
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The readers of the five layouts must find in the miniature sets what was written: 24 train and 24
// test classes, no class in both, 8 to 10 images each, and every box inside its image.
func TestWriteMiniReads(t *testing.T) {
	dir := t.TempDir()
	o := DefaultMini()
	if err := WriteMini(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	located, err := LocateAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(located) != len(Published()) {
		t.Fatalf("found %d sets, want %d", len(located), len(Published()))
	}
	for _, l := range located {
		t.Run(l.Set.Name, func(t *testing.T) {
			layout, err := readFolder(t.Context(), l.Set, l.Root, MiniRelease)
			if err != nil {
				t.Fatal(err)
			}
			if layout.Release != MiniRelease {
				t.Errorf("release %q, want %q", layout.Release, MiniRelease)
			}
			classes, images := map[Split]map[int32]bool{}, map[int32]int{}
			for _, row := range layout.Rows {
				if classes[row.Split] == nil {
					classes[row.Split] = map[int32]bool{}
				}
				classes[row.Split][row.Class] = true
				images[row.Class]++
				checkMiniImage(t, layout.Root, row)
			}
			got := map[Split]int{}
			for split, of := range classes {
				got[split] = len(of)
				for class := range of {
					if split != Train && classes[Train][class] {
						t.Errorf("class %d is in %s and in train", class, split)
					}
				}
			}
			want := map[Split]int{Train: 24, Test: 24}
			if l.Set.Name == "inshop" {
				want = map[Split]int{Train: 24, Query: 24, Gallery: 24}
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("classes (-got +want):\n%s", diff)
			}
			counts := slices.Collect(maps.Values(images))
			if len(images) != 48 || slices.Min(counts) < 8 || slices.Max(counts) > 10 {
				t.Errorf("%d classes with %d to %d images, want 48 with 8 to 10", len(images), slices.Min(counts), slices.Max(counts))
			}
			if boxes := slices.Contains([]string{"cub", "cars196", "inshop"}, l.Set.Name); boxes != (layout.Rows[0].Box != nil) {
				t.Errorf("box of the first row: got %v, want %v", layout.Rows[0].Box, boxes)
			}
			if l.Set.Name == "vehicleid" {
				checkMiniLists(t, layout)
			}
		})
	}
}

// checkMiniImage reads the head of a row's image and compares it with the row's box.
func checkMiniImage(t *testing.T, root string, row Row) {
	t.Helper()
	file, err := os.Open(filepath.Join(root, filepath.FromSlash(row.File)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	head, err := jpeg.DecodeConfig(file)
	if err != nil {
		t.Fatalf("%s: %v", row.File, err)
	}
	if b := row.Box; b != nil && (b.X0 < 0 || b.Y0 < 0 || b.X1 > head.Width || b.Y1 > head.Height || b.X1-b.X0 < 10 || b.Y1-b.Y0 < 10) {
		t.Errorf("%s: box %v, want it within %d x %d and at least 10 wide and high", row.File, *b, head.Width, head.Height)
	}
}

// checkMiniLists: each of VehicleID's test lists holds the one before, with a third, two thirds and
// all 24 vehicles.
func checkMiniLists(t *testing.T, layout *Layout) {
	t.Helper()
	vehicles := map[uint8]map[int32]bool{1: {}, 2: {}, 4: {}}
	for _, row := range layout.Rows {
		if row.Split == Train {
			continue
		}
		for bit, of := range vehicles {
			if row.List&bit != 0 {
				of[row.Class] = true
			}
		}
		if row.List != 1|2|4 && row.List != 2|4 && row.List != 4 {
			t.Errorf("%s: test lists %03b are not nested", row.Line, row.List)
		}
		if len(row.Name) != 7 || !strings.HasPrefix(row.Name, "0") {
			t.Errorf("%s: name %q, want 7 digits with leading zeros", row.Line, row.Name)
		}
	}
	if a, b, c := len(vehicles[1]), len(vehicles[2]), len(vehicles[4]); a != 8 || b != 16 || c != 24 {
		t.Errorf("test lists of %d, %d and %d vehicles, want 8, 16 and 24", a, b, c)
	}
	if layout.Unlisted < 16 {
		t.Errorf("%d images in no list, want those of 2 vehicles", layout.Unlisted)
	}
}
