package datasets

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
)

// A View is what a network sees of an image: Size x Size pixels. They are cut from the image after
// its shortest side was clamped to [Size, round(Size*256/224)]: a smaller image is enlarged, a
// larger one reduced, any other left alone.
type View struct {
	Size   int
	Random *rand.Rand // nil: the central crop; else a random crop, mirrored with probability 1/2
}

// Pixels writes view v of row i to dst, RGB [v.Size][v.Size][3]. Each call draws three numbers from
// v.Random, whatever the image, so that the size of one image does not shift the draws of the next.
func (d *Dataset) Pixels(i int, v View, dst []uint8) error {
	if v.Size < 1 || len(dst) != v.Size*v.Size*3 {
		return fmt.Errorf("pixels of row %d: dst has %d bytes, want %d x %d x 3", i, len(dst), v.Size, v.Size)
	}
	r, err := d.decodeRow(i)
	if err != nil {
		return err
	}
	v.cut(r, dst)
	return nil
}

// decodeStored decodes a stored image.
func (d *Dataset) decodeStored(data []byte) (raster, error) {
	if d.Manifest.Options.Store == StoreRGB {
		size := d.Manifest.Options.Size
		if len(data) != size*size*3 {
			return raster{}, fmt.Errorf("image has %d bytes, want %d x %d x 3", len(data), size, size)
		}
		return rgbRaster(data, size, size), nil
	}
	_, _, _, need, err := checkImage(data)
	if err != nil {
		return raster{}, err
	}
	var m image.Image
	err = d.budget.decode(context.Background(), need, func() (err error) {
		m, err = jpeg.Decode(bytes.NewReader(data))
		return err
	})
	if err != nil {
		return raster{}, decodeError(err)
	}
	return imageRaster(m), nil
}

// cut writes the view of r to dst.
func (v View) cut(r raster, dst []uint8) {
	width, height := r.width, r.height
	most := (2*v.Size*256 + 224) / (2 * 224)
	if side := min(width, height); side < v.Size {
		width, height = scaleShortest(width, height, v.Size)
	} else if side > most {
		width, height = scaleShortest(width, height, most)
	}
	x, y, mirror := (width-v.Size)/2, (height-v.Size)/2, false
	if v.Random != nil {
		// Floats rather than IntN, which may draw again.
		x = int(v.Random.Float64() * float64(width-v.Size+1))
		y = int(v.Random.Float64() * float64(height-v.Size+1))
		mirror = v.Random.Float64() < 0.5
	}
	resampleInto(dst, r, width, height, Box{x, y, x + v.Size, y + v.Size})
	if mirror {
		mirrorPixels(dst, v.Size)
	}
}

// mirrorPixels mirrors pixels [rows][size][3] left to right.
func mirrorPixels(pixels []uint8, size int) {
	for ; len(pixels) > 0; pixels = pixels[size*3:] {
		for a, b := 0, 3*(size-1); a < b; a, b = a+3, b-3 {
			pixels[a], pixels[b] = pixels[b], pixels[a]
			pixels[a+1], pixels[b+1] = pixels[b+1], pixels[a+1]
			pixels[a+2], pixels[b+2] = pixels[b+2], pixels[a+2]
		}
	}
}
