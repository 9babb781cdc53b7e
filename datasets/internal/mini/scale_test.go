package mini

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A hundredth of the published sizes: the rows of the lists, an image for each or for one in ten, no two
// files alike, all of them whole. The full size is written by hand only.
func TestScale(t *testing.T) {
	dir := t.TempDir()
	o := ScaleOptions{Sets: ScaleSets(), Seed: 1, Divisor: 100}
	if err := Scale(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]int{ // the published counts by 100
		"Stanford_Online_Products/Ebay_train.txt":            595 + 1,
		"Stanford_Online_Products/Ebay_test.txt":             605 + 1,
		"VehicleID_V1.0/attribute/img2vid.txt":               1133 + 64 + 68 + 64 + 884,
		"VehicleID_V1.0/train_test_split/train_list.txt":     1133,
		"VehicleID_V1.0/train_test_split/test_list_800.txt":  64,
		"VehicleID_V1.0/train_test_split/test_list_2400.txt": 64 + 68 + 64,
	} {
		data, err := os.ReadFile(filepath.Join(dir, list))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(data, []byte("\n")); got != want {
			t.Errorf("%s has %d lines, want %d", list, got, want)
		}
	}
	for pattern, want := range map[string]int{"Stanford_Online_Products/*_final/*.JPG": 595 + 605, "VehicleID_V1.0/image/*.jpg": 222} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) != want {
			t.Fatalf("%d images, want %d, %v", len(files), want, err)
		}
		seen := map[string]string{}
		for i, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if twin, twice := seen[string(data)]; twice {
				t.Fatalf("%s has the bytes of %s", file, twin)
			}
			seen[string(data)] = file
			if i%100 > 0 {
				continue
			}
			c, err := jpeg.DecodeConfig(bytes.NewReader(data))
			if err != nil || c.Width < 480 || c.Width > 520 || c.Height < 380 || c.Height > 420 {
				t.Errorf("%s is %d x %d, %v", file, c.Width, c.Height, err)
			}
		}
	}
	if err := Scale(t.Context(), dir, o); err != nil {
		t.Errorf("a second call: %v", err)
	}
	if err := Scale(t.Context(), dir, ScaleOptions{Sets: []string{"cub"}, Divisor: 1}); err == nil || !strings.Contains(err.Error(), "want one of sop, vehicleid") {
		t.Errorf("error is %v", err)
	}
}
