package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
)

// A preparer turns source files into the rows that are stored.
type preparer struct {
	budget  budget
	options Options
	most    int // Layout.most
}

// image turns a source file into the row that is stored. bad is what is wrong with the image, for the
// quarantine. fatal is what is wrong with the list, which is not the fault of an image, or with ctx.
func (p preparer) image(ctx context.Context, row *Row, data []byte) (s stored, bad, fatal error) {
	o := p.options
	s = stored{row: row, source: sha256.Sum256(data)}
	width, height, _, need, bad := checkImage(data)
	if bad != nil {
		return s, bad, nil
	}
	if longest := max(width, height); row.Box != nil && !o.Precropped && p.most > 0 && longest > p.most {
		return s, fmt.Errorf("image is %d x %d pixels, but its box is for one of at most %d x %d", width, height, p.most, p.most), nil
	}
	if !o.Pad && min(width, height) <= o.Size { // it is written in its own size, through RGB and RGBA
		need += (3 + 4) * int64(width) * int64(height)
	}
	fatal = p.budget.decode(ctx, need, func() error {
		var failed error
		s, bad, failed = decodeAndPrepare(s, data, o)
		return failed
	})
	return s, bad, fatal
}

// decodeAndPrepare is preparer.image with memory at hand. s has the row and the digest of the file.
func decodeAndPrepare(s stored, data []byte, o Options) (_ stored, bad, fatal error) {
	row := s.row
	p, bad := decodeImage(data)
	if bad != nil {
		return s, bad, nil
	}
	s.width, s.height = p.width, p.height
	if row.Box != nil && !o.Precropped {
		b := uprightBox(*row.Box, p.width, p.height, p.orientation)
		if b.X0 >= b.X1 || b.Y0 >= b.Y1 {
			return s, fmt.Errorf("box %d,%d-%d,%d does not touch the image of %d x %d pixels; "+
				"if the images are already cropped to their boxes, say so with --precropped",
				row.Box.X0, row.Box.Y0, row.Box.X1, row.Box.Y1, p.width, p.height), nil
		}
		s.box = &b
	}
	r, keep := p.raster, p.jpeg
	if o.Crop == CropBox {
		if s.box == nil {
			return s, nil, fmt.Errorf("%s: the list has no box for %s, so it cannot be cropped", row.Line, row.File)
		}
		if *s.box != (Box{0, 0, r.width, r.height}) {
			keep = false
		}
		r = r.crop(*s.box)
		if r.width < minSide || r.height < minSide {
			return s, fmt.Errorf("box crop is %d x %d pixels, want at least %d x %d", r.width, r.height, minSide, minSide), nil
		}
	}
	if o.Pad {
		s.image = padToSquare(r, o.Size)
		r.width, r.height = o.Size, o.Size
	} else {
		width, height := r.width, r.height
		if min(width, height) > o.Size {
			width, height = scaleShortest(width, height, o.Size)
			keep = false
		}
		// A small image in a file of megabytes carries something else: it is encoded again.
		if keep && int64(len(data)) <= standardLimits().batch {
			s.image = bytes.Clone(data)
			return s.withDigest(), nil, nil
		}
		s.image = resample(r, width, height, Box{0, 0, width, height})
		r.width, r.height = width, height
	}
	if o.Store == StoreJPEG {
		if s.image, bad = encodeJPEG(s.image, r.width, r.height, storedQuality); bad != nil {
			return s, fmt.Errorf("image of %d x %d pixels is stored as %d x %d: %w", p.width, p.height, r.width, r.height, bad), nil
		}
	}
	return s.withDigest(), nil, nil
}

// withDigest returns the row with the size and the digest of its image.
func (s stored) withDigest() stored {
	s.size, s.sum = len(s.image), sha256.Sum256(s.image)
	return s
}

// uprightBox turns the box of a list, which is in the pixels of the file, as the image is turned, and
// clips it. width and height are those of the upright image.
func uprightBox(b Box, width, height, orientation int) Box {
	w, h := width, height
	if orientation >= 5 {
		w, h = height, width
	}
	return turnBox(b, w, h, orientation).clip(width, height)
}

// clip returns the part of b inside an image. It is empty where X0 >= X1 or Y0 >= Y1.
func (b Box) clip(width, height int) Box {
	return Box{max(b.X0, 0), max(b.Y0, 0), min(b.X1, width), min(b.Y1, height)}
}

// scaleShortest returns the size of an image whose shortest side is scaled to side pixels.
func scaleShortest(width, height, side int) (int, int) {
	if width < height {
		return side, scaleLength(height, side, width)
	}
	return scaleLength(width, side, height), side
}

// scaleLength returns length*to/from, rounded half up, at least 1.
func scaleLength(length, to, from int) int {
	return max((2*length*to+from)/(2*from), 1)
}

// padToSquare scales r so that its longest side is size, and centres it on white: [size][size][3].
func padToSquare(r raster, size int) []uint8 {
	width, height := size, size
	if r.width > r.height {
		height = scaleLength(r.height, size, r.width)
	} else {
		width = scaleLength(r.width, size, r.height)
	}
	small := resample(r, width, height, Box{0, 0, width, height})
	out := bytes.Repeat([]byte{0xff}, size*size*3)
	left, top := (size-width)/2, (size-height)/2
	for y := range height {
		copy(out[((y+top)*size+left)*3:], small[y*width*3:(y+1)*width*3])
	}
	return out
}
