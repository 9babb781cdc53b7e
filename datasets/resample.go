package datasets

import "math"

// weightBits is the precision of a weight: the 8 bits of a pixel and the 22 of a weight fit a
// signed 32-bit sum.
const weightBits = 22

// roundingHalf is added to a weighted sum to round it to the nearest pixel value.
const roundingHalf int32 = 1 << (weightBits - 1)

// taps are the source pixels and weights of each output pixel along one axis.
type taps struct {
	first  []int   // [outputs] index of the first source pixel
	weight []int32 // [outputs][width], zero behind the last
	width  int
	count  []int // [outputs] source pixels that count
}

// triangleTaps returns the taps of a triangle filter along an axis of in pixels that becomes out
// pixels, for the outputs [from, to). The support of the filter is one source pixel when enlarging,
// and is scaled by in/out when reducing. This is Pillow's BILINEAR: weights are normalised, then
// rounded to 22 bits. Products are converted to float64 so that no compiler fuses them into a sum,
// which would be rounded differently.
func triangleTaps(in, out, from, to int) taps {
	scale := float64(in) / float64(out)
	support := max(scale, 1)
	t := taps{width: 2*int(support+1) + 1}
	t.first = make([]int, to-from)
	t.count = make([]int, to-from)
	t.weight = make([]int32, (to-from)*t.width)
	exact := make([]float64, t.width)
	for i := range t.first {
		center := (float64(from+i) + 0.5) * scale
		lo := max(int(center-support+0.5), 0)
		hi := min(int(center+support+0.5), in)
		sum := 0.0
		for k := range hi - lo {
			w := max(1-math.Abs(float64((float64(k+lo)-center+0.5)*(1/support))), 0)
			exact[k] = w
			sum += w
		}
		for k := range hi - lo {
			t.weight[i*t.width+k] = int32(0.5 + float64(exact[k]/sum*(1<<weightBits)))
		}
		t.first[i], t.count[i] = lo, hi-lo
	}
	return t
}

// resample scales r to width x height pixels and returns the window w of the result,
// [w.height][w.width][3]. It filters rows, then columns, and rounds each to 8 bits: integer
// arithmetic, the same on every machine.
func resample(r raster, width, height int, w Box) []uint8 {
	outW, outH := w.X1-w.X0, w.Y1-w.Y0
	out := make([]uint8, outW*outH*3)
	resampleInto(out, r, width, height, w)
	return out
}

// resampleInto is resample with the result in out, [w.height][w.width][3].
func resampleInto(out []uint8, r raster, width, height int, w Box) {
	outW, outH := w.X1-w.X0, w.Y1-w.Y0
	if width == r.width && height == r.height {
		for y := range outH {
			r.read(y+w.Y0, w.X0, w.X1, out[y*outW*3:(y+1)*outW*3])
		}
		return
	}
	across := triangleTaps(r.width, width, w.X0, w.X1)
	down := triangleTaps(r.height, height, w.Y0, w.Y1)
	x0, x1 := across.first[0], across.first[outW-1]+across.count[outW-1]
	for i := range across.first {
		across.first[i] -= x0
	}
	// A ring of reduced rows: an output row needs at most down.width of them.
	line := make([]uint8, (x1-x0)*3)
	ring := make([]uint8, down.width*outW*3)
	sum := make([]int32, outW*3)
	rows := make([][]uint8, down.width)
	next := down.first[0] // the first source row that is not in the ring yet
	for y := range outH {
		first, count := down.first[y], down.count[y]
		for ; next < first+count; next++ {
			r.read(next, x0, x1, line)
			slot := next % down.width
			reduceRow(ring[slot*outW*3:(slot+1)*outW*3], line, across)
		}
		for k := range count {
			slot := (first + k) % down.width
			rows[k] = ring[slot*outW*3 : (slot+1)*outW*3]
		}
		blendRows(out[y*outW*3:(y+1)*outW*3], rows[:count], down.weight[y*down.width:][:count], sum)
	}
}

// reduceRow filters one row: in is [source width][3], out is [len(t.first)][3].
func reduceRow(out, in []uint8, t taps) {
	out = out[:3*len(t.first)]
	for i, first := range t.first {
		r, g, b := roundingHalf, roundingHalf, roundingHalf
		at := first * 3
		for _, w := range t.weight[i*t.width:][:t.count[i]] {
			p := in[at : at+3 : at+3]
			r += int32(p[0]) * w
			g += int32(p[1]) * w
			b += int32(p[2]) * w
			at += 3
		}
		o := out[3*i : 3*i+3 : 3*i+3]
		o[0], o[1], o[2] = clipPixel(r), clipPixel(g), clipPixel(b)
	}
}

// blendRows adds up rows by weight. All of them have the length of out and of sum, which is scratch
// space. Up to four rows, all that a reduction by less than two needs, are added in one pass.
func blendRows(out []uint8, rows [][]uint8, weight []int32, sum []int32) {
	n := len(out)
	if len(rows) <= 4 {
		var r [4][]uint8
		var w [4]int32
		for k := range r {
			r[k] = rows[0][:n] // with weight 0
		}
		for k := range rows {
			r[k], w[k] = rows[k][:n], weight[k]
		}
		a, b, c, d := r[0], r[1], r[2], r[3]
		for i := range out {
			out[i] = clipPixel(roundingHalf + int32(a[i])*w[0] + int32(b[i])*w[1] + int32(c[i])*w[2] + int32(d[i])*w[3])
		}
		return
	}
	sum = sum[:n]
	for i := range sum {
		sum[i] = roundingHalf
	}
	for k, row := range rows {
		w := weight[k]
		for i, v := range row[:n] {
			sum[i] += int32(v) * w
		}
	}
	for i, v := range sum {
		out[i] = clipPixel(v)
	}
}

// clipPixel turns a weighted sum into a pixel. Rounded weights may add up to a few 2^-22 more than
// 1, which the sum has room for: 255 * (2^22 + width) + 2^21 < 2^31 for any width below 2^21.
func clipPixel(v int32) uint8 {
	return uint8(min(v>>weightBits, 255))
}
