package mini

import (
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
)

// scene is one drawn image before encoding.
type scene struct {
	width, height int
	pixels        []colour // [height, width]
	box           box
	pose          pose
	gain          colour // of the light, without its gradient
	grey          bool
	quality       int // of the JPEG
}

// pose takes image coordinates to object coordinates.
type pose struct {
	cx, cy   float64 // pixels, where the object's origin is
	xx, xy   float64 // object x = xx*(px-cx) + xy*(py-cy)
	yx, yy   float64 // object y likewise
	perPixel float64 // object units of one pixel
}

// object returns the object coordinates of a point of the image.
func (p pose) object(px, py float64) (x, y float64) {
	dx, dy := px-p.cx, py-p.cy
	return mul(p.xx, dx) + mul(p.xy, dy), mul(p.yx, dx) + mul(p.yy, dy)
}

// scene draws one image of a class: background, clutter, object, light, blur and noise.
func (f family) scene(k attributes, r *random) *scene {
	width, height := 72+r.IntN(41), 72+r.IntN(41)
	if r.chance(0.02) { // larger than what is usually stored, so that reducing is exercised too
		width, height = 3*width+40, 3*height+40
	}
	return f.sceneOf(k, width, height, r)
}

// sceneOf draws one image of so many pixels.
func (f family) sceneOf(k attributes, width, height int, r *random) *scene {
	s := &scene{width: width, height: height}
	s.pixels = make([]colour, s.width*s.height)
	s.grey, s.quality = r.chance(0.02), 70+r.IntN(26)
	s.background(f, r)
	s.pose = f.pose(s.width, s.height, r)
	s.object(f.figure(f.looks(k), r))
	s.light(r)
	if r.chance(0.25) {
		s.blur()
	}
	s.noise(r)
	return s
}

// pose draws where the object is and how it is turned.
func (f family) pose(width, height int, r *random) pose {
	w, h := float64(width), float64(height)
	unit := mul(min(w, h), r.between(0.37, 0.47)) // pixels of one object unit
	room := mul(unit, 0.86)
	t := r.between(-f.tilt, f.tilt)
	cos, sin := (1-mul(t, t))/(1+mul(t, t)), 2*t/(1+mul(t, t))
	squeeze, flip := r.between(0.78, 1), 1.0
	if f.mirror && r.chance(0.5) {
		flip = -1
	}
	return pose{
		cx: w/2 + mul(r.between(-1, 1), max(w/2-room, 0)), cy: h/2 + mul(r.between(-1, 1), max(h/2-room, 0)),
		xx: mul(flip, cos) / mul(unit, squeeze), xy: mul(flip, sin) / mul(unit, squeeze),
		yx: -sin / unit, yy: cos / unit,
		perPixel: 1 / unit,
	}
}

// object composes the layers over the image and records the box of what they cover by half or more.
func (s *scene) object(layers []layer) {
	// One pixel moves a point by at most step, squeeze and the inexactness of distances included:
	// so far from an outline that the next pixels cannot reach it, they need not ask.
	step := 1.6 * s.pose.perPixel
	next := make([]int, len(layers)) // the first px at which each layer may cover anything
	s.box = box{s.width, s.height, 0, 0}
	for py := range s.height {
		clear(next)
		for px := range s.width {
			x, y := s.pose.object(float64(px)+0.5, float64(py)+0.5)
			if math.Abs(x) > 1.1 || math.Abs(y) > 1.1 {
				continue
			}
			at, through := &s.pixels[py*s.width+px], 1.0
			for i, l := range layers {
				if px < next[i] {
					continue
				}
				distance := l.shape(x, y)
				cover := s.cover(distance)
				if cover == 0 {
					next[i] = px + int((distance-s.pose.perPixel)/step)
					continue
				}
				c := l.paint.a
				if l.paint.mask != nil {
					c = c.blend(l.paint.b, s.cover(l.paint.mask(x, y)))
				}
				*at = at.blend(c, cover)
				through = mul(through, 1-cover)
			}
			if through <= 0.5 {
				s.box = box{min(s.box.x0, px), min(s.box.y0, py), max(s.box.x1, px+1), max(s.box.y1, py+1)}
			}
		}
	}
}

// cover returns how much of a pixel lies inside an outline that is distance away from its centre.
func (s *scene) cover(distance float64) float64 {
	switch half := s.pose.perPixel / 2; {
	case distance >= half:
		return 0
	case distance <= -half:
		return 1
	}
	return 0.5 - distance/s.pose.perPixel
}

// background fills the image with a texture and with clutter, some of it in the colours of the
// set's objects.
func (s *scene) background(f family, r *random) {
	grey := r.between(70, 190)
	base := colour{grey + r.between(-30, 30), grey + r.between(-30, 30), grey + r.between(-30, 30)}
	second := base.blend(colour{r.between(30, 230), r.between(30, 230), r.between(30, 230)}, 0.4)
	coarse, fine := newGrid(5, r), newGrid(12+r.IntN(12), r)
	contrast := r.between(10, 35)
	for py := range s.height {
		for px := range s.width {
			u, v := (float64(px)+0.5)/float64(s.width), (float64(py)+0.5)/float64(s.height)
			c := base.blend(second, coarse.at(u, v))
			d := mul(contrast, fine.at(u, v)-0.5)
			s.pixels[py*s.width+px] = colour{c.r + d, c.g + d, c.b + d}
		}
	}
	w, h := float64(s.width), float64(s.height)
	for range 2 + r.IntN(3) {
		pair := f.pairs[r.IntN(len(f.pairs))]
		c := pair[r.IntN(2)].blend(base, r.between(0.2, 0.7))
		cx, cy := r.between(0, w), r.between(0, h)
		a, b := mul(w, r.between(0.03, 0.18)), mul(h, r.between(0.03, 0.18))
		var blob shape
		reach := max(a, b) // how far from cx, cy it can go
		switch r.IntN(3) {
		case 0:
			blob = ellipse(cx, cy, a, b)
		case 1:
			blob = rectangle(cx, cy, a, b, 1)
		default:
			dx, dy := r.direction()
			long, half := mul(w, r.between(0.2, 0.5)), mul(w, r.between(0.01, 0.03))
			blob = capsule(cx, cy, cx+mul(dx, long), cy+mul(dy, long), half, half)
			reach = long + half
		}
		for py := max(int(cy-reach)-1, 0); py < min(int(cy+reach)+2, s.height); py++ {
			for px := max(int(cx-reach)-1, 0); px < min(int(cx+reach)+2, s.width); px++ {
				at := &s.pixels[py*s.width+px]
				*at = at.blend(c, clamp(0.5-blob(float64(px)+0.5, float64(py)+0.5)))
			}
		}
	}
}

// light multiplies the image by a gain, a colour cast and a gradient.
func (s *scene) light(r *random) {
	gain := r.between(0.7, 1.1)
	s.gain = colour{mul(gain, r.between(0.93, 1.07)), gain, mul(gain, r.between(0.93, 1.07))}
	dx, dy := r.direction()
	slope := r.between(0, 0.5)
	for py := range s.height {
		for px := range s.width {
			u, v := (float64(px)+0.5)/float64(s.width)-0.5, (float64(py)+0.5)/float64(s.height)-0.5
			g := 1 + mul(slope, mul(dx, u)+mul(dy, v))
			at := &s.pixels[py*s.width+px]
			*at = at.scaled(mul(s.gain.r, g), mul(s.gain.g, g), mul(s.gain.b, g))
		}
	}
}

// blur averages each pixel with its left and upper neighbours, 2 x 2.
func (s *scene) blur() {
	for py := s.height - 1; py > 0; py-- {
		for px := s.width - 1; px > 0; px-- {
			i := py*s.width + px
			upper := s.pixels[i-s.width].blend(s.pixels[i-s.width-1], 0.5)
			s.pixels[i] = s.pixels[i].blend(s.pixels[i-1], 0.5).blend(upper, 0.5)
		}
	}
}

// noise adds a triangular error of standard deviation 2 to 8 to each value.
func (s *scene) noise(r *random) {
	size := r.between(2, 8) / 104 // 104 is the deviation of the sum of two bytes
	for i := range s.pixels {
		bits := r.Uint64()
		offset := func(shift int) float64 {
			return mul(size, float64(int(bits>>shift&255)+int(bits>>(shift+8)&255)-255))
		}
		at := &s.pixels[i]
		at.r, at.g, at.b = at.r+offset(0), at.g+offset(16), at.b+offset(32)
	}
}

// encode writes the image as a JPEG, with one channel if it is grey.
func (s *scene) encode(w io.Writer) error {
	bounds := image.Rect(0, 0, s.width, s.height)
	options := &jpeg.Options{Quality: s.quality}
	level := func(v float64) uint8 { return uint8(min(max(v, 0), 255) + 0.5) }
	if s.grey {
		grey := image.NewGray(bounds)
		for i, c := range s.pixels {
			grey.Pix[i] = color.GrayModel.Convert(color.RGBA{level(c.r), level(c.g), level(c.b), 255}).(color.Gray).Y
		}
		return jpeg.Encode(w, grey, options)
	}
	rgba := image.NewRGBA(bounds)
	for i, c := range s.pixels {
		p := rgba.Pix[4*i : 4*i+4 : 4*i+4]
		p[0], p[1], p[2], p[3] = level(c.r), level(c.g), level(c.b), 255
	}
	return jpeg.Encode(w, rgba, options)
}

// grid is value noise: random numbers in [0, 1] on cells x cells corners, with linear interpolation.
type grid struct {
	cells  int
	values []float64
}

// newGrid draws a grid.
func newGrid(cells int, r *random) grid {
	g := grid{cells, make([]float64, (cells+1)*(cells+1))}
	for i := range g.values {
		g.values[i] = r.Float64()
	}
	return g
}

// at interpolates at u, v in [0, 1).
func (g grid) at(u, v float64) float64 {
	x, y := mul(u, float64(g.cells)), mul(v, float64(g.cells))
	column, row := min(int(x), g.cells-1), min(int(y), g.cells-1)
	fx, fy := x-float64(column), y-float64(row)
	i := row*(g.cells+1) + column
	top := g.values[i] + mul(fx, g.values[i+1]-g.values[i])
	i += g.cells + 1
	bottom := g.values[i] + mul(fx, g.values[i+1]-g.values[i])
	return top + mul(fy, bottom-top)
}
