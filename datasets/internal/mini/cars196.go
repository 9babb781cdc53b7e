package mini

import (
	"bytes"
	"context"
	"fmt"
)

// writeCars writes the layout of Cars-196 with one image folder: car_ims/ and cars_annos.mat. The
// first half of the classes is the train split; the field test is another split, that of
// classification.
func writeCars(ctx context.Context, f *folder) error {
	classes := f.classes(2 * f.options.Classes)
	r := namedStream(f.options.Seed, "cars196/lists")
	var names []string
	var pictures []picture
	for i, k := range classes {
		first, second, patternName, part, shapeName := f.set.family.words(k)
		if part != "" {
			shapeName = part + " " + shapeName
		}
		names = append(names, fmt.Sprintf("%s/%s %s %s %d", first, second, patternName, shapeName, 1998+r.IntN(15)))
		for j := range f.count(i) {
			pictures = append(pictures, picture{file: fmt.Sprintf("car_ims/%06d.jpg", len(pictures)+1), class: i, index: j})
		}
	}
	if err := f.draw(ctx, classes, pictures); err != nil {
		return err
	}
	rows := make([][][]byte, len(pictures))
	for i, p := range pictures {
		rows[i] = [][]byte{ // 1-based, inclusive corners
			matText(p.file),
			matNumber(p.box.x0 + 1), matNumber(p.box.y0 + 1), matNumber(p.box.x1), matNumber(p.box.y1),
			matNumber(p.class + 1), matBool(r.IntN(2) == 1),
		}
	}
	fields := []string{"relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test"}
	var annotations bytes.Buffer
	if err := writeMAT(&annotations, "miniature Cars-196", matStruct("annotations", fields, rows), matCell("class_names", names)); err != nil {
		return err
	}
	return f.list("cars_annos.mat", annotations.Bytes())
}
