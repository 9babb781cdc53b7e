package mini

// garments hang or are worn flat, the set inshop. A shape is a category folder.
func garments() family {
	plum, sky, sand := swatch{"plum", colour{122, 48, 104}}, swatch{"sky", colour{120, 178, 222}}, swatch{"sand", colour{214, 190, 148}}
	coal, coral, mint := swatch{"coal", colour{52, 54, 60}}, swatch{"coral", colour{236, 112, 92}}, swatch{"mint", colour{150, 214, 176}}
	return family{
		shapes: []string{"Tees_Tanks", "Dresses", "Skirts", "Pants"},
		parts:  []string{"", "pocket", "buttons", "belt"},
		pairs:  [][2]swatch{{plum, sand}, {sky, coal}, {sand, coral}, {coal, mint}, {coral, sky}, {mint, plum}},
		tilt:   0.16,
		figure: garment,
	}
}

// garment draws a piece of clothing. Its seams and sleeves hang a little differently each time.
func garment(k looks, r *random) []layer {
	dark := colour{36, 32, 38}
	fabric, trim := k.patterned(0.28), plain(k.b.blend(dark, 0.2))
	swing, flare := r.between(-0.08, 0.08), r.between(-0.06, 0.06)
	var layers []layer
	var waist, chest float64 // heights of the belt and of the pocket
	var half float64         // half width at the waist
	switch k.shape {
	case 0: // tee
		layers = []layer{
			{capsule(-0.36, -0.52, -0.84, -0.1+swing, 0.2, 0.17), fabric},
			{capsule(0.36, -0.52, 0.84, -0.1-swing, 0.2, 0.17), fabric},
			{polygon(-0.44, -0.74, 0.44, -0.74, 0.46+flare, 0.84, -0.46-flare, 0.84), fabric},
			{ellipse(0, -0.74, 0.24, 0.15), trim},
		}
		waist, chest, half = 0.5, -0.2, 0.46
	case 1: // dress
		layers = []layer{
			{union(capsule(-0.22, -0.6, -0.2, -0.94, 0.05, 0.05), capsule(0.22, -0.6, 0.2, -0.94, 0.05, 0.05)), trim},
			{polygon(-0.32, -0.76, 0.32, -0.76, 0.26, -0.14, 0.66+flare, 0.94, -0.66+swing, 0.94, -0.26, -0.14), fabric},
		}
		waist, chest, half = -0.14, -0.44, 0.27
	case 2: // skirt
		layers = []layer{
			{polygon(-0.4, -0.62, 0.4, -0.62, 0.84+flare, 0.68, -0.84+swing, 0.68), fabric},
			{rectangle(0, -0.64, 0.42, 0.09, 0.03), trim},
		}
		waist, chest, half = -0.4, 0, 0.52
	default: // pants
		layers = []layer{
			{polygon(-0.42, -0.9, 0.42, -0.9, 0.5+flare, 0.94, 0.14+flare, 0.94, 0, -0.16, -0.14+swing, 0.94, -0.5+swing, 0.94), fabric},
			{rectangle(0, -0.88, 0.42, 0.07, 0.02), trim},
		}
		waist, chest, half = -0.7, -0.3, 0.44
	}
	switch k.part {
	case 1:
		layers = append(layers, layer{rectangle(0.18, chest, 0.16, 0.17, 0.03), plain(dark)},
			layer{rectangle(0.18, chest, 0.12, 0.13, 0.02), plain(k.b)})
	case 2:
		for i := range 3 {
			y := chest - 0.22 + float64(i)*0.25
			layers = append(layers, layer{circle(-0.02, y, 0.085), plain(dark)}, layer{circle(-0.02, y, 0.055), plain(colour{244, 240, 228})})
		}
	case 3:
		layers = append(layers, layer{rectangle(0, waist, half, 0.075, 0), plain(dark)},
			layer{rectangle(0, waist, 0.11, 0.09, 0.02), plain(colour{222, 186, 80})})
	}
	return layers
}
