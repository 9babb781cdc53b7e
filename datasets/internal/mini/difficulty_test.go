package mini

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"
)

// example is a test image with what the drawing knows about it.
type example struct {
	class int
	image image.Image
	pose  pose
	gain  colour
	box   box
}

// examples draws the images of the test classes of a set, through the JPEG encoder and back.
func examples(t *testing.T, s set) []example {
	t.Helper()
	o := Default()
	f := &folder{set: s, options: o}
	classes := f.classes(2 * o.Classes)
	var all []example
	for i := o.Classes; i < len(classes); i++ {
		for j := range f.count(i) {
			drawn := s.family.scene(classes[i], f.pictureStream(i, j))
			var encoded bytes.Buffer
			if err := drawn.encode(&encoded); err != nil {
				t.Fatal(err)
			}
			decoded, err := jpeg.Decode(&encoded)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, example{i, decoded, drawn.pose, drawn.gain, drawn.box})
		}
	}
	return all
}

// recall is R@1 of the nearest neighbour by Euclidean distance, leaving one out.
func recall(all []example, feature func(example) []float64) float64 {
	features := make([][]float64, len(all))
	for i, e := range all {
		features[i] = feature(e)
	}
	hits := 0
	for i, a := range features {
		nearest, at := math.MaxFloat64, -1
		for j, b := range features {
			sum := 0.0
			for k := range a {
				sum += (a[k] - b[k]) * (a[k] - b[k])
			}
			if j != i && sum < nearest {
				nearest, at = sum, j
			}
		}
		if all[at].class == all[i].class {
			hits++
		}
	}
	return float64(hits) / float64(len(all))
}

// resized is the image in 32 x 32 pixels, each the mean of what it covers, RGB in [0, 255].
func resized(m image.Image, within image.Rectangle) []float64 {
	const side = 32
	sums, n := make([]float64, side*side*3), make([]float64, side*side)
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			cell := (y-within.Min.Y)*side/within.Dy()*side + (x-within.Min.X)*side/within.Dx()
			r, g, b, _ := m.At(x, y).RGBA()
			sums[3*cell] += float64(r) / 257
			sums[3*cell+1] += float64(g) / 257
			sums[3*cell+2] += float64(b) / 257
			n[cell]++
		}
	}
	for i := range sums {
		sums[i] /= max(n[i/3], 1)
	}
	return sums
}

// histogram counts colours in 4 x 4 x 4 bins, as shares.
func histogram(m image.Image, within image.Rectangle) []float64 {
	bins := make([]float64, 64)
	share := 1 / float64(within.Dx()*within.Dy())
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			bins[r>>14<<4|g>>14<<2|b>>14] += share
		}
	}
	return bins
}

// upright is what an oracle sees: the object turned back to its own coordinates, the light taken out.
func upright(e example) []float64 {
	const side = 24
	p := e.pose
	determinant := p.xx*p.yy - p.xy*p.yx
	var pixels []float64
	for row := range side {
		for column := range side {
			x, y := (float64(column)+0.5)/side*1.8-0.9, (float64(row)+0.5)/side*1.8-0.9
			px := p.cx + (p.yy*x-p.xy*y)/determinant
			py := p.cy + (p.xx*y-p.yx*x)/determinant
			r, g, b, _ := e.image.At(int(px), int(py)).RGBA()
			pixels = append(pixels, float64(r)/257/e.gain.r, float64(g)/257/e.gain.g, float64(b)/257/e.gain.b)
		}
	}
	return pixels
}

// The sets must leave something to learn: what an untrained eye has (pixels, colours) stays far
// below 90% R@1, also when it is given the object's box, while an oracle that undoes pose and light
// finds the classes. Chance is about 4%.
func TestDifficulty(t *testing.T) {
	const (
		whole  = 0.4 // most that a stand-in may reach on the image
		boxed  = 0.85
		oracle = 0.7 // least that is there to be found
	)
	for _, s := range sets() {
		t.Run(s.name, func(t *testing.T) {
			all := examples(t, s)
			everything := func(e example) image.Rectangle { return e.image.Bounds() }
			object := func(e example) image.Rectangle { return image.Rect(e.box.x0, e.box.y0, e.box.x1, e.box.y1) }
			for _, c := range []struct {
				name    string
				feature func(image.Image, image.Rectangle) []float64
				within  func(example) image.Rectangle
				most    float64
			}{
				{"pixels", resized, everything, whole},
				{"colours", histogram, everything, whole},
				{"pixels of the box", resized, object, boxed},
				{"colours of the box", histogram, object, boxed},
			} {
				found := recall(all, func(e example) []float64 { return c.feature(e.image, c.within(e)) })
				t.Logf("R@1 of %s: %.3f", c.name, found)
				if found > c.most {
					t.Errorf("R@1 of %s is %.3f, want at most %.2f", c.name, found, c.most)
				}
			}
			found := recall(all, upright)
			t.Logf("R@1 of the oracle: %.3f", found)
			if found < oracle {
				t.Errorf("R@1 of the oracle is %.3f, want at least %.2f", found, oracle)
			}
		})
	}
}

// Classes share attributes: no single one of them, and no pair of colours and shape, tells the
// classes apart.
func TestClassesShareAttributes(t *testing.T) {
	for _, s := range sets() {
		t.Run(s.name, func(t *testing.T) {
			o := Default()
			classes := (&folder{set: s, options: o}).classes(2 * o.Classes)
			if found := slices.Compact(slices.SortedFunc(slices.Values(classes), compareAttributes)); len(found) != len(classes) {
				t.Fatalf("%d different classes of %d", len(found), len(classes))
			}
			for split, part := range map[string][]attributes{"train": classes[:o.Classes], "test": classes[o.Classes:]} {
				looks := map[[2]int]bool{}
				for _, k := range part {
					looks[[2]int{k.shape, k.pair}] = true
				}
				if len(looks) > len(part)*3/4 {
					t.Errorf("%s: %d combinations of shape and colours for %d classes, want fewer", split, len(looks), len(part))
				}
			}
		})
	}
}

func compareAttributes(a, b attributes) int {
	return slices.Compare([]int{a.shape, a.pattern, a.pair, a.part}, []int{b.shape, b.pattern, b.pair, b.part})
}
