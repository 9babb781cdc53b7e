package mini

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// writeSOP writes the layout of Stanford Online Products: two lists, each ordered by super class,
// whose ids go on from one to the other, and a folder per super class.
func writeSOP(ctx context.Context, f *folder) error {
	train := f.options.Classes
	classes := f.classes(2 * train)
	bySuper := func(a, b attributes) int { return cmp.Compare(a.shape, b.shape) }
	slices.SortStableFunc(classes[:train], bySuper)
	slices.SortStableFunc(classes[train:], bySuper)
	r := namedStream(f.options.Seed, "sop/lists")
	var pictures []picture
	for i, k := range classes {
		item := 110000000000 + int64(i)*100000 + int64(r.IntN(100000))
		for j := range f.count(i) {
			file := fmt.Sprintf("%s_final/%d_%d.JPG", f.set.family.shapes[k.shape], item, j)
			pictures = append(pictures, picture{file: file, class: i, index: j})
		}
	}
	if err := f.draw(ctx, classes, pictures); err != nil {
		return err
	}
	const head = "image_id class_id super_class_id path\n"
	var rows [2]strings.Builder // train, test
	for i, p := range pictures {
		split := 0
		if p.class >= train {
			split = 1
		}
		fmt.Fprintf(&rows[split], "%d %d %d %s\n", i+1, p.class+1, classes[p.class].shape+1, p.file)
	}
	var info bytes.Buffer
	info.WriteString(head + rows[0].String() + rows[1].String())
	return f.lists(
		listFile{"Ebay_train.txt", []byte(head + rows[0].String())}, listFile{"Ebay_test.txt", []byte(head + rows[1].String())},
		listFile{"Ebay_info.txt", info.Bytes()},
	)
}
