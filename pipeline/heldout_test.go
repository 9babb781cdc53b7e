package pipeline

import (
	"path/filepath"
	"slices"
	"testing"

	"bierbench/datasets"
	"bierbench/models"
)

// Held-out classes belong to the training part and the share: 20% of ten
// classes are two; never fewer than two, for one class has no negatives.
func TestHeldOutClasses(t *testing.T) {
	var classes []int32
	for c := range int32(10) {
		classes = append(classes, 7*c, 7*c, 7*c)
	}
	held, err := heldOutClasses(classes, 0.2)
	if err != nil || len(held) != 2 || !slices.IsSorted(held) {
		t.Fatalf("held out %v, %v; want two of ten classes", held, err)
	}
	slices.Reverse(classes)
	again, err := heldOutClasses(classes, 0.2)
	if err != nil || !slices.Equal(again, held) {
		t.Errorf("held out %v, %v in another order of the images; want %v", again, err, held)
	}
	if few, failed := heldOutClasses(classes, 0.01); failed != nil || len(few) != 2 {
		t.Errorf("held out %v, %v at 1%%; want two", few, failed)
	}
	if all, failed := heldOutClasses(classes, 0.9); failed == nil {
		t.Errorf("held out %v at 90%%; want an error, one class is left", all)
	}
}

// What is trained on, held out and tested never overlaps in classes.
func TestDivide(t *testing.T) {
	w := miniWorkspace(t, t.TempDir(), nil)
	data, err := datasets.Open(filepath.Join(w.DatasetsDir(), "cub", "mini-s256-jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	c := models.DefaultConfig(models.Frozen)
	plain, err := divideRows(data, c)
	if err != nil || len(plain.heldOut) != 0 || !slices.Equal(plain.train, data.Rows(datasets.Train)) {
		t.Fatalf("without selection: %d held out, %d to train on, %v", len(plain.heldOut), len(plain.train), err)
	}
	c.Evaluate = models.EvaluateValidation
	held, err := divideRows(data, c)
	if err != nil || len(held.heldOut) == 0 || !slices.Equal(held.test, held.heldOut) {
		t.Fatalf("evaluate validation: tested on %d rows, held out %d, %v", len(held.test), len(held.heldOut), err)
	}
	if len(held.train)+len(held.heldOut) != len(plain.train) {
		t.Errorf("%d rows to train on and %d held out of %d", len(held.train), len(held.heldOut), len(plain.train))
	}
	seen := map[int32]string{}
	for part, rows := range map[string][]int{"training": held.train, "held out": held.heldOut, "test": plain.test} {
		for _, row := range rows {
			if before := seen[data.Class(row)]; before != "" && before != part {
				t.Fatalf("class %d is in %s and in %s", data.Class(row), before, part)
			}
			seen[data.Class(row)] = part
		}
	}
}
