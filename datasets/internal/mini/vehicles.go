package mini

// vehicles are seen from the front, as by a traffic camera, the set vehicleid. Shape and pattern
// make the model. What tells vehicles of one model and colour apart is behind the windscreen.
func vehicles() family {
	black, blue, grey := swatch{"black", colour{46, 46, 50}}, swatch{"blue", colour{46, 82, 150}}, swatch{"gray", colour{132, 136, 142}}
	red, white, yellow := swatch{"red", colour{178, 40, 40}}, swatch{"white", colour{232, 234, 236}}, swatch{"yellow", colour{226, 186, 50}}
	return family{
		shapes: []string{"Limousine", "Offroad", "Bus", "Lorry"},
		parts:  []string{"", "pass", "charm", "twin"},
		pairs:  [][2]swatch{{black, grey}, {blue, white}, {grey, red}, {red, black}, {white, blue}, {yellow, grey}},
		tilt:   0.13,
		figure: vehicle,
	}
}

// vehicle draws a front: body in the first colour, bonnet or face with the pattern, bumper in the
// second.
func vehicle(k looks, r *random) []layer {
	dark, lamp := colour{24, 24, 28}, colour{250, 246, 214}.blend(colour{150, 150, 140}, r.Float64())
	glass := colour{60, 78, 92}.blend(colour{150, 172, 184}, r.Float64())
	half, roof := 0.78, -0.5 // half width of the body, height of the roof
	var cabin, screen, face shape
	lampY, lampX := 0.3, 0.58
	switch k.shape {
	case 0: // limousine
		cabin = polygon(-0.5, -0.5, 0.5, -0.5, 0.72, 0.06, -0.72, 0.06)
		screen = polygon(-0.44, -0.43, 0.44, -0.43, 0.6, 0, -0.6, 0)
		face = rectangle(0, 0.28, 0.78, 0.26, 0.1)
	case 1: // off-road
		half, roof, lampY, lampX = 0.82, -0.74, 0.26, 0.6
		cabin = rectangle(0, -0.34, 0.7, 0.4, 0.08)
		screen = rectangle(0, -0.38, 0.6, 0.24, 0.05)
		face = rectangle(0, 0.26, 0.82, 0.34, 0.06)
	case 2: // bus
		half, roof, lampY, lampX = 0.74, -0.94, 0.52, 0.56
		cabin = rectangle(0, -0.2, 0.74, 0.74, 0.1)
		screen = rectangle(0, -0.34, 0.64, 0.34, 0.04)
		face = rectangle(0, 0.4, 0.74, 0.3, 0.04)
	default: // lorry
		half, roof, lampY, lampX = 0.6, -0.5, 0.5, 0.44
		cabin = union(rectangle(0, -0.46, 0.82, 0.46, 0.02), rectangle(0, 0.1, 0.6, 0.6, 0.06))
		screen = rectangle(0, -0.12, 0.5, 0.26, 0.04)
		face = rectangle(0, 0.42, 0.6, 0.26, 0.04)
	}
	wheels := union(rectangle(-half+0.16, 0.72, 0.12, 0.2, 0.04), rectangle(half-0.16, 0.72, 0.12, 0.2, 0.04))
	layers := []layer{
		{wheels, plain(dark)},
		{cabin, plain(k.a)},
		{screen, plain(glass)},
		{face, k.patterned(0.26)},
		{rectangle(0, 0.66, half, 0.1, 0.04), plain(k.b.blend(dark, 0.25))},
		{rectangle(0, 0.66, 0.24, 0.07, 0.01), plain(colour{40, 70, 170})},
	}
	if k.shape == 2 { // the sign over a bus's screen
		layers = append(layers, layer{rectangle(0, roof+0.14, 0.4, 0.07, 0.02), plain(dark)})
	}
	for _, side := range []float64{-1, 1} {
		layers = append(layers, layer{circle(side*lampX, lampY, 0.15), plain(dark)}, layer{circle(side*lampX, lampY, 0.12), plain(lamp)})
	}
	screenY, screenX := -0.2, 0.28
	if k.shape == 2 || k.shape == 1 {
		screenY = -0.32
	}
	sticker := func(x float64) {
		layers = append(layers, layer{rectangle(x, screenY, 0.13, 0.11, 0.02), plain(colour{240, 208, 60})},
			layer{circle(x, screenY, 0.06), plain(colour{190, 36, 36})})
	}
	switch k.part {
	case 1:
		sticker(-screenX)
	case 2: // hangs from the mirror
		layers = append(layers, layer{capsule(0, screenY-0.14, 0, screenY, 0.02, 0.02), plain(dark)},
			layer{circle(0, screenY+0.06, 0.1), plain(colour{236, 92, 150})})
	case 3:
		sticker(-screenX)
		sticker(screenX)
	}
	return layers
}
