package mini

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// writeCUB writes the layout of CUB-200-2011: five lists that share an image id, and a folder per
// class. The first half of the classes is the train split. train_test_split.txt is the split of
// classification, drawn at random.
func writeCUB(ctx context.Context, f *folder) error {
	classes := f.classes(2 * f.options.Classes)
	r := namedStream(f.options.Seed, "cub/lists")
	var names bytes.Buffer
	var pictures []picture
	for i, k := range classes {
		title := f.set.family.title(k, "_")
		directory := fmt.Sprintf("%03d.%s", i+1, title)
		fmt.Fprintf(&names, "%d %s\n", i+1, directory)
		order := r.Perm(f.count(i)) // rows follow no order of names
		for j, number := range order {
			file := fmt.Sprintf("%s_%04d_%d.jpg", capitals(title), number+1, 1000+10*i+r.IntN(10))
			pictures = append(pictures, picture{file: "images/" + directory + "/" + file, class: i, index: j})
		}
	}
	if err := f.draw(ctx, classes, pictures); err != nil {
		return err
	}
	var images, labels, split, boxes bytes.Buffer
	for i, p := range pictures {
		fmt.Fprintf(&images, "%d %s\n", i+1, strings.TrimPrefix(p.file, "images/"))
		fmt.Fprintf(&labels, "%d %d\n", i+1, p.class+1)
		fmt.Fprintf(&split, "%d %d\n", i+1, r.IntN(2))
		fmt.Fprintf(&boxes, "%d %d.0 %d.0 %d.0 %d.0\n", i+1, p.box.x0, p.box.y0, p.box.x1-p.box.x0, p.box.y1-p.box.y0)
	}
	return f.lists(
		listFile{"images.txt", images.Bytes()}, listFile{"image_class_labels.txt", labels.Bytes()},
		listFile{"train_test_split.txt", split.Bytes()}, listFile{"bounding_boxes.txt", boxes.Bytes()},
		listFile{"classes.txt", names.Bytes()},
	)
}

// capitals starts every word of a class name with a capital. The names of CUB's image files do,
// those of its folders do not.
func capitals(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "_")
}
