package datasets

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// Images of several sizes, reduced by their longest side or left as they are: by
// hand, 120 x 50 pixels at most 60 are 60 x 25.
func TestThumbnail(t *testing.T) {
	s := &rawSet{root: t.TempDir()}
	for i, size := range [][2]int{{120, 50}, {50, 121}, {40, 30}, {60, 60}} {
		s.add(t, Row{
			ID: int64(i + 1), Name: "x", File: filepath.Join("images", string(rune('a'+i))+".jpg"),
			Class: 1, ClassName: "one", Split: Train,
		}, photo(t, size[0], size[1], uint64(i)))
	}
	o := s.options(t)
	o.Size = 64
	m, d := s.ingest(t, o)
	for i, want := range [][2]int{{60, 25}, {25, 60}, {40, 30}, {60, 60}} {
		data, width, height, err := d.Thumbnail(i, 60, 90)
		if err != nil {
			t.Fatal(err)
		}
		small, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if b := small.Bounds(); width != want[0] || height != want[1] || b.Dx() != width || b.Dy() != height {
			t.Errorf("row %d: %d x %d pixels, a JPEG of %v; want %v", i, width, height, b, want)
		}
		r, err := d.decodeRow(i)
		if err != nil {
			t.Fatal(err)
		}
		got, all := imageRaster(small).pixels(), r.pixels()
		for channel := range 3 { // the whole image, not a part of it
			if a, b := mean(got, channel), mean(all, channel); a < b-6 || a > b+6 {
				t.Errorf("row %d, channel %d: mean %.1f, of the stored image %.1f", i, channel, a, b)
			}
		}
		worse, _, _, err := d.Thumbnail(i, 60, 20)
		if err != nil || len(worse) >= len(data) {
			t.Errorf("row %d: %d bytes at quality 20, %d at 90, %v", i, len(worse), len(data), err)
		}
	}
	part := filepath.Join(o.Out, "cub", m.Variant, m.Parts[0].Name)
	if err := os.Truncate(part, 100); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := d.Thumbnail(0, 60, 90)
	wantError(t, err, m.Parts[0].Name, "row 0 (x)")
}

// mean is the mean of a channel of RGB pixels.
func mean(pixels []uint8, channel int) float64 {
	sum := 0
	for i := channel; i < len(pixels); i += 3 {
		sum += int(pixels[i])
	}
	return float64(sum) / float64(len(pixels)/3)
}
