package mini

import "math"

// shape is the signed distance of a point to an outline, in object units: negative inside. Only its
// sign and its size near the outline have to be exact.
type shape func(x, y float64) float64

// length is the Euclidean length of a vector.
func length(x, y float64) float64 { return math.Sqrt(mul(x, x) + mul(y, y)) }

// circle has its centre at cx, cy.
func circle(cx, cy, radius float64) shape {
	return func(x, y float64) float64 { return length(x-cx, y-cy) - radius }
}

// ellipse has half axes rx, ry. Its distance is exact on the outline alone.
func ellipse(cx, cy, rx, ry float64) shape {
	short := min(rx, ry)
	return func(x, y float64) float64 { return mul(length((x-cx)/rx, (y-cy)/ry)-1, short) }
}

// rectangle has half sizes hx, hy and corners of the given radius.
func rectangle(cx, cy, hx, hy, corner float64) shape {
	return func(x, y float64) float64 {
		dx, dy := math.Abs(x-cx)-hx+corner, math.Abs(y-cy)-hy+corner
		return length(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - corner
	}
}

// capsule is a line from (ax, ay) to (bx, by) whose half width goes from ra to rb.
func capsule(ax, ay, bx, by, ra, rb float64) shape {
	dx, dy := bx-ax, by-ay
	square := mul(dx, dx) + mul(dy, dy)
	return func(x, y float64) float64 {
		t := clamp((mul(x-ax, dx) + mul(y-ay, dy)) / square)
		return length(x-ax-mul(t, dx), y-ay-mul(t, dy)) - ra - mul(t, rb-ra)
	}
}

// ring lies between two circles, half above and below radius.
func ring(cx, cy, radius, half float64) shape {
	return func(x, y float64) float64 { return math.Abs(length(x-cx, y-cy)-radius) - half }
}

// polygon takes x, y of each corner in turn.
func polygon(corners ...float64) shape {
	n := len(corners) / 2
	return func(x, y float64) float64 {
		nearest, within := math.MaxFloat64, false
		for i, j := 0, n-1; i < n; j, i = i, i+1 {
			ax, ay, bx, by := corners[2*i], corners[2*i+1], corners[2*j], corners[2*j+1]
			ex, ey := bx-ax, by-ay
			t := clamp((mul(x-ax, ex) + mul(y-ay, ey)) / (mul(ex, ex) + mul(ey, ey)))
			dx, dy := x-ax-mul(t, ex), y-ay-mul(t, ey)
			nearest = min(nearest, mul(dx, dx)+mul(dy, dy))
			if (ay > y) != (by > y) && x < ax+mul((y-ay)/ey, ex) {
				within = !within
			}
		}
		if within {
			return -math.Sqrt(nearest)
		}
		return math.Sqrt(nearest)
	}
}

// union is what lies in any of the shapes.
func union(shapes ...shape) shape {
	return func(x, y float64) float64 {
		least := math.MaxFloat64
		for _, s := range shapes {
			least = min(least, s(x, y))
		}
		return least
	}
}

// intersection is the part of s that lies inside the outline.
func intersection(s, outline shape) shape {
	return func(x, y float64) float64 { return max(s(x, y), outline(x, y)) }
}
