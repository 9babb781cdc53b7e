package datasets

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	vehicleTitle  = "PKU VehicleID"
	vehicleImages = "attribute/img2vid.txt"
	vehicleModels = "attribute/model_attr.txt"
	vehicleNames  = "attribute/model_names.txt"
)

// vehicleid is PKU VehicleID (Liu et al. 2016). A class is a vehicle. Its superclass is the model
// of the vehicle, where the attribute lists name one. A test image has the bits of the test lists
// that it is in.
func vehicleid() Set {
	return Set{
		Name: "vehicleid", Title: vehicleTitle, Folders: []string{"VehicleID_V1.0"},
		Protocols: vehicleProtocols(),
		Read:      readVehicleID,
		archives: []published{
			{stem: "VehicleID_V1.0", lists: true, unpacked: []string{"VehicleID_V1.0", "image"}},
			{stem: "VehicleID", lists: true, unpacked: []string{"VehicleID_V1.0", "image"}},
			{stem: "image", unpacked: []string{"image"}},
		},
		Looks: func(src *Source) bool {
			return firstFile(src, vehicleImages, "train_test_split/train_list.txt", "train_test_split/test_list_800.txt") != ""
		},
	}
}

// vehicleProtocols returns both protocols of each test list.
func vehicleProtocols() []Protocol {
	recalls := func() []int { return []int{1, 5} }
	var all []Protocol
	for _, list := range vehicleLists()[1:] {
		id := "vehicleid-" + list.label
		all = append(all,
			Protocol{ID: id + "-" + KindLeaveOneOut, Kind: KindLeaveOneOut, List: list.bit, Recalls: recalls()},
			Protocol{ID: id + "-" + KindOneGallery, Kind: KindOneGallery, List: list.bit, Recalls: recalls()})
	}
	return all
}

// vehicleList is one of the split lists.
type vehicleList struct {
	label string
	name  string
	bit   uint8 // of Row.List; 0 = training
}

// vehicleLists returns the split lists.
func vehicleLists() []vehicleList {
	return []vehicleList{
		{"train", "train_test_split/train_list.txt", 0},
		{"800", "train_test_split/test_list_800.txt", 1},
		{"1600", "train_test_split/test_list_1600.txt", 2},
		{"2400", "train_test_split/test_list_2400.txt", 4},
	}
}

// vehicleCount is the size of a list.
type vehicleCount struct{ images, vehicles int }

// String returns the count in words.
func (c vehicleCount) String() string {
	return fmt.Sprintf("%d images of %d vehicles", c.images, c.vehicles)
}

// vehicleRelease is a published release: the counts of img2vid.txt that go with it, and those of
// the split lists in the order of vehicleLists.
type vehicleRelease struct {
	name   string
	images []vehicleCount
	lists  [4]vehicleCount
}

// vehicleReleases returns the release of the papers and the cleaned one that is handed out today.
// The paper states 221,763 images of 26,267 vehicles.
func vehicleReleases() []vehicleRelease {
	public := vehicleCount{221567, 26328}
	return []vehicleRelease{
		{"papers", []vehicleCount{public, {221763, 26267}}, [4]vehicleCount{{110178, 13134}, {7332, 800}, {12995, 1600}, {20038, 2400}}},
		{"public", []vehicleCount{public}, [4]vehicleCount{{113346, 13164}, {6493, 800}, {13377, 1600}, {19777, 2400}}},
	}
}

// vehicleReader holds what was read so far.
type vehicleReader struct {
	src      *Source
	layout   *Layout
	images   []vehicleImage // in the order of img2vid.txt
	byName   map[int]int    // index in images by the number in the name
	vehicles map[int]string // "file:line" in img2vid.txt by vehicle id
	splits   map[int]vehicleSplit
	models   map[int]string // name of the model by vehicle id
}

// vehicleImage is a row of img2vid.txt.
type vehicleImage struct {
	name     string
	vehicle  int
	training bool
	lists    uint8
}

// vehicleSplit says which lists a vehicle is in.
type vehicleSplit struct {
	training bool
	place    string
}

// readVehicleID reads img2vid.txt and the four split lists. Images in no split
// list are counted and left out.
func readVehicleID(ctx context.Context, src *Source, custom string) (*Layout, error) {
	names := []string{vehicleImages}
	for _, list := range vehicleLists() {
		names = append(names, list.name)
	}
	if err := needLists(vehicleTitle, src, names...); err != nil {
		return nil, err
	}
	r := &vehicleReader{
		src: src, byName: map[int]int{}, vehicles: map[int]string{}, splits: map[int]vehicleSplit{}, models: map[int]string{},
		layout: &Layout{Set: "vehicleid", Root: src.Name(), Release: custom, Found: "image/ with attribute/ and train_test_split/"},
	}
	total, err := r.readImages(ctx)
	if err != nil {
		return nil, err
	}
	var counts [4]vehicleCount
	for i, list := range vehicleLists() {
		if counts[i], err = r.readSplit(ctx, list); err != nil {
			return nil, err
		}
	}
	if custom == "" {
		if r.layout.Release, err = r.releaseOf(total, counts); err != nil {
			return nil, err
		}
	}
	models, err := optionalFile(vehicleTitle, src, vehicleModels)
	if err != nil {
		return nil, err
	}
	modelNames, err := optionalFile(vehicleTitle, src, vehicleNames)
	if err == nil && models != "" && modelNames != "" {
		err = r.readModels(ctx)
	}
	if err != nil {
		return nil, err
	}
	r.addRows()
	return r.layout, nil
}

// releaseOf returns the name of the published release with these counts.
func (r *vehicleReader) releaseOf(total vehicleCount, counts [4]vehicleCount) (string, error) {
	const hint = "another set in this layout needs --custom NAME"
	known := vehicleReleases()
	names := vehicleLists()
	for i, list := range names {
		l := &listFile{src: r.src, name: list.name}
		if a, b := known[0].lists[i], known[1].lists[i]; counts[i] != a && counts[i] != b {
			return "", l.errorf(r.layout.Lists[i+1].Rows, "list ends here: want the %s of %s (%s) or the %s (%s), got %s (%s)",
				a, vehicleTitle, known[0].name, b, known[1].name, counts[i], hint)
		}
	}
	for _, release := range known {
		if counts != release.lists {
			continue
		}
		if slices.Contains(release.images, total) {
			return release.name, nil
		}
		l := &listFile{src: r.src, name: vehicleImages}
		return "", l.errorf(total.images, "list ends here: want the %s of %s, got %s (%s)", release.images[0], vehicleTitle, total, hint)
	}
	var mixed []string
	for i, list := range names {
		of := known[1].name
		if counts[i] == known[0].lists[i] {
			of = known[0].name
		}
		mixed = append(mixed, list.name+" is of "+of)
	}
	return "", fmt.Errorf("%s in %s: the split lists mix two releases: %s", vehicleTitle, r.src.Name(), strings.Join(mixed, ", "))
}

// readPairs reads a list of "<7-digit image name> <vehicle id>" lines. number is the number in the
// name.
func (r *vehicleReader) readPairs(ctx context.Context, l *listFile, row func(line, number int, name string, vehicle int) error) error {
	rows := 0
	sum, err := l.read(ctx, func(line int, text string) error {
		name, rest, _ := strings.Cut(text, " ")
		vehicle, ok := parseNumber(rest)
		n, digits := parseNumber(name)
		if !ok || !digits { // the published ids count from 0
			return l.errorf(line, `want "<image name> <vehicle id>", got %s`, quote(text))
		}
		if len(name) != 7 {
			return l.errorf(line, "image name, want 7 digits with their leading zeros, got %s", quote(name))
		}
		rows++
		return row(line, n, name, vehicle)
	})
	r.layout.Lists = append(r.layout.Lists, List{Name: l.name, SHA256: sum, Rows: rows})
	return err
}

// readImages reads img2vid.txt.
func (r *vehicleReader) readImages(ctx context.Context) (vehicleCount, error) {
	l := &listFile{src: r.src, name: vehicleImages}
	err := r.readPairs(ctx, l, func(line, n int, name string, vehicle int) error {
		if first, seen := r.byName[n]; seen {
			return l.errorf(line, "image %s is listed twice, first in line %d", name, first+1)
		}
		r.byName[n] = len(r.images)
		r.images = append(r.images, vehicleImage{name: name, vehicle: vehicle})
		if _, seen := r.vehicles[vehicle]; !seen {
			r.vehicles[vehicle] = l.place(line)
		}
		return nil
	})
	return vehicleCount{len(r.images), len(r.vehicles)}, err
}

// readSplit reads one split list.
func (r *vehicleReader) readSplit(ctx context.Context, list vehicleList) (vehicleCount, error) {
	l := &listFile{src: r.src, name: list.name}
	training := list.bit == 0
	seen := map[int]bool{}
	rows := 0
	err := r.readPairs(ctx, l, func(line, n int, name string, vehicle int) error {
		at, ok := r.byName[n]
		if !ok {
			return l.errorf(line, "image %s is not in %s", name, vehicleImages)
		}
		image := &r.images[at]
		switch {
		case image.vehicle != vehicle:
			return l.errorf(line, "vehicle of image %s, want %d as in %s:%d, got %d", name, image.vehicle, vehicleImages, at+1, vehicle)
		case image.training && training || image.lists&list.bit != 0:
			return l.errorf(line, "image %s is listed twice", name)
		}
		if first, known := r.splits[vehicle]; !known {
			r.splits[vehicle] = vehicleSplit{training: training, place: l.place(line)}
		} else if first.training != training {
			return l.errorf(line, "vehicle %d is in train and in test, first in %s", vehicle, first.place)
		}
		image.training = training
		image.lists |= list.bit
		seen[vehicle] = true
		rows++
		return nil
	})
	return vehicleCount{rows, len(seen)}, err
}

// readModels reads the models of vehicles and the models' names. Not every
// vehicle has one.
func (r *vehicleReader) readModels(ctx context.Context) error {
	names := map[int]string{}
	l := &listFile{src: r.src, name: vehicleNames}
	rows := 0
	sum, err := l.read(ctx, func(line int, text string) error {
		cut := strings.LastIndexByte(text, ' ')
		id, ok := parseNumber(text[cut+1:])
		if cut < 1 || !ok {
			return l.errorf(line, `want "<model name> <model id>", got %s`, quote(text))
		}
		if _, seen := names[id]; seen {
			return l.errorf(line, "model id %d is listed twice", id)
		}
		names[id] = strings.TrimSpace(text[:cut])
		rows++
		return nil
	})
	if err != nil {
		return err
	}
	r.layout.Lists = append(r.layout.Lists, List{Name: l.name, SHA256: sum, Rows: rows})
	l = &listFile{src: r.src, name: vehicleModels}
	rows = 0
	sum, err = l.read(ctx, func(line int, text string) error {
		left, right, _ := strings.Cut(text, " ")
		vehicle, ok := parseNumber(left)
		model, valid := parseNumber(right)
		if !ok || !valid {
			return l.errorf(line, `want "<vehicle id> <model id>", got %s`, quote(text))
		}
		if _, known := r.vehicles[vehicle]; !known {
			return l.errorf(line, "vehicle %d is not in %s", vehicle, vehicleImages)
		}
		if _, seen := r.models[vehicle]; seen {
			return l.errorf(line, "vehicle %d is listed twice", vehicle)
		}
		name, known := names[model]
		if !known {
			return l.errorf(line, "model id %d is not in %s", model, vehicleNames)
		}
		r.models[vehicle] = name
		rows++
		return nil
	})
	if err != nil {
		return err
	}
	r.layout.Lists = append(r.layout.Lists, List{Name: l.name, SHA256: sum, Rows: rows})
	return nil
}

// addRows turns the images of the split lists into rows. Their id is the row in
// img2vid.txt, which has no header line.
func (r *vehicleReader) addRows() {
	for i, image := range r.images {
		row := Row{
			ID: int64(i + 1), Name: image.name, File: "image/" + image.name + ".jpg",
			Class: int32(image.vehicle), ClassName: strconv.Itoa(image.vehicle), Superclass: r.models[image.vehicle],
			Split: Train, List: image.lists, Line: vehicleImages + ":" + strconv.Itoa(i+1),
		}
		switch {
		case image.lists != 0:
			row.Split = Test
		case !image.training:
			r.layout.Unlisted++
			r.layout.unlisted = append(r.layout.unlisted, row)
			continue
		}
		r.layout.Rows = append(r.layout.Rows, row)
	}
}
