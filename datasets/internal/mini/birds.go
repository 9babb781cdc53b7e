package mini

// build is the shapes and places of the parts of a bird that looks to the left.
type build struct {
	body, tail, beak shape
	headX, headY     float64
	head             float64 // radius
	wing             shape
	neck, legs       shape
}

// birds are seen from the side, the set cub.
func birds() family {
	red, blue, yellow := swatch{"crimson", colour{196, 46, 52}}, swatch{"blue", colour{52, 92, 190}}, swatch{"golden", colour{232, 190, 52}}
	white, black, green := swatch{"white", colour{236, 234, 226}}, swatch{"black", colour{44, 42, 48}}, swatch{"olive", colour{112, 140, 60}}
	return family{
		shapes: []string{"Finch", "Heron", "Duck", "Magpie"},
		parts:  []string{"", "crested", "capped", "collared"},
		pairs:  [][2]swatch{{red, white}, {blue, yellow}, {yellow, black}, {white, black}, {green, red}, {blue, white}},
		tilt:   0.22,
		mirror: true,
		figure: bird,
	}
}

// build returns the build of a shape of bird.
func (k looks) build() build {
	switch k.shape {
	case 0: // finch
		return build{
			body: ellipse(0.05, 0.1, 0.52, 0.38), tail: polygon(0.4, 0, 0.96, -0.06, 0.94, 0.2, 0.4, 0.3),
			beak:  polygon(-0.6, -0.38, -0.9, -0.2, -0.6, -0.12),
			headX: -0.4, headY: -0.26, head: 0.28, wing: ellipse(0.14, 0.08, 0.48, 0.31),
			legs: union(capsule(-0.05, 0.4, -0.1, 0.86, 0.035, 0.035), capsule(0.14, 0.4, 0.12, 0.86, 0.035, 0.035)),
		}
	case 1: // heron
		return build{
			body: ellipse(0.2, 0.06, 0.46, 0.28), tail: polygon(0.5, 0, 0.86, 0.16, 0.8, 0.32, 0.45, 0.2),
			beak:  polygon(-0.46, -0.78, -1, -0.58, -0.46, -0.58),
			headX: -0.36, headY: -0.68, head: 0.18, wing: ellipse(0.28, 0.04, 0.44, 0.26),
			neck: capsule(-0.12, 0.02, -0.34, -0.62, 0.13, 0.1),
			legs: union(capsule(0.1, 0.28, 0.06, 0.98, 0.04, 0.03), capsule(0.3, 0.28, 0.32, 0.98, 0.04, 0.03)),
		}
	case 2: // duck
		return build{
			body: ellipse(0.06, 0.34, 0.7, 0.36), tail: polygon(0.5, 0.2, 0.96, -0.12, 0.8, 0.42),
			beak:  capsule(-0.68, -0.2, -0.92, -0.14, 0.09, 0.06),
			headX: -0.48, headY: -0.26, head: 0.26, wing: ellipse(0.18, 0.28, 0.54, 0.3),
			neck: capsule(-0.46, -0.2, -0.36, 0.3, 0.16, 0.2),
		}
	default: // magpie
		return build{
			body: ellipse(-0.16, 0, 0.44, 0.27), tail: polygon(0.16, -0.06, 1, 0.3, 0.78, 0.4, 0.94, 0.66, 0.1, 0.2),
			beak:  polygon(-0.72, -0.28, -0.98, -0.14, -0.7, -0.08),
			headX: -0.54, headY: -0.16, head: 0.22, wing: ellipse(-0.02, 0, 0.48, 0.26),
			legs: union(capsule(-0.22, 0.2, -0.3, 0.6, 0.03, 0.03), capsule(-0.06, 0.2, -0.1, 0.6, 0.03, 0.03)),
		}
	}
}

// bird draws a bird. The head nods.
func bird(k looks, r *random) []layer {
	b := k.build()
	dark, horn := colour{30, 26, 24}, colour{222, 150, 60}
	nodX, nodY := r.between(-0.04, 0.06), r.between(-0.06, 0.08)
	nod := func(s shape) shape { return func(x, y float64) float64 { return s(x-nodX, y-nodY) } }
	head := nod(circle(b.headX, b.headY, b.head))
	var layers []layer
	if b.legs != nil {
		layers = append(layers, layer{b.legs, plain(horn.blend(dark, 0.3))})
	}
	layers = append(layers, layer{b.tail, plain(k.b.blend(dark, 0.2))}, layer{nod(b.beak), plain(horn)})
	if k.part == 1 {
		x, y, h := b.headX, b.headY, b.head
		layers = append(layers, layer{nod(polygon(x-h/2, y-h/2, x+h, y-h-0.3, x+h, y-h/4)), plain(k.b)})
	}
	if b.neck != nil {
		layers = append(layers, layer{b.neck, plain(k.a)})
	}
	layers = append(layers, layer{b.body, plain(k.a)}, layer{head, plain(k.a)})
	switch k.part {
	case 2:
		layers = append(layers, layer{intersection(head, nod(rectangle(b.headX, b.headY-b.head, 1, b.head*3/4, 0))), plain(k.b)})
	case 3:
		layers = append(layers, layer{nod(capsule(b.headX-b.head/4, b.headY+b.head, b.headX+b.head, b.headY+b.head/2, 0.08, 0.08)), plain(k.b)})
	}
	wing := k.patterned(0.24)
	if wing.mask == nil {
		wing = plain(k.b)
	}
	outline := func(x, y float64) float64 { return b.wing(x, y) - 0.035 }
	return append(layers,
		layer{outline, plain(k.a.blend(dark, 0.4))}, layer{b.wing, wing},
		layer{nod(circle(b.headX-b.head/3, b.headY-b.head/8, 0.065)), plain(colour{245, 245, 240})},
		layer{nod(circle(b.headX-b.head/3, b.headY-b.head/8, 0.045)), plain(dark)},
	)
}
