package mini

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// writeInShop writes the layout of the In-shop Clothes Retrieval Benchmark: lists with two head
// lines and padded columns, and images in a folder per sex, category and item. Train and test items
// are in random order; half of the images of a test item are queries. Every eighth item has images
// under two categories, as some originals have.
func writeInShop(ctx context.Context, f *folder) error {
	classes := f.classes(2 * f.options.Classes)
	r := namedStream(f.options.Seed, "inshop/lists")
	isTest := r.deal(f.options.Classes)
	views := []string{"1_front", "2_side", "3_back", "4_full", "5_additional", "7_additional"}
	var pictures []picture
	var partition, boxes, items strings.Builder
	var statuses []string
	var poses []int
	for i, k := range classes {
		item := fmt.Sprintf("id_%08d", i+1)
		items.WriteString(item + "\n")
		sex := []string{"WOMEN", "MEN"}[i%2]
		n := f.count(i)
		for j := range n {
			category := f.set.family.shapes[k.shape]
			if i%8 == 7 && j >= n-2 {
				category += "_Sale"
			}
			file := fmt.Sprintf("img/%s/%s/%s/%02d_%s.jpg", sex, category, item, j/len(views)+1, views[j%len(views)])
			pictures = append(pictures, picture{file: "Img/" + file, class: i, index: j})
			status := "train"
			if isTest[i] {
				status = []string{"query", "gallery"}[j%2]
			}
			statuses, poses = append(statuses, status), append(poses, j%len(views))
		}
	}
	if err := f.draw(ctx, classes, pictures); err != nil {
		return err
	}
	fmt.Fprintf(&partition, "%d\nimage_name item_id evaluation_status\n", len(pictures))
	fmt.Fprintf(&boxes, "%d\nimage_name clothes_type pose_type x_1 y_1 x_2 y_2\n", len(pictures))
	clothes := []int{1, 3, 2, 2} // upper body, lower body or full body, in the order of the shapes
	for i, p := range pictures {
		file := strings.TrimPrefix(p.file, "Img/")
		fmt.Fprintf(&partition, "%-70s id_%08d %-10s \n", file, p.class+1, statuses[i])
		fmt.Fprintf(&boxes, "%-70s %d %d %03d %03d %03d %03d\n", file, clothes[classes[p.class].shape], poses[i]+1,
			p.box.x0, p.box.y0, p.box.x1, p.box.y1)
	}
	var list bytes.Buffer
	fmt.Fprintf(&list, "%d\n%s", len(classes), items.String())
	return f.lists(
		listFile{"Eval/list_eval_partition.txt", []byte(partition.String())},
		listFile{"Anno/list_bbox_inshop.txt", []byte(boxes.String())},
		listFile{"Anno/list_item_inshop.txt", list.Bytes()},
	)
}
