package datasets

import (
	"context"
	"errors"
)

// cars196 is Cars-196.
func cars196() Set {
	return Set{
		Name: "cars196", Title: "Cars-196", Folders: []string{"stanford_cars"},
		Protocols: []Protocol{{ID: "cars196-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 2, 4, 8, 16, 32}}},
		Read:  readCars196,
		Looks: func(string) bool { return false },
	}
}

func readCars196(_ context.Context, _, _ string) (*Layout, error) {
	return nil, errors.New("cars196: not read yet")
}
