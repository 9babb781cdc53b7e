package mini

// cars are seen from the side, the set cars196.
func cars() family {
	red, blue, silver := swatch{"Ruby", colour{186, 36, 40}}, swatch{"Cobalt", colour{38, 76, 168}}, swatch{"Silver", colour{188, 192, 198}}
	cream, green, orange := swatch{"Ivory", colour{236, 226, 196}}, swatch{"Pine", colour{34, 104, 74}}, swatch{"Amber", colour{232, 138, 36}}
	return family{
		shapes: []string{"Sedan", "Hatchback", "Van", "Pickup"},
		parts:  []string{"", "Sport", "Tour", "Trail"},
		pairs:  [][2]swatch{{red, cream}, {blue, silver}, {silver, red}, {cream, blue}, {green, cream}, {orange, blue}},
		tilt:   0.1,
		mirror: true,
		figure: car,
	}
}

// car draws a car that drives to the left: body in the first colour, pattern on its sides, cabin in
// the second.
func car(k looks, r *random) []layer {
	dark, glass := colour{30, 30, 34}, colour{96, 122, 140}.blend(colour{200, 216, 226}, r.Float64())
	var cabin, windows, tail shape
	backX, backY := 0.9, -0.02 // where the rear of the upper side is
	switch k.shape {
	case 0: // sedan
		cabin = polygon(-0.5, 0.02, -0.24, -0.36, 0.34, -0.36, 0.62, 0.02)
		windows = union(polygon(-0.36, 0, -0.18, -0.28, 0.03, -0.28, 0.03, 0), polygon(0.1, 0, 0.1, -0.28, 0.3, -0.28, 0.48, 0))
	case 1: // hatchback
		cabin = polygon(-0.5, 0.02, -0.2, -0.44, 0.7, -0.42, 0.9, 0.02)
		windows = union(polygon(-0.36, 0, -0.14, -0.34, 0.16, -0.34, 0.16, 0), polygon(0.24, 0, 0.24, -0.34, 0.62, -0.32, 0.76, 0))
		backX, backY = 0.74, -0.42
	case 2: // van
		cabin = polygon(-0.8, 0.02, -0.56, -0.6, 0.94, -0.6, 0.94, 0.02)
		windows = polygon(-0.68, 0, -0.5, -0.48, -0.2, -0.48, -0.2, 0)
		backX, backY = 0.9, -0.6
	default: // pickup
		cabin = polygon(-0.56, 0.02, -0.36, -0.44, 0.1, -0.44, 0.16, 0.02)
		windows = polygon(-0.42, 0, -0.28, -0.34, 0.02, -0.34, 0.06, 0)
		tail = rectangle(0.56, -0.06, 0.36, 0.05, 0.02)
	}
	body := rectangle(0, 0.18, 0.94, 0.24, 0.12)
	layers := []layer{
		{rectangle(0, 0.42, 0.86, 0.06, 0.02), plain(dark)},
		{cabin, plain(k.b.blend(dark, 0.1))},
		{windows, plain(glass)},
		{body, k.patterned(0.3)},
	}
	if k.shape == 2 { // the pattern of a van covers its box
		layers = append(layers, layer{rectangle(0.36, -0.2, 0.5, 0.3, 0.02), k.patterned(0.3)})
	}
	if tail != nil {
		layers = append(layers, layer{tail, plain(k.a.blend(dark, 0.3))})
	}
	switch k.part {
	case 1: // a spoiler
		layers = append(layers, layer{polygon(backX-0.2, backY-0.12, backX+0.1, backY-0.26, backX+0.1, backY-0.16, backX+0.02,
			backY+0.04, backX-0.06, backY+0.04, backX-0.02, backY-0.12), plain(dark)})
	case 2: // a roof rack with its load
		top := -0.36
		switch k.shape {
		case 1, 3:
			top = -0.44
		case 2:
			top = -0.6
		}
		layers = append(layers, layer{rectangle(-0.08, top-0.04, 0.26, 0.025, 0), plain(dark)},
			layer{rectangle(-0.08, top-0.14, 0.2, 0.08, 0.03), plain(colour{150, 104, 60})})
	case 3: // a spare wheel
		layers = append(layers, layer{circle(0.93, 0.02, 0.17), plain(dark)}, layer{circle(0.93, 0.02, 0.09), plain(k.b)})
	}
	for _, x := range []float64{-0.54, 0.54} {
		layers = append(layers, layer{circle(x, 0.42, 0.23), plain(dark)}, layer{circle(x, 0.42, 0.12), plain(colour{176, 178, 182})})
	}
	return append(layers,
		layer{circle(-0.86, 0.1, 0.07), plain(colour{250, 244, 200})},
		layer{rectangle(0.9, 0.12, 0.04, 0.07, 0.02), plain(colour{190, 40, 30})},
	)
}
