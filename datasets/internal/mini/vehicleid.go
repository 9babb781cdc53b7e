package mini

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// writeVehicleID writes the layout of PKU VehicleID. Images are named by a number with leading
// zeros. Lists of image and vehicle have no final newline and begin with the last image. Names come
// first in the attribute tables. Each test list contains the one before. Two more vehicles are in
// no split list.
func writeVehicleID(ctx context.Context, f *folder) error {
	const unlisted = 2
	n := f.options.Classes
	classes := f.classes(2*n + unlisted)
	r := namedStream(f.options.Seed, "vehicleid/lists")
	isTest := append(r.deal(n), make([]bool, unlisted)...)
	var pictures []picture
	vehicleIDs, names := make([]int, len(classes)), []string{}
	vehicleID, number := 0, 0
	for i := range classes {
		vehicleID += 1 + r.IntN(9)
		vehicleIDs[i] = vehicleID
		for j := range f.count(i) {
			number += 1 + r.IntN(3)
			names = append(names, fmt.Sprintf("%07d", number))
			pictures = append(pictures, picture{file: fmt.Sprintf("image/%07d.jpg", number), class: i, index: j})
		}
	}
	if err := f.draw(ctx, classes, pictures); err != nil {
		return err
	}

	// A third, two thirds and all of the test vehicles.
	testClasses := []int{}
	for i, held := range isTest {
		if held {
			testClasses = append(testClasses, i)
		}
	}
	r.Shuffle(n, func(i, j int) { testClasses[i], testClasses[j] = testClasses[j], testClasses[i] })
	small, medium := testClasses[:(n+2)/3], testClasses[:(2*n+2)/3]

	rows := func(keep func(class int) bool, last string) []byte {
		var lines []string
		for i, p := range slices.Backward(pictures) {
			if keep(p.class) {
				lines = append(lines, fmt.Sprintf("%s %d", names[i], vehicleIDs[p.class]))
			}
		}
		return []byte(strings.Join(lines, "\n") + last)
	}
	var models, colours, modelNames, colourNames strings.Builder
	for i, k := range classes {
		if i%10 == 9 {
			continue // not every vehicle has attributes
		}
		fmt.Fprintf(&models, "%d %d\n", vehicleIDs[i], k.shape*len(patterns())+k.pattern)
		fmt.Fprintf(&colours, "%d %d\n", vehicleIDs[i], k.pair)
	}
	for s, shapeName := range f.set.family.shapes {
		for p, patternName := range patterns() {
			fmt.Fprintf(&modelNames, "小型 %s-%s2012款 %d\n", shapeName, patternName, s*len(patterns())+p)
		}
	}
	for i, pair := range f.set.family.pairs {
		fmt.Fprintf(&colourNames, "%s %d\r\n", pair[0].name, i)
	}
	within := func(list []int) func(int) bool {
		return func(class int) bool { return slices.Contains(list, class) }
	}
	return f.lists(
		listFile{"attribute/img2vid.txt", rows(func(int) bool { return true }, "\n")},
		listFile{"attribute/model_attr.txt", []byte(models.String())},
		listFile{"attribute/color_attr.txt", []byte(colours.String())},
		listFile{"attribute/model_names.txt", []byte(modelNames.String())},
		listFile{"attribute/color_names.txt", []byte(colourNames.String())},
		listFile{"train_test_split/train_list.txt", rows(func(class int) bool { return class < 2*n && !isTest[class] }, "")},
		listFile{"train_test_split/test_list_800.txt", rows(within(small), "")},
		listFile{"train_test_split/test_list_1600.txt", rows(within(medium), "")},
		listFile{"train_test_split/test_list_2400.txt", rows(within(testClasses), "")},
	)
}
