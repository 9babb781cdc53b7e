package datasets

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"testing"
)

// patterned returns the pixels that testdata/resample.json names as its source.
func patterned(width, height int) []uint8 {
	var p []uint8
	for y := range height {
		for x := range width {
			p = append(p, uint8(7*x+13*y), uint8(x*y+40), uint8(x*x+3*y*y))
		}
	}
	return p
}

// TestResamplePixels holds the filter to the pixels that Pillow computes, every bit of them.
func TestResamplePixels(t *testing.T) {
	data, err := os.ReadFile("testdata/resample.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Source string
		Cases  []struct {
			Why      string
			From, To [2]int
			Pixels   string
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range golden.Cases {
		t.Run(c.Why, func(t *testing.T) {
			want, err := hex.DecodeString(c.Pixels)
			if err != nil {
				t.Fatal(err)
			}
			r := rgbRaster(patterned(c.From[0], c.From[1]), c.From[0], c.From[1])
			got := resample(r, c.To[0], c.To[1], Box{0, 0, c.To[0], c.To[1]})
			if !bytes.Equal(got, want) {
				t.Errorf("%v to %v: got %x, want %x (%s)", c.From, c.To, got, want, golden.Source)
			}
		})
	}
}

// A window is cut from the same pixels, whether the rest is computed or not.
func TestResampleWindow(t *testing.T) {
	r := rgbRaster(patterned(61, 47), 61, 47)
	for _, size := range [][2]int{{30, 22}, {61, 47}, {90, 99}} {
		whole := resample(r, size[0], size[1], Box{0, 0, size[0], size[1]})
		w := Box{7, 3, 25, 19}
		got := resample(r, size[0], size[1], w)
		for y := range w.Y1 - w.Y0 {
			from := ((y+w.Y0)*size[0] + w.X0) * 3
			n := (w.X1 - w.X0) * 3
			if !bytes.Equal(got[y*n:(y+1)*n], whole[from:from+n]) {
				t.Fatalf("%v: row %d of the window differs", size, y)
			}
		}
	}
}

// White stays white: rounded weights may add up to more than 1, which must not wrap around.
func TestResampleSaturates(t *testing.T) {
	for from := 8; from < 300; from += 13 {
		for to := 8; to < 80; to += 7 {
			white := bytes.Repeat([]byte{255}, from*from*3)
			for _, v := range resample(rgbRaster(white, from, from), to, to, Box{0, 0, to, to}) {
				if v != 255 {
					t.Fatalf("%d to %d: white became %d", from, to, v)
				}
			}
		}
	}
}

// The fast path agrees with image/color, in every subsampling and in windows at odd places.
func TestRowYCbCr(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := image.NewYCbCr(image.Rect(0, 0, 19, 13), ratio)
		for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
			for i := range plane {
				plane[i] = uint8(random.Uint32())
			}
		}
		r := imageRaster(m)
		for y := range 13 {
			for _, x := range [][2]int{{0, 19}, {3, 18}, {6, 7}} {
				dst := make([]uint8, 3*(x[1]-x[0]))
				r.read(y, x[0], x[1], dst)
				for i := x[0]; i < x[1]; i++ {
					c := color.RGBAModel.Convert(m.At(i, y)).(color.RGBA)
					if got := dst[3*(i-x[0]):][:3]; got[0] != c.R || got[1] != c.G || got[2] != c.B {
						t.Fatalf("%v: pixel %d,%d is %v, want %v", ratio, i, y, got, c)
					}
				}
			}
		}
	}
}

func TestViewSizes(t *testing.T) {
	// Expected from the rule: the shortest side is clamped to [N, round(N*256/224)], then N x N
	// from the centre.
	for _, c := range []struct {
		why                 string
		width, height, size int
		scaledW, scaledH    int
		wantLeft, wantTop   int
	}{
		{"left alone between N and its limit", 341, 250, 224, 341, 250, 58, 13},
		{"reduced to 256 at 224", 600, 400, 224, 384, 256, 80, 16},
		{"enlarged to N", 100, 50, 224, 448, 224, 112, 0},
		{"128 is reduced to round(128*256/224) = 146", 256, 256, 128, 146, 146, 9, 9},
		{"portrait", 256, 512, 128, 146, 292, 9, 82},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := rgbRaster(patterned(c.width, c.height), c.width, c.height)
			got := make([]uint8, c.size*c.size*3)
			View{Size: c.size}.cut(r, got)
			w := Box{c.wantLeft, c.wantTop, c.wantLeft + c.size, c.wantTop + c.size}
			if want := resample(r, c.scaledW, c.scaledH, w); !bytes.Equal(got, want) {
				t.Error("pixels differ")
			}
		})
	}
}

// A random view is a window of the scaled image or its mirror image; both and many places occur,
// and every call draws three numbers.
func TestViewRandom(t *testing.T) {
	const size = 16
	r := rgbRaster(patterned(40, 18), 40, 18)
	windows := map[string]string{}
	for x := range 40 - size + 1 {
		for y := range 18 - size + 1 {
			p := resample(r, 40, 18, Box{x, y, x + size, y + size})
			windows[string(p)] = "plain"
			mirrorPixels(p, size)
			windows[string(p)] = "mirrored"
		}
	}
	random, beside := rand.New(rand.NewPCG(3, 4)), rand.New(rand.NewPCG(3, 4))
	seen, kinds := map[string]bool{}, map[string]int{}
	got := make([]uint8, size*size*3)
	for range 400 {
		View{size, random}.cut(r, got)
		kind, found := windows[string(got)]
		if !found {
			t.Fatal("a view is no window of the image")
		}
		seen[string(got)] = true
		kinds[kind]++
		for range 3 {
			beside.Uint64()
		}
	}
	if random.Uint64() != beside.Uint64() {
		t.Error("a view does not draw three numbers")
	}
	// 150 views are equally likely; 400 draws show 139 of them on average. Half of the draws, 200
	// +- 10, are mirrored.
	if len(seen) < 120 || kinds["mirrored"] < 150 || kinds["mirrored"] > 250 {
		t.Errorf("%d different views, %v", len(seen), kinds)
	}
}

func BenchmarkPrepare(b *testing.B) { // a photograph of 500 x 375 to a shortest side of 256, one goroutine
	data := photo(b, 500, 375, 1)
	row := &Row{File: "photo.jpg"}
	prepare := preparer{budget: newBudget(), options: DefaultIngestOptions().options()}
	for b.Loop() {
		if _, bad, err := prepare.image(b.Context(), row, data); bad != nil || err != nil {
			b.Fatal(bad, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkDecode(b *testing.B) {
	data := photo(b, 500, 375, 1)
	for b.Loop() {
		if _, err := decodeImage(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResample(b *testing.B) {
	p, err := decodeImage(photo(b, 500, 375, 1))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		resample(p.raster, 341, 256, Box{0, 0, 341, 256})
	}
}

func BenchmarkEncode(b *testing.B) {
	p := patterned(341, 256)
	for b.Loop() {
		if _, err := encodeJPEG(p, 341, 256, storedQuality); err != nil {
			b.Fatal(err)
		}
	}
}
