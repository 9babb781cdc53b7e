package datasets

import (
	"image"
)

// A raster is a picture that returns its pixels row by row as 8-bit RGB, so that a large photograph
// is reduced without ever being in memory as RGB.
type raster struct {
	width, height int
	// read writes the pixels [x0, x1) of row y to dst, [x1-x0][3].
	read func(y, x0, x1 int, dst []uint8)
}

// crop returns the part of r inside b, which lies within r.
func (r raster) crop(b Box) raster {
	return raster{
		width: b.X1 - b.X0, height: b.Y1 - b.Y0,
		read: func(y, x0, x1 int, dst []uint8) { r.read(y+b.Y0, x0+b.X0, x1+b.X0, dst) },
	}
}

// pixels returns r as [height][width][3].
func (r raster) pixels() []uint8 {
	all := make([]uint8, r.width*r.height*3)
	for y := range r.height {
		r.read(y, 0, r.width, all[y*r.width*3:(y+1)*r.width*3])
	}
	return all
}

// rgbRaster returns the raster of pixels [height][width][3].
func rgbRaster(pixels []uint8, width, height int) raster {
	return raster{width, height, func(y, x0, x1 int, dst []uint8) {
		copy(dst, pixels[(y*width+x0)*3:(y*width+x1)*3])
	}}
}

// imageRaster returns the raster of any decoded image. Gray is repeated in all channels, 16-bit
// values keep their high byte, transparency is laid over white.
func imageRaster(m image.Image) raster {
	b := m.Bounds()
	r := raster{width: b.Dx(), height: b.Dy()}
	switch m := m.(type) {
	case *image.YCbCr:
		r.read = func(y, x0, x1 int, dst []uint8) { rowYCbCr(m, y+b.Min.Y, x0+b.Min.X, x1+b.Min.X, dst) }
	case *image.Gray:
		r.read = func(y, x0, x1 int, dst []uint8) {
			row := m.Pix[m.PixOffset(x0+b.Min.X, y+b.Min.Y):]
			for x := range x1 - x0 {
				v := row[x]
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case image.RGBA64Image:
		r.read = func(y, x0, x1 int, dst []uint8) {
			for x := range x1 - x0 {
				c := m.RGBA64At(x0+x+b.Min.X, y+b.Min.Y)
				white := 0xffff - uint32(c.A)
				dst[3*x] = uint8((uint32(c.R) + white) >> 8)
				dst[3*x+1] = uint8((uint32(c.G) + white) >> 8)
				dst[3*x+2] = uint8((uint32(c.B) + white) >> 8)
			}
		}
	default:
		r.read = func(y, x0, x1 int, dst []uint8) {
			for x := range x1 - x0 {
				red, green, blue, alpha := m.At(x0+x+b.Min.X, y+b.Min.Y).RGBA()
				white := 0xffff - alpha
				dst[3*x], dst[3*x+1], dst[3*x+2] = uint8((red+white)>>8), uint8((green+white)>>8), uint8((blue+white)>>8)
			}
		}
	}
	return r
}

// rowYCbCr writes the pixels [x0, x1) of row y, in m's own coordinates, as RGB: JFIF's full-range
// BT.601 in 16-bit fixed point, the arithmetic of color.YCbCrToRGB, with chroma repeated over the
// samples it covers.
func rowYCbCr(m *image.YCbCr, y, x0, x1 int, dst []uint8) {
	luma := m.Y[m.YOffset(x0, y):][:x1-x0]
	shift := 0 // log2 of the luma samples that share a chroma sample, horizontally
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440:
	}
	first := m.COffset(x0, y)
	base := x0 >> shift
	cbs, crs := m.Cb[first:], m.Cr[first:]
	dst = dst[:3*len(luma)]
	for i, v := range luma {
		c := (x0+i)>>shift - base
		yy := int32(v) * 0x10101
		cb := int32(cbs[c]) - 128
		cr := int32(crs[c]) - 128
		r := yy + 91881*cr
		if uint32(r)&0xff000000 == 0 {
			r >>= 16
		} else {
			r = ^(r >> 31)
		}
		g := yy - 22554*cb - 46802*cr
		if uint32(g)&0xff000000 == 0 {
			g >>= 16
		} else {
			g = ^(g >> 31)
		}
		b := yy + 116130*cb
		if uint32(b)&0xff000000 == 0 {
			b >>= 16
		} else {
			b = ^(b >> 31)
		}
		dst[3*i] = uint8(r)
		dst[3*i+1] = uint8(g)
		dst[3*i+2] = uint8(b)
	}
}
