package mini

// products are things of a household, the set sop. A shape is a super class.
func products() family {
	teal, rose, navy := swatch{"teal", colour{40, 150, 150}}, swatch{"rose", colour{214, 108, 134}}, swatch{"navy", colour{44, 54, 112}}
	lemon, brown, pearl := swatch{"lemon", colour{230, 214, 90}}, swatch{"brown", colour{128, 84, 52}}, swatch{"pearl", colour{228, 224, 218}}
	return family{
		shapes: []string{"chair", "kettle", "lamp", "mug"},
		parts:  []string{"", "buttoned", "twin", "tagged"},
		pairs:  [][2]swatch{{teal, pearl}, {rose, navy}, {navy, lemon}, {lemon, brown}, {brown, teal}, {pearl, rose}},
		tilt:   0.28,
		mirror: true,
		figure: product,
	}
}

// product draws one thing. Its badge (a button, two buttons or a tag) sits on its largest face.
func product(k looks, r *random) []layer {
	dark := colour{40, 36, 36}
	frame, sway := k.b.blend(dark, 0.35), r.between(-0.05, 0.05)
	var layers []layer
	var faceX, faceY float64 // where the badge goes
	switch k.shape {
	case 0: // chair
		layers = []layer{
			{union(capsule(-0.42, 0.3, -0.52, 0.96, 0.06, 0.04), capsule(0.42, 0.3, 0.52, 0.96, 0.06, 0.04),
				capsule(-0.2, 0.3, -0.22, 0.84, 0.05, 0.04), capsule(0.2, 0.3, 0.22, 0.84, 0.05, 0.04)), plain(frame)},
			{rectangle(sway, -0.42, 0.46, 0.52, 0.14), k.patterned(0.3)},
			{rectangle(0, 0.26, 0.58, 0.14, 0.08), plain(k.b)},
		}
		faceX, faceY = sway, -0.56
	case 1: // kettle
		layers = []layer{
			{ring(0, -0.4, 0.4+sway, 0.06), plain(dark)},
			{polygon(-0.5, 0.3, -0.98, -0.3, -0.84, -0.36, -0.4, 0), plain(k.a.blend(dark, 0.25))},
			{circle(0, -0.42, 0.09), plain(dark)},
			{union(ellipse(0, 0.26, 0.64, 0.5), rectangle(0, 0.56, 0.56, 0.2, 0.1)), k.patterned(0.3)},
			{ellipse(0, -0.24, 0.34, 0.12), plain(k.b)},
		}
		faceX, faceY = 0, 0.3
	case 2: // lamp
		layers = []layer{
			{capsule(0, -0.2, 0, 0.8, 0.06, 0.06), plain(frame)},
			{rectangle(0, 0.84, 0.42, 0.1, 0.06), plain(frame)},
			{polygon(-0.34+sway, -0.94, 0.34+sway, -0.94, 0.68, 0.04, -0.68, 0.04), k.patterned(0.3)},
			{rectangle(0, 0.04, 0.68, 0.05, 0.02), plain(k.b)},
		}
		faceX, faceY = 0, -0.4
	default: // mug
		layers = []layer{
			{ring(0.56, 0.05+sway, 0.3, 0.09), plain(k.b)},
			{rectangle(-0.1, 0.08, 0.62, 0.74, 0.12), k.patterned(0.3)},
			{rectangle(-0.1, -0.62, 0.62, 0.07, 0.05), plain(k.b)},
		}
		faceX, faceY = -0.1, 0.1
	}
	badge := func(s shape) {
		rim := func(x, y float64) float64 { return s(x, y) - 0.05 }
		layers = append(layers, layer{rim, plain(dark)}, layer{s, plain(colour{244, 240, 228})})
	}
	switch k.part {
	case 1:
		badge(circle(faceX, faceY, 0.12))
	case 2:
		badge(circle(faceX-0.22, faceY, 0.11))
		badge(circle(faceX+0.22, faceY, 0.11))
	case 3:
		badge(rectangle(faceX, faceY+0.1, 0.3, 0.1, 0.02))
	}
	return layers
}
