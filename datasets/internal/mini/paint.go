package mini

import "math"

// colour is sRGB, each value in [0, 255].
type colour struct{ r, g, b float64 }

// blend goes from c (t = 0) to d (t = 1).
func (c colour) blend(d colour, t float64) colour {
	return colour{c.r + mul(d.r-c.r, t), c.g + mul(d.g-c.g, t), c.b + mul(d.b-c.b, t)}
}

// scaled multiplies the three channels.
func (c colour) scaled(r, g, b float64) colour {
	return colour{mul(c.r, r), mul(c.g, g), mul(c.b, b)}
}

// paint fills a shape: colour a, and colour b inside mask. A nil mask is plain a.
type paint struct {
	a, b colour
	mask shape
}

// plain is paint of one colour.
func plain(c colour) paint { return paint{a: c} }

// patterns returns the names of the patterns, in the order of pattern's argument.
func patterns() []string {
	return []string{"plain", "barred", "striped", "spotted", "checked", "halved"}
}

// pattern returns where the second colour goes, as a distance in object units; period is the length
// of one repeat.
func pattern(kind int, period float64) shape {
	wave := func(v float64) float64 { // a triangle wave: negative in every second half period
		u := v / period
		return mul(math.Abs(u-math.Floor(u)-0.5)-0.25, period)
	}
	switch patterns()[kind] {
	case "barred":
		return func(_, y float64) float64 { return wave(y) }
	case "striped":
		return func(x, y float64) float64 { return wave(mul(0.7071, x+y)) }
	case "spotted":
		return func(x, y float64) float64 {
			row := math.Floor(y / period)
			u := x/period + row/2
			return mul(length(u-math.Floor(u)-0.5, y/period-row-0.5)-0.3, period)
		}
	case "checked":
		return func(x, y float64) float64 {
			a, b := wave(x), wave(y)
			if (a < 0) == (b < 0) {
				return min(math.Abs(a), math.Abs(b))
			}
			return -min(math.Abs(a), math.Abs(b))
		}
	case "halved":
		return func(x, y float64) float64 { return 0.05 - x + y/2 }
	}
	return nil
}
